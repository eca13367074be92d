"""Copies for threads: independent readers over one ordinary iterator. May import errors.

1. Whoever has read all that it holds pulls, unless another reader is pulling: then it waits for that.
2. One thread pulls at a time, outside of the lock, in the copies' common context.
3. The source is closed once it has ended or no copy is left, by whoever leaves it idle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar, cast, final

from sideband.errors import StreamBusyError
from sideband.streams._fanout import Cursor, Fanout, Overflow, check_copies
from sideband.streams._sources import close_source_sync
from sideband.streams._sync_stream import SyncStream
from sideband.streams._waits import Guard, new_waiter, wake_thread

__all__ = ["SyncCopy", "copies"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class SyncCopy(SyncStream[T_co]):
    """One of several independent readers of a stream; made by `SyncStream.copy`."""

    __slots__ = ("_cursor",)

    def __init__(self, source: _CopySource[T_co]) -> None:
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


def copies(stream: SyncStream[T], n: int, max_lag: int, overflow: Overflow) -> tuple[SyncCopy[T], ...]:
    """Hand a stream over to copies; those of a copy share its source and begin where it stands."""
    check_copies(n, max_lag, overflow)
    source = stream._source
    if isinstance(source, _CopySource):
        return _copies_of_copy(stream, cast("_CopySource[T]", source), n, max_lag, overflow)
    shared: _Shared[T] = _Shared()
    shared.pull, shared.source = stream._hand_over(shared)
    return tuple(SyncCopy(_CopySource(shared, shared.fanout.attach(max_lag, overflow))) for _ in range(n))


def _copies_of_copy(
    stream: SyncStream[T], source: _CopySource[T], n: int, max_lag: int, overflow: Overflow
) -> tuple[SyncCopy[T], ...]:
    shared = source.shared
    heir = _Siblings(shared)
    stream._hand_over(heir)
    with shared.guard:
        heir.cursors = shared.fanout.replace(source.cursor, n, max_lag, overflow)
    return tuple(SyncCopy(_CopySource(shared, cursor)) for cursor in heir.cursors)


@final
class _Shared(Generic[T]):
    """One source, its copies' places, and who is pulling it."""

    __slots__ = ("_begun", "_context", "fanout", "guard", "pull", "puller", "source")

    def __init__(self) -> None:
        """Remember the context; the source is handed over next."""
        self._begun = False
        self._context = copy_context()
        self.fanout: Fanout[T, threading.Lock] = Fanout(wake_thread)
        self.guard: Guard = Guard()
        self.pull: Callable[[], T]
        self.puller: int | None = None
        self.source: Any = None

    def pull_one(self) -> None:
        """Pull for all; `puller` is this thread already."""
        self._begun = True
        error: BaseException | None = None
        chunks: list[T] = []
        try:
            chunks.append(self._context.run(self.pull))
        except StopIteration:
            pass
        except BaseException as caught:  # noqa: BLE001 - it reaches the readers as it would have without copies
            error = caught
        with self.guard:
            self.puller = None
            for chunk in chunks:
                self.fanout.publish(chunk)
            if not chunks:
                self.fanout.end(error)
        del error  # whose traceback refers to this frame
        self.close_if_over()

    def leave(self, cursor: Cursor[T, threading.Lock]) -> None:
        """Close one copy, and end the source with the last one; under the guard."""
        if cursor.open:
            self.fanout.detach(cursor)
            if not self.fanout.cursors:
                self.fanout.end()

    def close_if_over(self) -> None:
        """Close the source once it has ended and nobody is pulling it."""
        if not self.fanout.ended:
            return
        with self.guard:
            if self.puller is not None:
                return
            source, self.source = self.source, None
        self._context.run(close_source_sync, source)

    def close(self) -> None:
        """Close the source for all copies; they still give what they hold."""
        with self.guard:
            self.fanout.end()
        self.close_if_over()

    @property
    def unfinished(self) -> bool:
        """Whether the source was begun and has not ended."""
        return self._begun and not self.fanout.ended


@final
class _CopySource(Iterator[T]):
    """What a copy pulls: its own place among what the shared source gave."""

    __slots__ = ("cursor", "shared")

    def __init__(self, shared: _Shared[T], cursor: Cursor[T, threading.Lock]) -> None:
        """Stand at a place."""
        self.cursor: Cursor[T, threading.Lock] = cursor
        self.shared: _Shared[T] = shared

    def __next__(self) -> T:
        """Return the next chunk held; else pull one, or wait for the thread that does."""
        shared, cursor = self.shared, self.cursor
        while True:
            with shared.guard:
                buffer = cursor.buffer
                if buffer:
                    chunk = buffer.popleft()
                    if cursor.blocks and len(buffer) == cursor.max_lag - 1:
                        shared.fanout.wake_all()
                    return chunk
                waiter = self._turn()
            if waiter is None:
                shared.pull_one()
            else:
                self._wait(waiter)

    def _turn(self) -> threading.Lock | None:
        """Make this thread the one that pulls (None), or return what it is to wait with; under the guard."""
        shared, cursor, me = self.shared, self.cursor, threading.get_ident()
        if shared.fanout.ended or not cursor.open:
            shared.fanout.tell_error(cursor)
            raise StopIteration
        if shared.puller == me:
            raise StreamBusyError(self)
        if shared.puller is None and not shared.fanout.blocked():
            shared.puller = me
            return None
        cursor.waiter = waiter = new_waiter()
        return waiter

    def _wait(self, waiter: threading.Lock) -> None:
        try:
            waiter.acquire()
        except BaseException:
            with self.shared.guard:
                self.cursor.waiter = None
            raise

    def close(self) -> None:
        """Close this copy, and the source with the last one."""
        with self.shared.guard:
            self.shared.leave(self.cursor)
        self.shared.close_if_over()

    def abandon(self, _begun: bool) -> bool:
        """Close this copy without waiting; tell whether it was the last one of an unfinished source."""
        shared = self.shared
        lost = shared.unfinished and shared.fanout.cursors == (self.cursor,)
        shared.guard.leave(partial(shared.leave, self.cursor))
        return lost


@final
class _Siblings(Generic[T]):
    """The copies that took a copy over; closing that one closes them."""

    __slots__ = ("_shared", "cursors")

    def __init__(self, shared: _Shared[T]) -> None:
        self._shared = shared
        self.cursors: list[Cursor[T, threading.Lock]] = []

    def close(self) -> None:
        with self._shared.guard:
            for cursor in self.cursors:
                self._shared.leave(cursor)
        self._shared.close_if_over()
