"""Random interleavings of reads, closings, failures and cancellations, held against what must be true of any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from sideband.errors import ReaderClosedError, StreamClosedError
from sideband.streams import NamedChunk, Overflow, Pipe, SourceEnded, Stream, SyncStream, merge_named, pipe
from sideband.streams._fanout import Fanout

from .helpers import Source, SyncSource, others, settle

T = TypeVar("T")
Step = tuple[str, int]


def programs(*names: str, readers: int = 3) -> st.SearchStrategy[list[Step]]:
    """Draw what is done to which of some readers, one after the other; "turn" lets the loop turn."""
    return st.lists(st.tuples(st.sampled_from((*names, "turn")), st.integers(0, readers - 1)), max_size=40)


class Reader:
    """One consumer: reads in tasks, which a program may cancel, and keeps what it got."""

    def __init__(self, stream: Stream[Any]) -> None:
        self.stream = stream
        self.got: list[Any] = []
        self.errors: list[BaseException] = []
        self.closed = False
        self.task: asyncio.Task[None] | None = None

    def read(self) -> None:
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            self.got.append(await self.stream.__anext__())
        except StopAsyncIteration:
            pass
        except ValueError as error:
            self.errors.append(error)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def close(self) -> None:
        self.closed = True
        await self.stream.aclose()

    async def rest(self) -> None:
        """Wait for the read in progress and read to the end, as a consumer would that had done nothing else."""
        if self.task is not None:
            await asyncio.wait((self.task,))
        while True:
            before = len(self.got), len(self.errors)
            await self._read()
            if before == (len(self.got), len(self.errors)):
                return


async def play(steps: Sequence[Step], readers: Sequence[Reader]) -> None:
    """Do what the program says."""
    for name, index in steps:
        reader = readers[index]
        if name == "read":
            reader.read()
        elif name == "cancel":
            reader.cancel()
        elif name == "close":
            await reader.close()
        else:
            await settle(index + 1)


@given(
    programs("read", "cancel", "close"),
    st.integers(0, 6),
    st.integers(0, 2),
    st.booleans(),
)
async def test_every_open_copy_sees_all_whatever_the_others_do(
    steps: list[Step], n: int, waits: int, fails: bool
) -> None:
    """No interleaving loses, doubles or swaps a chunk of a copy that stays open, nor leaves anything open."""
    error = ValueError("broken") if fails else None
    source = Source(n, error, waits)
    readers = [Reader(copy) for copy in Stream(source).copy(3)]
    await play(steps, readers)
    for reader in readers:
        if reader.closed:
            assert reader.got == list(range(len(reader.got)))
            assert reader.errors in ([], [error])
        else:
            await reader.rest()
            assert reader.got == list(range(n))
            assert reader.errors == ([error] if error else [])
    for reader in readers:
        await reader.close()
        if reader.task is not None:
            await asyncio.wait((reader.task,))
    assert (source.open, source.closed, others()) == (0, 1, set())


@given(
    programs("read", "cancel"),
    st.integers(0, 12),
    st.integers(1, 3),
    st.sampled_from(["drop_oldest", "drop_newest"]),
)
async def test_what_a_copy_saw_and_what_it_dropped_are_the_whole(
    steps: list[Step], n: int, max_lag: int, overflow: Overflow
) -> None:
    """In order, never more than the bound at once, and every drop counted."""
    copies = Stream(Source(n)).copy(3, max_lag=max_lag, overflow=overflow)
    readers = [Reader(copy) for copy in copies]
    for step in steps:
        await play([step], readers)
        assert all(copy.pending <= max_lag for copy in copies)
    for copy, reader in zip(copies, readers, strict=True):
        await reader.rest()
        assert reader.got == sorted(set(reader.got))
        assert len(reader.got) + copy.dropped == n
        await reader.close()


@given(
    st.lists(st.sampled_from(["send", "cancel send", "read", "cancel read", "turn"]), max_size=40),
    st.integers(0, 3),
    st.booleans(),
)
async def test_a_pipe_delivers_what_was_sent_once_and_in_order(
    steps: list[str], capacity: int, reader_closes: bool
) -> None:
    """Cancelled sends come at most once; a send that returned has been, or will be, read unless the reader closes."""
    ends: Pipe[int] = pipe(capacity)
    reader = Reader(ends.reader)
    sends: list[asyncio.Task[None]] = []
    for step in steps:
        if step == "send":
            sends.append(asyncio.create_task(ends.writer.send(len(sends))))
        elif step == "cancel send" and sends:
            sends[-1].cancel()
        elif step == "read":
            reader.read()
        elif step == "cancel read":
            reader.cancel()
        else:
            await settle(2)
            assert len(ends.writer._link.channel.buffer) <= capacity
    await settle()
    if reader_closes:
        await reader.close()
    ends.writer.close()
    await reader.rest()
    results = await asyncio.gather(*sends, return_exceptions=True)

    assert reader.got == sorted(set(reader.got))
    for i, result in enumerate(results):
        if result is None:
            assert i in reader.got or reader_closes
        else:
            assert isinstance(result, asyncio.CancelledError | ReaderClosedError | StreamClosedError)
            assert i not in reader.got or isinstance(result, asyncio.CancelledError)
    assert others() == set()


@given(
    programs("read", "cancel", readers=1),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=4),
    st.none() | st.integers(0, 3),
    st.booleans(),
)
async def test_a_merge_keeps_each_sources_order_and_ends_once(
    steps: list[Step], shapes: list[tuple[int, int]], failing: int | None, closes: bool
) -> None:
    """All chunks of all sources, or a beginning of each and the error; all sources closed, no task left."""
    error = ValueError("broken")
    sources = {
        f"s{i}": Source(n, error if i == failing else None, waits) for i, (n, waits) in enumerate(shapes)
    }
    reader = Reader(merge_named(**sources))
    await play(steps, [reader])
    if not closes:
        await reader.rest()
    await reader.close()
    if reader.task is not None:
        await asyncio.wait((reader.task,))

    fails = failing is not None and failing < len(sources)
    for name, source in sources.items():
        mine = [item.chunk for item in reader.got if isinstance(item, NamedChunk) and item.source == name]
        ended = reader.got.count(SourceEnded(name))
        assert mine == list(range(len(mine)))
        assert ended <= 1
        if not closes and not fails:
            assert (len(mine), ended) == (source.n, 1)
        assert (source.open, source.closed) == (0, 1)
    if not closes:
        assert reader.errors == ([error] if fails else [])
    assert others() == set()


@given(
    st.lists(
        st.tuples(st.sampled_from(["publish", "take", "detach", "replace"]), st.integers(0, 5)), max_size=60
    ),
    st.integers(1, 4),
    st.sampled_from(["drop_oldest", "drop_newest"]),
)
def test_the_copies_core_does_as_plain_lists_would(
    steps: list[Step], max_lag: int, overflow: Overflow
) -> None:
    """Each cursor holds what a list cut at its bound would hold."""
    fanout: Fanout[int, Any] = Fanout(lambda waiter: None)
    cursors = [fanout.attach(max_lag, overflow) for _ in range(3)]
    model: list[list[int]] = [[], [], []]
    for chunk, (name, index) in enumerate(steps):
        i = index % len(cursors)
        if name == "publish":
            fanout.publish(chunk)
            for held, cursor in zip(model, cursors, strict=True):
                if cursor.open and not (overflow == "drop_newest" and len(held) == max_lag):
                    held[:] = [*held, chunk][-max_lag:]
        elif name == "take" and model[i]:
            assert cursors[i].buffer.popleft() == model[i].pop(0)
        elif name == "detach":
            fanout.detach(cursors[i])
            model[i] = []
        elif name == "replace" and cursors[i].open:
            cursors += fanout.replace(cursors[i], 2, max_lag, overflow)
            model += [list(model[i]), list(model[i])]
            model[i] = []
        assert [list(cursor.buffer) for cursor in cursors] == model


@given(
    st.lists(st.tuples(st.sampled_from(["read", "close"]), st.integers(0, 2)), max_size=40), st.integers(0, 6)
)
def test_synchronous_copies_read_in_turn_see_all(steps: list[Step], n: int) -> None:
    """In one thread, too, no order of reads and closings loses anything."""
    source = SyncSource(n)
    copies = SyncStream(source).copy(3)
    got: list[list[int]] = [[], [], []]
    closed: set[int] = set()
    act: dict[str, Callable[[int], None]] = {
        "read": lambda i: got[i].extend(chunk for chunk in [next(copies[i], None)] if chunk is not None),
        "close": lambda i: closed.add(i) or copies[i].close(),  # type: ignore[func-returns-value]
    }
    for name, i in steps:
        act[name](i)
    for i, copy in enumerate(copies):
        if i not in closed:
            got[i].extend(copy.collect())
            assert got[i] == list(range(n))
        assert got[i] == list(range(len(got[i])))
    assert source.closed == 1
