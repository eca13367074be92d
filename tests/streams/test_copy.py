"""Copies: independent readers over one source, their bounds, endings and cancellations."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
import weakref
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest

from sideband.errors import StreamBusyError, StreamClosedError, StreamLoopError
from sideband.streams import Copy, Overflow, Stream, from_iterable
from sideband.testing._check_stream import check_stream

from .helpers import Gated, Source, others, settle

variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block"])
async def test_a_copy_keeps_the_contract(overflow: Overflow) -> None:
    """A copy does all that a consumer may rely on, and loses nothing to a cancellation."""
    sources: list[Source] = []

    def make() -> Copy[int]:
        sources.append(Source(4))
        return Stream(sources[-1]).copy(1, overflow=overflow)[0]

    await check_stream(
        make,
        expected=[0, 1, 2, 3],
        resumable=True,
        still_open=lambda: [source for source in sources if source.open or not source.closed],
    )


async def test_each_copy_sees_every_chunk_and_the_error_at_its_place() -> None:
    """However far apart they read, copies get the same chunks and the same error object, once each."""
    error = ValueError("broken")
    copies = Stream(Source(5, error)).copy(3)

    async def read(copy: Copy[int]) -> tuple[list[int], BaseException | None]:
        chunks: list[int] = []
        try:
            async for chunk in copy:
                chunks.append(chunk)
        except ValueError as caught:
            return chunks, caught
        return chunks, None

    first = await read(copies[0])
    rest = await asyncio.gather(*map(read, copies[1:]))
    assert [first, *rest] == [([0, 1, 2, 3, 4], error)] * 3
    assert [await copy.collect() for copy in copies] == [[], [], []]


async def test_the_fastest_copy_drives_the_source() -> None:
    """The source is read as far as the copy that is furthest, and no further."""
    source = Source(9)
    fast, slow = Stream(source).copy(2)
    assert source.pulled == 0
    for _ in range(3):
        await anext(fast)
    await anext(slow)
    await settle()

    assert source.pulled == 3
    assert (fast.pending, slow.pending) == (0, 2)
    await fast.aclose()
    await slow.aclose()


async def test_a_copy_that_is_not_read_holds_its_bound_and_counts_the_rest() -> None:
    """By default the oldest chunks go; with "drop_newest" the newest; both are counted."""
    reader, oldest = Stream(Source(10)).copy(2, max_lag=3)
    assert await reader.collect() == list(range(10))
    assert (oldest.pending, oldest.dropped, reader.dropped) == (3, 7, 0)
    assert await oldest.collect() == [7, 8, 9]

    reader, newest = Stream(Source(10)).copy(2, max_lag=3, overflow="drop_newest")
    await reader.collect()
    assert newest.dropped == 7
    assert await newest.collect() == [0, 1, 2]


async def test_a_full_blocking_copy_holds_the_others_back_until_it_is_read_or_closed() -> None:
    """With "block" nothing is lost: the source waits for the slowest."""
    source = Source(6)
    fast, slow = Stream(source).copy(2, max_lag=2, overflow="block")
    reader = asyncio.create_task(fast.collect())
    await settle(30)
    assert source.pulled == 2

    assert await anext(slow) == 0
    await settle(30)
    assert source.pulled == 3
    await slow.aclose()
    assert await reader == [0, 1, 2, 3, 4, 5]
    assert slow.dropped == 0


async def test_a_reader_cancelled_in_mid_pull_loses_nothing_for_anybody() -> None:
    """The pull goes on; its chunk waits for the one that was cancelled, too."""
    gate = Gated()
    first, second = Stream(gate).copy(2)
    reader = asyncio.create_task(first.__anext__())
    other = asyncio.create_task(second.__anext__())
    await settle()
    reader.cancel()
    await settle()
    gate.chunks.put_nowait("a")

    assert await other == "a"
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await anext(first) == "a"
    assert gate.waiting == 0
    await first.aclose()
    await second.aclose()
    assert gate.closed == 1


async def test_closing_one_copy_closes_itself_and_closing_all_closes_the_source() -> None:
    """The source outlives all but the last copy; its task is over when the last one is closed."""
    source = Source(9)
    first, second = Stream(source).copy(2)
    await anext(first)
    await first.aclose()
    assert (await first.collect(), source.closed) == ([], 0)
    assert await anext(second) == 0
    await second.aclose()

    assert (source.closed, source.open) == (1, 0)
    assert others() == set()


async def test_closing_a_copy_ends_its_waiting_reader_and_stops_the_pull_with_the_last() -> None:
    """A reader that waits when its copy is closed gets the end, not an error."""
    gate = Gated()
    first, second = Stream(gate).copy(2)
    readers = [asyncio.create_task(copy.collect()) for copy in (first, second)]
    await settle()
    await first.aclose()
    assert await readers[0] == []
    await second.aclose()
    assert await readers[1] == []
    assert (gate.closed, gate.waiting) == (1, 0)


async def test_unread_copies_close_their_source_without_a_task() -> None:
    """Closing what was never read begins nothing."""
    source = Source(3)
    for copy in Stream(source).copy(2):
        await copy.aclose()
    assert (source.closed, source.pulled) == (1, 0)


async def test_closing_the_original_ends_the_copies_behind_what_they_hold() -> None:
    """What was copied still closes its source, as leaving its `async with` does."""
    source = Source(9)
    async with Stream(source) as original:
        fast, slow = original.copy(2)
        assert [await anext(fast), await anext(fast)] == [0, 1]
        with pytest.raises(StreamClosedError):
            await anext(original)
    assert source.closed == 1
    assert (await fast.collect(), await slow.collect()) == ([], [0, 1])


async def test_an_error_in_the_sources_closing_reaches_who_closes_last() -> None:
    """It is not swallowed."""

    class Failing(Source):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("still there")

    first, second = Stream(Failing(3)).copy(2)
    await anext(first)
    await first.aclose()
    with pytest.raises(OSError, match="still there"):
        await second.aclose()


async def test_copies_of_copies_share_the_source_and_begin_where_the_copy_stood() -> None:
    """They see what the copy had not read; its bound gives way to theirs."""
    source = Source(6)
    first, second = Stream(source).copy(2)
    assert [await anext(first) for _ in range(4)] == [0, 1, 2, 3]
    assert await anext(second) == 0
    left, right = second.copy(2, max_lag=2)
    assert left.dropped == 1
    with pytest.raises(StreamClosedError):
        await anext(second)

    assert await left.collect() == [2, 3, 4, 5]
    assert await first.collect() == [4, 5]
    assert await right.collect() == [4, 5]
    assert (source.closed, right.dropped) == (1, 3)
    await second.aclose()


async def test_closing_a_copy_that_was_copied_closes_its_copies() -> None:
    """The last of them closes the source."""
    source = Source(6)
    (first,) = Stream(source).copy(1)
    left, right = first.copy(2)
    await anext(left)
    await first.aclose()

    assert source.closed == 1
    assert (await left.collect(), await right.collect()) == ([], [])


async def test_a_copy_of_an_ended_copy_is_at_its_end() -> None:
    """The end is final for what is made of it, too."""
    (first,) = Stream(Source(2)).copy(1)
    async for _ in first:
        pass
    left, right = first.copy(2)
    assert (await left.collect(), await right.collect()) == ([], [])


async def test_an_error_is_not_raised_again_by_a_copy_of_a_copy_that_raised_it() -> None:
    """It was told once there; the copies that had not come to it still get it."""
    first, second = Stream(Source(1, ValueError("broken"))).copy(2)
    with pytest.raises(ValueError, match="broken"):
        await first.collect()
    first, third = Stream(Source(1, ValueError("broken"))).copy(2)
    assert await anext(first) == 0
    with pytest.raises(ValueError, match="broken"):
        await anext(first)
    assert [await copy.collect() for copy in first.copy(2)] == [[], []]
    for copy in (second, third):
        with pytest.raises(ValueError, match="broken"):
            await copy.collect()


async def test_a_second_reader_of_one_copy_is_refused() -> None:
    """A copy is read by one task at a time."""
    gate = Gated()
    first, second = Stream(gate).copy(2)
    reader = asyncio.create_task(first.__anext__())
    await settle()
    with pytest.raises(StreamBusyError):
        await anext(first)
    gate.chunks.put_nowait(1)
    assert await reader == 1
    await first.aclose()
    await second.aclose()


async def test_the_source_runs_in_one_task_and_in_the_context_of_the_call() -> None:
    """A source may hold a timeout or a token across its chunks, whoever reads; no reader sees its variables."""
    tasks: set[Any] = set()

    async def chunks() -> AsyncIterator[str]:
        seen = variable.get()
        token = variable.set("source")
        async with asyncio.timeout(60):
            for _ in range(3):
                tasks.add(asyncio.current_task())
                await asyncio.sleep(0)
                yield seen
        variable.reset(token)

    outer = variable.set("caller")
    first, second = Stream(chunks()).copy(2)
    variable.reset(outer)
    got = [await asyncio.create_task(first.__anext__()), await second.__anext__(), await second.__anext__()]
    assert got == ["caller"] * 3
    assert variable.get() == "unset"
    assert await first.collect() == ["caller"] * 2
    await second.aclose()
    assert len(tasks) == 1


async def test_copies_that_are_dropped_close_the_source_and_warn_once_it_is_lost() -> None:
    """A finalizer stops the task; only the last copy of an unfinished source warns."""
    source = Source(9)
    first, second = Stream(source).copy(2)
    await anext(first)
    del first
    gc.collect()
    await settle()
    assert source.closed == 0
    with pytest.warns(ResourceWarning, match="half-read"):
        del second
    await settle()
    assert (source.closed, source.open, others()) == (1, 0, set())


async def test_a_failed_source_keeps_no_copy_alive() -> None:
    """The error's traceback leads to no stream that has ended."""
    first, second = Stream(Source(1, ValueError("broken"))).copy(2)
    assert await anext(first) == 0
    with pytest.raises(ValueError, match="broken"):
        await anext(first)
    gone = weakref.ref(first)
    gc.collect()
    gc.disable()
    try:
        del first
        assert gone() is None
    finally:
        gc.enable()
    await second.aclose()


