"""Copies: independent readers over one source, which a task of its own pulls for them. May import errors.

1. The task begins with the first reader that has to wait, and pulls when one waits, never ahead.
2. A reader waits for a future of its own, never for the source: its cancellation harms no pull.
3. The task ends with the source, or when no copy is left, and closes the source as its last act.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar, cast, final

from sideband.errors import StreamLoopError
from sideband.streams._fanout import Cursor, Fanout, Overflow, check_copies
from sideband.streams._sources import close_source
from sideband.streams._stream import Stream
from sideband.streams._waits import abandon_on, settled, wake_future

__all__ = ["Copy", "copies"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Copy(Stream[T_co]):
    """One of several independent readers of a stream; made by `Stream.copy`."""

    __slots__ = ("_cursor",)

    def __init__(self, source: CopySource[T_co]) -> None:
        """Stand on a place among a source's chunks."""
        super().__init__(source)
        self._cursor = source.cursor

    @property
    def dropped(self) -> int:
        """Chunks that this copy did not see, because it held `max_lag` of them."""
        return self._cursor.dropped

    @property
    def pending(self) -> int:
        """Chunks that wait in this copy to be read."""
        return len(self._cursor.buffer)


def copies(stream: Stream[T], n: int, max_lag: int, overflow: Overflow) -> tuple[Copy[T], ...]:
    """Hand a stream over to copies; those of a copy share its source and begin where it stands."""
    check_copies(n, max_lag, overflow)
    source = stream._source
    if isinstance(source, CopySource):
        return _copies_of_copy(stream, cast("CopySource[T]", source), n, max_lag, overflow)
    shared: Shared[T] = Shared()
    shared.pull, shared.source = stream._hand_over(shared)
    return tuple(Copy(CopySource(shared, shared.fanout.attach(max_lag, overflow))) for _ in range(n))


def _copies_of_copy(
    stream: Stream[T], source: CopySource[T], n: int, max_lag: int, overflow: Overflow
) -> tuple[Copy[T], ...]:
    shared = source.shared
    heir = _Siblings(shared)
    stream._hand_over(heir)
    heir.cursors = shared.fanout.replace(source.cursor, n, max_lag, overflow)
    return tuple(Copy(CopySource(shared, cursor)) for cursor in heir.cursors)


@final
class Shared(Generic[T]):
    """One source, its copies' places, and the task that pulls it."""

    __slots__ = ("_context", "_idle", "_pulling", "_task", "fanout", "loop", "pull", "source")

    def __init__(self) -> None:
        """Remember the context; the source is handed over next."""
        self._context = copy_context()
        self._idle: asyncio.Future[None] | None = None
        self._pulling = False
        self._task: asyncio.Task[None] | None = None
        self.fanout: Fanout[T, asyncio.Future[None]] = Fanout(wake_future)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.pull: Callable[[], Awaitable[T]]
        self.source: Any = None

    def request(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the task look whether it is to pull."""
        idle = self._idle
        if idle is not None:
            self._idle = None
            wake_future(idle)
        elif self._task is None:
            self.loop = loop
            self._task = loop.create_task(self._serve(), context=self._context)

    async def _serve(self) -> None:
        fanout, pull, loop = self.fanout, self.pull, asyncio.get_running_loop()
        error: BaseException | None = None
        try:
            while fanout.cursors and not fanout.ended:
                if fanout.wanted():
                    self._pulling = True
                    chunk = await pull()
                    self._pulling = False
                    fanout.publish(chunk)
                else:
                    self._idle = idle = loop.create_future()
                    await idle
        except StopAsyncIteration:
            pass
        except BaseException as caught:  # noqa: BLE001 - it reaches the readers as it would have without copies
            error = caught
        self._pulling = False
        fanout.end(error)
        del error  # whose traceback refers to this frame
        await close_source(self.source)

    def leave(self, cursor: Cursor[T, asyncio.Future[None]]) -> bool:
        """Close one copy, and end the source with the last one; tell whether it was that."""
        if not cursor.open:
            return False
        self.fanout.detach(cursor)
        if self.fanout.cursors:
            return False
        self.stop()
        return True

    def stop(self) -> None:
        """End the source where it stands, without waiting for it."""
        if self.fanout.ended:
            return
        self.fanout.end()
        if self._pulling and self._task is not None:
            self._task.cancel()
        elif self._idle is not None:
            wake_future(self._idle)

    async def close(self) -> None:
        """Wait until the source is closed."""
        if self._task is None:
            source, self.source = self.source, None
            await close_source(source)
        else:
            await settled((self._task,))

    async def aclose(self) -> None:
        """Close the source for all copies; they still give what they hold."""
        self.stop()
        await self.close()

    @property
    def unfinished(self) -> bool:
        """Whether the source was begun and has not ended."""
        return self._task is not None and not self.fanout.ended


@final
class CopySource(AsyncIterator[T]):
    """What a copy pulls: its own place among what the shared source gave."""

    __slots__ = ("cursor", "shared")

    def __init__(self, shared: Shared[T], cursor: Cursor[T, asyncio.Future[None]]) -> None:
        """Stand at a place."""
        self.cursor: Cursor[T, asyncio.Future[None]] = cursor
        self.shared: Shared[T] = shared

    async def __anext__(self) -> T:
        """Return the next chunk held, or wait until the source's task has pulled one."""
        cursor = self.cursor
        buffer = cursor.buffer
        while not buffer:
            shared = self.shared
            if shared.fanout.ended or not cursor.open:
                shared.fanout.tell_error(cursor)
                raise StopAsyncIteration
            loop = asyncio.get_running_loop()
            if shared.loop is not loop and shared.loop is not None:
                raise StreamLoopError(self)
            cursor.waiter = waiter = loop.create_future()
            shared.request(loop)
            try:
                await waiter
            finally:
                cursor.waiter = None
        chunk = buffer.popleft()
        if cursor.blocks and len(buffer) == cursor.max_lag - 1:
            self.shared.fanout.wake_all()
        return chunk

    async def aclose(self) -> None:
        """Close this copy, and the source with the last one."""
        if self.shared.leave(self.cursor):
            await self.shared.close()

    def abandon(self, _begun: bool) -> bool:
        """Close this copy without waiting; tell whether it was the last one of an unfinished source."""
        shared = self.shared
        lost = shared.unfinished and shared.fanout.cursors == (self.cursor,)
        abandon_on(shared.loop, partial(shared.leave, self.cursor))
        return lost


@final
class _Siblings(Generic[T]):
    """The copies that took a copy over; closing that one closes them."""

    __slots__ = ("_shared", "cursors")

    def __init__(self, shared: Shared[T]) -> None:
        self._shared = shared
        self.cursors: list[Cursor[T, asyncio.Future[None]]] = []

    async def aclose(self) -> None:
        last = [self._shared.leave(cursor) for cursor in self.cursors]
        if any(last):
            await self._shared.close()
