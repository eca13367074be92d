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
from collections.abc import AsyncGenerator, Callable, Coroutine
from queue import Empty, SimpleQueue
from typing import Any, NoReturn, TypeVar, final

from sideband.errors import DispatchTimeoutError, ServingClosedError, WrongThreadError
from sideband.runs import Run
from sideband.serving._batch import BatchOutput, HookEvent
from sideband.serving._call import Call
from sideband.serving._engine import Engine
from sideband.serving._grading import Grading
from sideband.serving._parts import Executed, Items

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

    __slots__ = ("_call", "_clock", "_engine", "_name", "_parts", "_timeout")

    def __init__(self, engine: Engine, call: Call, *, name: str, timeout: float | None) -> None:
        """Take the call; `submit` comes next."""
        self._engine = engine
        self._call = call
        self._name = name
        self._timeout = timeout
        self._parts: list[Items[Any]] = []
        self._clock: Callable[[], float] = time.monotonic

    @abstractmethod
    def _post(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function where the call is; called on the engine's loop."""

    @abstractmethod
    async def _news(self, deadline: float | None) -> None:
        """Wait until something was reported to the call; in seconds of the monotonic clock."""

    def _local(self) -> bool:
        return False

    def submit(self, values: list[Any], grading: Grading, priority: int) -> None:
        """Let the values wait.

        Raises:
            ServingClosedError: the serving is closing, or its loop is gone.
            QueueFullError: there is no room.
            Exception: what the serving's `key` or `cost` raised.
        """
        call, engine = self._call, self._engine
        remote = None if self._local() else _Remote(call, engine, self._post)
        try:
            parts = grading.parts(remote or call, values, engine.time())
            self._parts = parts
            for part in parts:
                part.priority = priority
                if self._timeout is not None and not call.streaming:
                    part.deadline = part.arrived + self._timeout
            if remote is None:
                engine.submit(parts)
            else:
                engine.submit_from_elsewhere(remote.taking(parts))
        except BaseException:
            self._leave()
            raise
        if call.run is not None:
            call.run.emit("queued", {"items": len(values), "waiting": engine.waiting})

    async def results(self) -> list[Any]:
        """Wait for all results, or for the first failure."""
        deadline = self._deadline()
        try:
            while not self._call.finished:
                await self._news(deadline)
            return self._call.outcome()
        finally:
            self._leave()

    async def events(self) -> AsyncGenerator[HookEvent | BatchOutput[Any], None]:
        """Yield what comes, in the order of the items; the timeout is for each wait."""
        call = self._call
        try:
            while True:
                while call.events:
                    yield call.events.popleft()
                if call.finished:
                    break
                await self._news(self._deadline())
            call.outcome()
        finally:
            self._leave()

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
        parts, self._parts = self._parts, []
        if succeeded:  # all of it was executed
            return
        if self._local():
            engine.withdraw(parts)
        else:
            engine.post(engine.withdraw, parts)


@final
class TaskRequest(Request):
    """A request that a task waits for, on the engine's loop or another one."""

    __slots__ = ("_future", "_loop")

    def __init__(self, engine: Engine, call: Call, *, name: str, timeout: float | None) -> None:
        """Belong to the running loop."""
        super().__init__(engine, call, name=name, timeout=timeout)
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._future: asyncio.Future[None] | None = None
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
            self._engine.withdraw(self._parts)
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

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


@final
class ThreadRequest(Request):
    """A request that a thread waits for; reports come into its inbox and are read by that thread."""

    __slots__ = ("_inbox",)

    def __init__(self, engine: Engine, call: Call, *, name: str, timeout: float | None) -> None:
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
        super().__init__(engine, call, name=name, timeout=timeout)
        # Bounded by the request: a few reports for each of its parts.
        self._inbox: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = SimpleQueue()

    def _post(self, function: Callable[..., None], *args: Any) -> None:
        self._inbox.put((function, args))

    async def _news(self, deadline: float | None) -> None:
        while True:
            try:
                function, args = self._inbox.get(timeout=self._patience(deadline))
            except Empty:
                self._check(deadline)
            else:
                function(*args)
                return


@final
class _Remote:
    """A call's receiver for an engine on another loop: it posts every report to where the call is."""

    __slots__ = ("_call", "_engine", "_parts", "_post", "listening", "run")

    def __init__(self, call: Call, engine: Engine, post: Callable[..., None]) -> None:
        self._call = call
        self._engine = engine
        self._post = post
        self._parts: list[Items[Any]] = []
        self.listening = call.listening
        self.run: Run | None = call.run

    def taking(self, parts: list[Items[Any]]) -> list[Items[Any]]:
        """Know the parts that are withdrawn when one of them fails."""
        self._parts = parts
        return parts

    def executing(self, part: Items[Any], execution: Executed) -> None:
        self._post(self._call.executing, part, execution)

    @property
    def finished(self) -> bool:
        return self._call.finished

    def event(self, part: Items[Any], attempt: int, name: str, payload: list[Any]) -> None:
        self._post(self._call.event, part, attempt, name, payload)

    def done(self, part: Items[Any], execution: Executed, own: list[Any]) -> None:
        if execution.exceptional and self._call.failure(own) is not None:
            self._engine.withdraw(self._parts)
        self._post(self._call.done, part, execution, own)

    def failed(self, error: BaseException) -> None:
        self._engine.withdraw(self._parts)
        self._post(self._call.failed, error)