async def test_another_loop_is_refused_and_changes_nothing() -> None:
    """Copies belong to the loop that read first."""
    first, second = Stream(Source(3)).copy(2)
    assert await anext(first) == 0
    assert await anext(second) == 0
    errors: list[BaseException] = []

    def read() -> None:
        async def main() -> None:
            await anext(second)

        try:
            asyncio.run(main())
        except StreamLoopError as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert len(errors) == 1
    assert await second.collect() == [1, 2]
    await first.aclose()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 1, "block"), "n of 1"), ((1, 0, "block"), "max_lag"), ((1, 1, "lose"), "drop_oldest")],
)
async def test_what_cannot_work_is_refused(arguments: tuple[int, int, Any], message: str) -> None:
    """The error names the value; the stream is as it was."""
    n, max_lag, overflow = arguments
    stream = Stream(Source(1))
    with pytest.raises(ValueError, match=message):
        stream.copy(n, max_lag=max_lag, overflow=overflow)
    assert await stream.collect() == [0]


async def grown_by(chunks: int) -> tuple[int, int]:
    """Return the bytes by which a never-read copy lets memory grow, and the chunks it dropped."""
    reader, stalled = from_iterable(range(chunks)).map(lambda i: f"chunk {i:>40}").copy(2)
    await anext(reader)
    tracemalloc.start()
    try:
        async for _ in reader:
            pass
        return tracemalloc.get_traced_memory()[1], stalled.dropped
    finally:
        tracemalloc.stop()
        await stalled.aclose()


def test_a_never_read_copy_costs_its_bound_and_no_more() -> None:
    """Memory does not grow with the stream."""
    grown, dropped = asyncio.run(grown_by(10_000), debug=False)
    assert grown < 1 << 19
    assert dropped == 10_000 - 1024


@pytest.mark.deep
def test_a_million_chunks_with_a_never_read_copy_grow_memory_by_less_than_16_mib() -> None:
    """Nor with a long one."""
    grown, dropped = asyncio.run(grown_by(1_000_000), debug=False)
    assert grown < 16 << 20
    assert dropped == 1_000_000 - 1024
