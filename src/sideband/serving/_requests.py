"""How a caller waits for a request: on the engine's loop, on another loop, in a thread, or by itself.

1. A request submits the parts of a `Call`, waits until the call has news, and withdraws what is left
   when it stops waiting, for whatever reason. What the news mean is the call's business.
2. The logic is written once, as coroutines. In a thread `_news` blocks and never suspends, so that
   `drive` can run these coroutines without an event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from queue import Empty, SimpleQueue
from typing import Any, NoReturn, TypeVar, final

from sideband.errors import DispatchTimeoutError, ServingClosedError, ServingError, WrongThreadError
from sideband.serving._batch import BatchOutput, HookEvent
from sideband.serving._call import Call
from sideband.serving._engine import Engine
from sideband.serving._feeding import Feeding
from sideband.serving._grading import Grading
from sideband.serving._parts import Items, Receiver
from sideband.serving._remote import Remote

__all__ = ["Request", "TaskRequest", "ThreadRequest", "drive"]

R = TypeVar("R")

_LOOP_CHECK = 1.0
"""Seconds between two looks of a waiting thread at whether the serving's loop still exists."""


def drive(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine that never suspends, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: R = stop.value
        return result
    coroutine.close()
    msg = f"{coroutine!r} suspended in a synchronous call"
    raise RuntimeError(msg)


class Request(ABC):
    """A caller's wait for its call."""

    __slots__ = (
        "_call", "_clock", "_engine", "_expires", "_feeding", "_grading", "_name", "_parts", "_priority", "_receiver",
        "_timeout",
    )  # fmt: skip

    def __init__(
        self, engine: Engine, call: Call, grading: Grading, *, name: str, timeout: float | None, priority: int
    ) -> None:
        """Take the call; `submit` or `feed` comes next."""
        self._engine = engine
        self._call = call
        self._grading = grading
        self._name = name
        self._timeout = timeout
        self._priority = priority
        # What was submitted, but for what is settled; and its deadline, by the clock of the engine.
        self._parts: deque[Items[Any]] = deque()
        self._expires = None if timeout is None or call.streaming else engine.time() + timeout
        self._feeding: Feeding | None = None
        self._clock: Callable[[], float] = time.monotonic
        self._receiver: Receiver = call if self._local() else Remote(call, engine, self._post, self._parts)

    @abstractmethod
    def _post(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function where the call is; called on the engine's loop."""

    @abstractmethod
    async def _news(self, deadline: float | None) -> None:
        """Wait until something was reported to the call; in seconds of the monotonic clock."""

    @abstractmethod
    def _local(self) -> bool:
        """Tell whether the caller is on the engine's loop."""

    def submit(self, values: list[Any]) -> None:
        """Let the values wait.

        Raises:
            ServingClosedError: the serving is closing, or its loop is gone.
            QueueFullError: there is no room.
            Exception: what the serving's `key` or `cost` raised.
        """
        try:
            self._offer(values, 0, wait=False)
        except BaseException:
            self._leave()
            raise

    def feed(self, feeding: Feeding) -> None:
        """Read values while waiting for results, and let them wait as there is room."""
        self._feeding = feeding

    def _offer(self, values: list[Any], base: int, *, wait: bool) -> None:
        call, engine = self._call, self._engine
        parts = self._grading.parts(self._receiver, values, engine.time(), base)
        for part in parts:
            part.priority = self._priority
            if self._expires is not None:
                part.deadline = self._expires
        self._parts.extend(parts)
        if self._local():
            engine.submit(parts, wait=wait)
        else:
            engine.submit_from_elsewhere(parts, wait=wait)
        if call.run is not None:
            call.run.emit("queued", {"items": len(values), "waiting": engine.waiting})

    async def results(self) -> list[Any]:
        """Wait for all results, or for the first failure."""
        call, feeding, deadline = self._call, self._feeding, self._deadline()
        if feeding is not None:
            self._begin(feeding)
        try:
            while not call.finished:
                if feeding is not None and self._read_on(feeding):
                    self._glance(deadline)
                else:
                    await self._news(deadline)
            return call.outcome()
        finally:
            try:
                if feeding is not None:
                    await self._stop_reading(feeding)
            finally:
                self._leave()

    async def events(self) -> AsyncGenerator[HookEvent | BatchOutput[Any], None]:
        """Yield what comes, in the order of the items; the timeout is for each wait."""
        call, feeding = self._call, self._feeding
        if feeding is not None:
            self._begin(feeding)
        try:
            while True:
                while call.events:
                    event = call.next_event()
                    self._settled()
                    yield event
                if call.finished:
                    break
                if feeding is not None and self._read_on(feeding):
                    self._glance(None)
                else:
                    await self._news(self._deadline())
            call.outcome()
        finally:
            try:
                if feeding is not None:
                    await self._stop_reading(feeding)
            finally:
                self._leave()

    # -- reading -------------------------------------------------------------------------------

    def _begin(self, feeding: Feeding) -> None:  # noqa: B027 - there is nothing to begin where nothing can be waited for
        """Begin to read a source that has to be waited for."""

    def _settled(self) -> None:  # noqa: B027 - likewise
        """Know that there may be room to read on."""

    def _glance(self, deadline: float | None) -> None:
        """Look whether something was reported, without waiting."""
        self._check(deadline)

    def _room(self, feeding: Feeding) -> int:
        call, parts = self._call, self._parts
        while parts and parts[0].start + parts[0].size <= call.settled:
            parts.popleft()
        return feeding.window - (call.size - call.settled)

    def _read_on(self, feeding: Feeding) -> bool:
        """Read on if there is room, unless it has to be waited for; tell whether that was done."""
        if feeding.asynchronous or feeding.ended:
            return False
        room = self._room(feeding)
        if room > 0:
            self._take(feeding.next(room), feeding)
        return room > 0

    def _take(self, items: list[Any], feeding: Feeding) -> None:
        call = self._call
        if feeding.ended:
            call.complete()
        elif items:
            base = call.size
            call.expect(len(items))
            self._offer(items, base, wait=True)

    async def _stop_reading(self, feeding: Feeding) -> None:
        """Close the source."""
        await feeding.aclose()

    # -- waiting -------------------------------------------------------------------------------

    def _deadline(self) -> float | None:
        return None if self._timeout is None else self._clock() + self._timeout

    def _patience(self, deadline: float | None) -> float:
        """Return how many seconds to wait before `_check`."""
        return _LOOP_CHECK if deadline is None else max(0.0, min(_LOOP_CHECK, deadline - self._clock()))

    def _check(self, deadline: float | None) -> None:
        """Refuse to wait on for what cannot come, or comes too late."""
        if self._engine.loop.is_closed():
            raise ServingClosedError(self._name, "its event loop was closed under it")
        if deadline is not None and self._clock() >= deadline:
            self._too_late()

    def _too_late(self) -> NoReturn:
        raise DispatchTimeoutError(self._name, self._timeout or 0.0) from None

    def _leave(self) -> None:
        call, engine = self._call, self._engine
        succeeded = call.finished and call.error is None
        call.leave()
        if not succeeded:  # else all of it was executed
            parts = list(self._parts)
            if self._local():
                engine.withdraw(parts)
            else:
                engine.post(engine.withdraw, parts)
        self._parts.clear()


@final
class TaskRequest(Request):
    """A request that a task waits for, on the engine's loop or another one.

    An asynchronous source is read by a task of its own, which also closes it.
    """

    __slots__ = ("_future", "_loop", "_reader", "_reading")

    def __init__(
        self, engine: Engine, call: Call, grading: Grading, *, name: str, timeout: float | None, priority: int
    ) -> None:
        """Belong to the running loop."""
        self._loop = asyncio.get_running_loop()
        super().__init__(engine, call, grading, name=name, timeout=timeout, priority=priority)
        self._clock = self._loop.time
        self._future: asyncio.Future[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._reading: asyncio.Future[None] | None = None  # for what the reader waits until there is room
        call.notify = self._wake

    def _local(self) -> bool:
        return self._engine.loop is self._loop

    def _post(self, function: Callable[..., None], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the caller's loop is closed, and nobody waits any more
            return

    def _wake(self) -> None:
        if self._call.error is not None and self._local():
            # At once: until its caller has its turn, more of it might be executed.
            self._engine.withdraw(list(self._parts))
        if self._future is not None and not self._future.done():
            self._future.set_result(None)
        self._settled()

    def _settled(self) -> None:
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(None)

    def _begin(self, feeding: Feeding) -> None:
        if feeding.asynchronous:
            self._reader = self._loop.create_task(self._read(feeding))

    async def _read(self, feeding: Feeding) -> None:
        try:
            while not feeding.ended:
                if self._room(feeding) > 0:
                    self._take(await feeding.next_async(), feeding)
                else:
                    self._reading = self._loop.create_future()
                    await self._reading
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._call.failed(_source_cancelled(self._name, error))
        except BaseException as error:
            self._call.failed(error)
            if not isinstance(error, Exception):
                raise
        finally:
            await feeding.aclose()

    async def _stop_reading(self, feeding: Feeding) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            if not reader.done():
                reader.cancel()
                await asyncio.wait((reader,))
            if not reader.cancelled():
                reader.result()
        await feeding.aclose()

    async def _news(self, deadline: float | None) -> None:
        self._future = future = self._loop.create_future()
        if not self._local():
            while not future.done():
                await asyncio.wait((future,), timeout=self._patience(deadline))
                if not future.done():
                    self._check(deadline)
        elif deadline is None:
            await future
        else:
            try:
                async with asyncio.timeout(deadline - self._clock()):
                    await future
            except TimeoutError:
                self._too_late()


def _source_cancelled(name: str, error: BaseException) -> ServingError:
    """Make an error of a cancellation that nobody asked for: to the caller it is a failure."""
    failure = ServingError(name, "the source of the values was cancelled")
    failure.__cause__ = error
    return failure


@final
class ThreadRequest(Request):
    """A request that a thread waits for; reports come into its inbox and are read by that thread."""

    __slots__ = ("_inbox",)

    def __init__(
        self, engine: Engine, call: Call, grading: Grading, *, name: str, timeout: float | None, priority: int
    ) -> None:
        """Belong to the calling thread.

        Raises:
            WrongThreadError: it is the thread of the engine's loop, which would wait for itself.
        """
        if engine.thread == threading.get_ident() and not engine.loop.is_closed():
            raise WrongThreadError(
                name,
                "a synchronous call on the thread of its own event loop would wait for itself; "
                "await the method without _sync, or call from another thread",
            )
        super().__init__(engine, call, grading, name=name, timeout=timeout, priority=priority)
        # Bounded by the request: a few reports for each of its parts.
        self._inbox: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = SimpleQueue()

    def _local(self) -> bool:
        return False

    def _post(self, function: Callable[..., None], *args: Any) -> None:
        self._inbox.put((function, args))

    def _glance(self, deadline: float | None) -> None:
        self._check(deadline)
        while not self._inbox.empty():
            function, args = self._inbox.get()
            function(*args)

    async def _news(self, deadline: float | None) -> None:
        while True:
            try:
                function, args = self._inbox.get(timeout=self._patience(deadline))
            except Empty:
                self._check(deadline)
            else:
                function(*args)
                return
