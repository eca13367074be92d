"""The worker of a background handler: one thread that calls what a queue holds. May import errors and runs.

1. Whoever offers an event never waits for the gate around the queue: it leaves the event to the gate's
   holder. So an event may come from a finalizer, inside of any call, and from an event loop.
2. The thread is started by the first event, and ends when the handler is closed or nobody holds it any more.
3. All waits but the idle worker's have a limit.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from types import TracebackType
from typing import Any, NamedTuple, cast, final

from sideband.handlers._exit import process_end
from sideband.handlers._plan import Call, report
from sideband.handlers._queue import BoundedQueue, Entry, Mark, Overflow, Sort, Track

__all__ = ["Delivery", "Event", "Settings"]

_logger = logging.getLogger("sideband")


@final
class Settings(NamedTuple):
    """What a background handler is limited by."""

    max_events: int
    max_bytes: int
    overflow: Overflow
    block_timeout: float
    close_timeout: float


@final
class Event(Entry):
    """One call of a handler's method, for later."""

    __slots__ = ("args", "call", "context", "timing")

    def __init__(
        self,
        call: Call,
        timing: str,
        args: tuple[Any, ...],
        context: Context,
        *,
        sort: Sort,
        size: int,
        track: Track | None,
    ) -> None:
        """Hold the method, its arguments (the run first), and the context to call it in."""
        # Written out, without the call of `super().__init__`: this is felt at each event.
        self.sort = sort
        self.size = size
        self.track = track
        self.number = 0
        self.call = call
        self.timing = timing
        self.args = args
        self.context = context


def _new_waiter() -> threading.Lock:
    waiter = threading.Lock()
    waiter.acquire()
    return waiter


