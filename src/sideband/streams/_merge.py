"""Many streams as one, in order of arrival. May import errors.

1. Each source is pulled by a task of its own, from the first pull of the merged stream on; the tasks
   meet the reader at a pipe of capacity 0, so each holds at most one chunk ahead of it.
2. A task closes its source as its last act, and the last one ends the pipe.
3. An error ends the pipe at once: chunks that had arrived are still given, then the other sources are
   closed, then the error is raised.
4. The merged stream ends, fails or is closed only after all its tasks have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextvars import copy_context
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, final

from sideband.errors import StreamError
from sideband.streams._pipe import Link
from sideband.streams._sources import close_source, iterator_of
from sideband.streams._stream import Stream
from sideband.streams._waits import abandon_on, raise_all, settled

__all__ = ["LATE", "Named", "NamedChunk", "SourceEnded", "merge", "merge_named"]

T = TypeVar("T")

LATE = "a merged source failed while another one's error was on its way"

_logger = logging.getLogger("sideband")


class NamedChunk(NamedTuple, Generic[T]):
    """A chunk, and the name of the source that gave it."""

    source: str
    chunk: T


class SourceEnded(NamedTuple):
    """A source gave its last chunk; comes once for each, the empty ones included."""

    source: str


Named: TypeAlias = NamedChunk[T] | SourceEnded
"""What a merge of named streams gives."""


@final
class _Source(NamedTuple):
    """One of the streams that are merged."""

    name: str | None
    pull: Callable[[], Awaitable[Any]]
    iterator: Any


@final
class MergeSource(AsyncIterator[Any]):
    """What a merged stream pulls, and the tasks that pull for it."""

    __slots__ = ("_active", "_context", "_late", "_link", "_pulling", "_sources", "_tasks")

    def __init__(self) -> None:
        """Remember the context; the sources are added next."""
        self._active = 0
        self._context = copy_context()
        self._late: list[BaseException] = []
        self._link: Link[Any] = Link(0)
        self._pulling: set[int] = set()
        self._sources: list[_Source] = []
        self._tasks: list[asyncio.Task[None]] | None = None

    def add(self, stream: AsyncIterable[Any], name: str | None) -> None:
        """Take a source over."""
        if isinstance(stream, Stream):
            pull, iterator = stream._hand_over(self)
        else:
            iterator = iterator_of(stream)
            pull = iterator.__anext__
        self._sources.append(_Source(name, pull, iterator))

    async def __anext__(self) -> Any:
        """Return the chunk that has waited longest, or wait for one."""
        if self._tasks is None:
            self._start()
        link = self._link
        if link.channel.ready or await link.wait_ready():
            return link.channel.take()
        await self._stopped()
        late, self._late = self._late, []
        for error in late:
            _logger.error(LATE, exc_info=error)
        link.channel.tell_error()
        raise StopAsyncIteration

    def _start(self) -> None:
        loop = self._link.bind()
        self._active = len(self._sources)
        self._tasks = []
        for index, source in enumerate(self._sources):
            self._tasks.append(loop.create_task(self._pump(index, source), context=self._context.copy()))
        if not self._sources:
            self._link.channel.end()

    async def _pump(self, index: int, source: _Source) -> None:
        channel, send = self._link.channel, self._link.send
        name, pull, iterator = source
        self._pulling.add(index)
        try:
            while not channel.over:
                chunk = await pull()
                await send(chunk if name is None else NamedChunk(name, chunk))
        except StopAsyncIteration:
            pass
        except BaseException as caught:  # noqa: BLE001 - it is the reader's; a task's own would reach nobody
            self._failed(caught)
        self._pulling.discard(index)
        try:
            await close_source(iterator)
            if name is not None and not channel.over:
                await send(SourceEnded(name))
        except BaseException as caught:  # noqa: BLE001 - as above
            self._failed(caught)
        self._ended()

    def _ended(self) -> None:
        """Count a source that has ended or failed; the last one ends the stream."""
        self._active -= 1
        if not self._active:
            self._link.channel.end()

    def _failed(self, error: BaseException) -> None:
        """End the stream with the first error; our own stopping of the others is none."""
        if not self._link.channel.over:
            self._link.channel.end(error)
        elif not isinstance(error, asyncio.CancelledError | StreamError):
            self._late.append(error)

    def _stop(self) -> None:
        # A task that has not begun, or is closing its source already, is left to do so.
        for index in self._pulling:
            if self._tasks is not None:
                self._tasks[index].cancel()

    async def _stopped(self) -> None:
        self._stop()
        await settled(self._tasks or ())

    async def aclose(self) -> None:
        """Close all sources, and wait until they are."""
        self._link.channel.close_reader()
        if self._tasks is None:
            self._tasks = []
            for source in self._sources:
                try:
                    await close_source(source.iterator)
                except Exception as error:  # noqa: BLE001 - raised below, once the other sources are closed
                    self._late.append(error)
        await self._stopped()
        late, self._late = self._late, []
        raise_all(late)

    def abandon(self, _begun: bool) -> bool:
        """Stop the tasks from wherever the stream was dropped; tell whether there were any."""
        lost = bool(self._tasks) and not self._link.channel.over
        abandon_on(self._link.loop, self._give_up)
        return lost

    def _give_up(self) -> None:
        self._link.channel.close_reader()
        self._stop()


def merge(*streams: AsyncIterable[T]) -> Stream[T]:
    """Return one stream of what several give, in order of arrival.

    Order: each source's own is kept.
    Errors: the first source that fails ends the merged stream: chunks that had arrived are given, the
        other sources are closed, then that very error is raised.
    Cancellation: a reader that is cancelled loses nothing.
    Closing: closes all sources. No task outlives the merged stream's end, error or closing.
    Read-ahead: one chunk of each source, from the first pull on.
    Context: each source runs in a task of its own, in a copy of the context of this call.
    Cost: about 5 µs a chunk (3.7 on uvloop).
    """
    source = MergeSource()
    for stream in streams:
        source.add(stream, None)
    return Stream(source)


def merge_named(**streams: AsyncIterable[T]) -> Stream[Named[T]]:
    """Merge as `merge` does, and say of each chunk where it comes from, and of each source that it ended.

        async for item in merge_named(left=a, right=b):
            match item:
                case NamedChunk("left", chunk): ...
                case SourceEnded(source): ...

    A source's `SourceEnded` is the last that comes of it; it is closed by then.
    """
    source = MergeSource()
    for name, stream in streams.items():
        source.add(stream, name)
    return Stream(source)
