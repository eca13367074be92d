"""The copies of a stream that handlers read: fed by whoever pulls it, never pulling themselves.

1. A handler that deals with streams is called with a copy of its own, and nobody waits for it.
2. What an asynchronous method does with its copy is a task, which the end of the run waits for.
3. Chunks are published as they are pulled; a full copy drops, by its handler's policy, and counts.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar, cast, final

from sideband.errors import StreamDeadlockError
from sideband.handlers._plan import Call, report, skip_async
from sideband.observe._lifecycle import Streams, task_in
from sideband.runs import Run
from sideband.streams import Copy, SyncCopy
from sideband.streams._fanout import Cursor, Fanout
from sideband.streams._waits import Guard, new_waiter, wake_thread

__all__ = ["Feed", "Following", "follow"]

T = TypeVar("T")


_following: set[asyncio.Task[Any]] = set()
"""Tasks of handlers that the loop alone would let the garbage collector have."""


@final
class Following:
    """The tasks in which a run's handlers read their copies."""

    __slots__ = ("_run", "_tasks")

    def __init__(self, run: Run) -> None:
        """Start without a task."""
        self._run = run
        self._tasks: dict[asyncio.Task[Any], tuple[Call, str]] = {}

    def add(self, awaitable: Any, call: Call, timing: str) -> None:
        """Let what a handler's method gave run, in a copy of the run's private context."""
        task = task_in(copy_context(), awaitable)
        _following.add(task)
        self._tasks[task] = (call, timing)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        _following.discard(task)
        call, timing = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        # A handler may let the stream's own error through, which is no failure of its own.
        if error is not None and error is not self._run.error:
            report(self._run, call, timing, error)

    def pending(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that are not done."""
        return {task for task in self._tasks if not task.done()}


def follow(run: Run) -> Following:
    """Return where the tasks of a run's handlers are kept; the end of the run waits for them."""
    streams = Streams.of(run)
    if streams.readers is None:
        streams.readers = Following(run)
    return cast("Following", streams.readers)


@final
class Feed(Generic[T]):
    """Where one stream of a run is published to the handlers that asked for copies of it."""

    __slots__ = ("_asynchronous", "_fanout", "_following", "_guard", "_timing", "given")

    def __init__(self, timing: str, following: Following | None) -> None:
        """Start without copies; without `following` the run is synchronous, and so are the copies."""
        self._timing = timing
        self._following = following
        self._guard = Guard()
        self._fanout: Fanout[T, Any] = Fanout(_wake_anywhere if following is not None else wake_thread)
        self.given: set[int] = set()
        """The places in the plan of those who have a copy."""

    def giving(self, call: Call) -> Call:
        """Return a call that gives a copy to the handler, whatever its payload."""
        return Call(partial(self._give, call), call.handler, call.place)

    def _give(self, call: Call, run: Run, _payload: Any) -> None:
        with self._guard:
            cursor = self._fanout.attach(call.handler.max_lag, call.handler.overflow)
        source: Any = (_FedSyncSource if self._following is None else _FedSource)(self, cursor)
        self.given.add(call.place)
        result = call.method(run, SyncCopy(source) if self._following is None else Copy(source))
        if result is None:
            return
        if self._following is not None and inspect.isawaitable(result):
            self._following.add(result, call, self._timing)
        else:
            self.given.discard(call.place)
            self.leave(cursor)
            skip_async(result, call.handler, self._timing)

    def publish(self, chunk: T) -> None:
        """Give every copy one chunk."""
        with self._guard:
            self._fanout.publish(chunk)

    def end(self, error: BaseException | None = None) -> None:
        """End every copy, behind what it holds. Works once."""
        with self._guard:
            self._fanout.end(error)

    def leave(self, cursor: Cursor[T, Any]) -> None:
        """Take a copy out that nobody reads any more; from any thread, or a finalizer."""
        self._guard.leave(partial(self._detach, cursor))

    def _detach(self, cursor: Cursor[T, Any]) -> None:
        if cursor.open:
            self._fanout.detach(cursor)

    def take(self, cursor: Cursor[T, Any], wait: Callable[[], Any]) -> tuple[bool, Any]:
        """Return whether there is a chunk, and the chunk; or what the reader is to wait with.

        Raises:
            StopIteration: the stream is over, and the copy empty.
            BaseException: the error with which it ended, once.
        """
        with self._guard:
            if cursor.buffer:
                return True, cursor.buffer.popleft()
            if self._fanout.ended or not cursor.open:
                self._fanout.tell_error(cursor)
                raise StopIteration
            cursor.waiter = wait()
            return False, cursor.waiter


def _wake_anywhere(waiter: asyncio.Future[None]) -> None:
    loop = waiter.get_loop()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    if asyncio._get_running_loop() is loop:
        wake()
    elif not loop.is_closed():
        loop.call_soon_threadsafe(wake)


@final
class _FedSource(AsyncIterator[T]):
    """A handler's place in a stream that others pull, on an event loop."""

    __slots__ = ("_feed", "cursor")

    def __init__(self, feed: Feed[T], cursor: Cursor[T, asyncio.Future[None]]) -> None:
        self._feed = feed
        self.cursor = cursor

    async def __anext__(self) -> T:
        while True:
            try:
                found, value = self._feed.take(self.cursor, asyncio.get_running_loop().create_future)
            except StopIteration:
                raise StopAsyncIteration from None
            if found:
                return cast("T", value)
            try:
                await value
            finally:
                self.cursor.waiter = None

    async def aclose(self) -> None:
        self._feed.leave(self.cursor)

    def abandon(self, _begun: bool) -> bool:
        """Give the copy up; nobody loses anything by that."""
        self._feed.leave(self.cursor)
        return False


@final
class _FedSyncSource(Iterator[T]):
    """A handler's place in a stream that others pull, for a thread."""

    __slots__ = ("_feed", "_puller", "cursor")

    def __init__(self, feed: Feed[T], cursor: Cursor[T, threading.Lock]) -> None:
        self._feed = feed
        self._puller = threading.get_ident()
        self.cursor = cursor

    def __next__(self) -> T:
        while True:
            found, value = self._feed.take(self.cursor, new_waiter)
            if found:
                return cast("T", value)
            if threading.get_ident() == self._puller:
                self.cursor.waiter = None
                raise StreamDeadlockError
            value.acquire()

    def close(self) -> None:
        self._feed.leave(self.cursor)

    def abandon(self, _begun: bool) -> bool:
        """Give the copy up; nobody loses anything by that."""
        self._feed.leave(self.cursor)
        return False