@final
class _Gate:
    """A lock around a queue, the inbox of those who do not wait for it, and the idle worker behind it."""

    __slots__ = ("_idle", "_inbox", "_lock", "_queue", "ending", "is_mine")

    def __init__(self, queue: BoundedQueue[Event]) -> None:
        """Start free."""
        self._queue = queue
        # Reentrant only so that a finalizer inside of a holder can tell (`is_mine`): it must not enter.
        self._lock = threading.RLock()
        self.is_mine: Callable[[], bool] = cast("Any", self._lock)._is_owned
        self._inbox: deque[Event] = deque()
        self._idle: threading.Lock | None = None
        self.ending: bool = False
        """Whether the worker is to end once the queue is empty."""

    def __enter__(self) -> None:
        """Wait for the lock, and take in what came before."""
        self._lock.acquire()
        self._admit()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the lock, and take in what came meanwhile."""
        self.wake()
        self._lock.release()
        if self._inbox:
            self._settle()

    def leave(self, event: Event) -> None:
        """Have an event taken in, now or by the holder of the lock; never waits."""
        self._inbox.append(event)
        self._settle()

    def _settle(self) -> None:
        # Checked again after each release: an event left just before it found the lock taken.
        while self._inbox and not self.is_mine() and self._lock.acquire(blocking=False):
            try:
                self._admit()
                self.wake()
            finally:
                self._lock.release()

    def _admit(self) -> None:
        inbox = self._inbox
        while inbox:
            self._queue.offer(inbox.popleft())

    def rest(self) -> threading.Lock:
        """Return what the worker is to wait with; under the lock."""
        self._idle = waiter = _new_waiter()
        return waiter

    def wake(self) -> None:
        """Wake the worker if there is something for it to do; under the lock, or when nobody offers any more."""
        if self._idle is not None and (self.ending or len(self._queue)):
            waiter, self._idle = self._idle, None
            waiter.release()


@final
class Delivery:
    """A queue and its worker, in one process."""

    def __init__(self, label: object, settings: Settings) -> None:
        """Start without a thread; `label` is what the log calls it."""
        self.queue: BoundedQueue[Event] = BoundedQueue(
            settings.max_events, settings.max_bytes, settings.overflow
        )
        self.close_timeout: float = settings.close_timeout
        self._label = label
        self._blocks = settings.overflow == "block"
        self._block_timeout = settings.block_timeout
        self._gate = _Gate(self.queue)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._room: list[threading.Lock] = []
        self._flushes: list[tuple[Mark, threading.Lock]] = []
        self._stuck_at: int | None = None
        self._warned: set[str] = set()

    # The side of the watched program.

    def offer(self, event: Event) -> None:
        """Queue an event, by the policy; waits only where that is "block", and never on a loop's thread."""
        if not self._blocks or not self._offer_waiting(event):
            self._gate.leave(event)
        if self._thread is None:
            self._start()

    def _offer_waiting(self, event: Event) -> bool:
        """Offer an event once there is room; tell whether the caller's thread is one that may wait."""
        if self._gate.is_mine() or threading.current_thread() is self._thread:
            return False
        if asyncio._get_running_loop() is not None:
            if not self.queue.fits(event):
                self._warn("is full, and to block would stop an event loop: its events are dropped")
            return False
        deadline = time.monotonic() + self._block_timeout
        while True:
            with self._gate:
                left = deadline - time.monotonic()
                if left <= 0 or self._stuck_at == self.queue.delivered or self.queue.fits(event):
                    self.queue.offer(event)
                    return True
                waiter = _new_waiter()
                self._room.append(waiter)
            if self._thread is None:
                self._start()
            if not waiter.acquire(timeout=left):
                self._stuck_at = self.queue.delivered
                self._warn(f"made no room for {self._block_timeout} s: events are dropped until it does")

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is not None or self._gate.ending:
                return
            process_end.working.add(self)
            process_end.hook()
            self._thread = threading.Thread(target=self._work, name="sideband background", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no more threads, or the interpreter is shutting down: `close` delivers
                self._thread = None
                self._warn("cannot start its thread; events wait for the next attempt, or for the close")
        finally:
            self._starting.release()

    def release(self) -> None:
        """Let the worker end once it has delivered everything: nobody can offer any more. For finalizers."""
        self._gate.ending = True
        self._gate.wake()

    def orphan(self) -> None:
        """Forget everything: this is a copy in a forked process, maybe made while its gate was held."""
        self.queue = BoundedQueue(1, 1, "drop_newest")
        self._gate = _Gate(self.queue)
        self._gate.ending = True

    # The worker.

    def _work(self) -> None:
        try:
            self._deliver(None)
        finally:
            process_end.working.discard(self)

    def _deliver(self, until: float | None) -> None:
        """Call one event after the other: until nobody offers any more, or, given a time, until there is none."""
        caller = _Caller()
        try:
            while until is None or time.monotonic() < until:
                event = self._next(wait=until is None)
                if event is None:
                    return
                caller.call(event)
                del event  # the next one may be long in coming
        finally:
            with self._gate:
                self.queue.done()
            caller.close()

    def _next(self, *, wait: bool) -> Event | None:
        while True:
            with self._gate:
                self.queue.done()
                event = self.queue.take()
                self._notify()
                waiter = self._gate.rest() if event is None and wait else None
            if self.queue.dropped:
                self._warn("has dropped events; they are counted in its `dropped`")
            # Looked at after the rest was announced: a finalizer says so first and wakes then.
            if waiter is None or self._gate.ending:
                return event
            waiter.acquire()

    def _notify(self) -> None:
        """Wake those who wait for room, and those whose flush is done; under the gate."""
        room, self._room = self._room, []
        for waiter in room:
            waiter.release()
        for flush in [flush for flush in self._flushes if self.queue.reached(flush[0])]:
            self._flushes.remove(flush)
            flush[1].release()

    # Waiting for it.

    def flush(self, timeout: float) -> bool:
        """Wait until what is queued now is delivered; return whether all of it was."""
        self._refuse_own_thread("flush")
        waiter = _new_waiter()
        with self._gate:
            mark = self.queue.mark()
            self._flushes.append((mark, waiter))
            self._notify()
        if self._thread is None and self.queue.pending:
            self._start()
        try:
            waiter.acquire(timeout=0 if self._thread is None else timeout)
        finally:
            with self._gate:
                self.queue.unmark(mark)
                self._flushes = [flush for flush in self._flushes if flush[0] is not mark]
                delivered = self.queue.reached(mark) and not mark.lost
        return delivered

    def close(self, timeout: float) -> bool:
        """Take no more events, wait until all are delivered, and end the worker; return whether all were."""
        self._refuse_own_thread("close")
        until = time.monotonic() + timeout
        with self._gate:
            self.queue.closed = True
            self._gate.ending = True
            self._notify()
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        else:
            self._deliver(until)
        with self._gate:
            left = self.queue.pending
            self.queue.abandon()
            self._notify()
        process_end.working.discard(self)
        if left:
            self._warn(f"was closed with {left} events not delivered within {timeout:.3g} s")
        return not left

    def _refuse_own_thread(self, what: str) -> None:
        if threading.current_thread() is self._thread:
            msg = f"{what} was called by a handler of {self._label!r} on its own worker, which would wait for itself"
            raise RuntimeError(msg)

    def _warn(self, what: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            _logger.warning("background(%r) %s", self._label, what)


@final
class _Caller:
    """Calls handlers, and drives what they give on an event loop of its own."""

    __slots__ = ("_runner",)

    def __init__(self) -> None:
        """Start without a loop."""
        self._runner: asyncio.Runner | None = None

    def call(self, event: Event) -> None:
        """Call an event's method; what it raises is logged, once for its handler and run."""
        try:
            result = event.context.run(event.call.method, *event.args)
            if result is not None and inspect.isawaitable(result):
                self._wait(result, event.context)
        except BaseException as error:  # noqa: BLE001 - only the log can be told, and the next event waits
            report(event.args[0], event.call, event.timing, error)

    def _wait(self, awaitable: Any, context: Context) -> None:
        async def wait() -> None:
            await awaitable

        if self._runner is None:
            self._runner = asyncio.Runner()
        self._runner.run(wait(), context=context)

    def close(self) -> None:
        """End the loop."""
        if self._runner is not None:
            self._runner.close()
