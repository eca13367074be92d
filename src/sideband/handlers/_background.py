"""Handlers that are called on a thread of their own, behind a bounded queue. May import errors and runs.

1. What is attached are stand-ins, one for each wrapped handler, which override the timings that it does.
2. A stand-in takes the context at the start of a run; all timings of that run are called in it later.
3. A process that forks goes on as it was; its child starts with an empty queue and without a worker.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import weakref
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self, final, get_args

from sideband.errors import HandlerRefusedError
from sideband.handlers._attach import Bundle, HandlerLike, entries
from sideband.handlers._delivery import Delivery, Event, Settings
from sideband.handlers._exit import process_end
from sideband.handlers._handler import TIMINGS, Handler, override
from sideband.handlers._plan import Call
from sideband.handlers._queue import Overflow, Sort, Track
from sideband.handlers._size import size_of
from sideband.runs import Run

__all__ = ["background"]

_EVENT_BYTES = 512
"""Bytes of an event beside its payload, about."""

_NOTHING = Handler()
# Places that no plan has, so that a failure is not taken for that of one of its handlers.
_places = itertools.count(-1, -1)
_senders: weakref.WeakSet[_Sender] = weakref.WeakSet()


@final
class _Sender:
    """What the stand-ins of one background handler hold; with the last of them its worker may end."""

    __slots__ = ("__weakref__", "_label", "_settings", "delivery")

    def __init__(self, label: object, settings: Settings) -> None:
        self._label = label
        self._settings = settings
        self.delivery = Delivery(label, settings)
        _senders.add(self)

    def start_anew(self) -> None:
        """Leave what is queued to the process that this one was forked from."""
        forked = self.delivery
        self.delivery = Delivery(self._label, self._settings)
        if forked.queue.closed:
            self.delivery.close(0.0)
        forked.orphan()

    def __del__(self) -> None:
        """Let the worker end."""
        delivery = getattr(self, "delivery", None)
        if delivery is not None:
            delivery.release()


def _start_anew() -> None:
    process_end.forget()
    for sender in list(_senders):
        sender.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


@final
class _RunTrack(Track):
    """A track, and the context in which its handler is called."""

    __slots__ = ("context",)

    def __init__(self) -> None:
        super().__init__()
        self.context = copy_context()


@final
class _StandIn(Handler):
    """What is attached in place of a handler: it queues the calls."""

    def __init__(self, handler: Handler, sender: _Sender) -> None:
        place = next(_places)
        methods = {timing: override(handler, timing) for timing in TIMINGS}
        self._handler = handler
        self._sender = sender
        self._calls: dict[str, Call] = {
            timing: Call(method, handler, place) for timing, method in methods.items() if method is not None
        }
        self.wants_output = handler.wants_output and "on_end" in self._calls
        # It tells a handler that wants starts of all or nothing of a run, for which it has to know of the end.
        self._tracks = "on_start" in self._calls and len(self._calls) > 1
        wanted = {*self._calls, "on_end", "on_error"} if self._tracks else set(self._calls)
        for timing in TIMINGS:
            if timing not in wanted:  # looks to a plan as if it were not overridden
                setattr(self, timing, getattr(_NOTHING, timing))

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        track = None
        if self._tracks:
            run.state[self] = track = _RunTrack()
        self._send("on_start", Sort.START, track, (run, input), input)

    def on_end(self, run: Run, output: Any) -> None:
        self._end("on_end", run, output)

    def on_error(self, run: Run, error: BaseException) -> None:
        self._end("on_error", run, error)

    def on_chunk(self, run: Run, chunk: Any) -> None:
        self._send("on_chunk", Sort.DETAIL, self._track(run), (run, chunk), chunk)

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        self._send("on_event", Sort.DETAIL, self._track(run), (run, name, payload), payload)

    def _track(self, run: Run) -> _RunTrack | None:
        return run.state[self] if self._tracks and self in run.state else None

    def _end(self, timing: str, run: Run, payload: Any) -> None:
        track = self._track(run)
        if track is not None:
            del run.state[self]
        if timing in self._calls:
            self._send(timing, Sort.ENDING, track, (run, payload), payload)

    def _send(
        self, timing: str, sort: Sort, track: _RunTrack | None, args: tuple[Any, ...], payload: Any
    ) -> None:
        context = copy_context() if track is None else track.context
        size = _EVENT_BYTES + size_of(payload)
        self._sender.delivery.offer(
            Event(self._calls[timing], timing, args, context, sort=sort, size=size, track=track)
        )

    def __repr__(self) -> str:
        return f"background({self._handler!r})"


def _stand_in(handler: Handler, sender: _Sender) -> _StandIn:
    if isinstance(handler, _StandIn):
        raise HandlerRefusedError(handler, "it is in the background already; wrap what it wraps once")
    for timing in ("on_start_with_stream_input", "on_end_with_stream_output"):
        if override(handler, timing) is not None:
            reason = (
                f"its {timing} reads a stream while the run goes on, for which the one worker would have to wait; "
                "override on_chunk and on_end instead, or attach it as it is: its copies hold nobody up"
            )
            raise HandlerRefusedError(handler, reason)
    return _StandIn(handler, sender)


@final
class background:  # noqa: N801 - used as a function: `callbacks(background(handler))`
    """Call a handler on a thread of its own, so that a slow one does not hold up what it watches.

    ```python
    with background(Ledger()) as ledger, callbacks(ledger):
        await answer("what is a sideband?")
    ```

    The calls wait in a queue with two limits. Past them events are dropped, and counted, by the
    policy `overflow`: "drop_oldest" drops those that wait longest, "drop_newest" the new ones, and "block"
    lets the watched program wait for room. Chunks and events go before starts and endings. A run of which a
    handler cannot be told the start it is told nothing of; one whose start was kept has its ending kept as
    well, beyond the limits if need be, so that what a handler opened it can close.

    What a handler reads of the run (`outcome`, `elapsed`, `chunks`) is what is true when it is called; payloads
    are the program's own objects, not copies. `current_run()` is the run, and context variables are as they
    were at its start; what a handler changes in them it finds again at the next timing of that run, but nobody
    else does. A component that it calls is watched as any other. An exception, `Abort` too, is logged, once
    for a handler and run: it is too late to stop the run.

    Asynchronous methods are awaited one at a time, on an event loop of the thread's own; so they are called
    for synchronous runs, too. Handlers with a stream timing are refused.

    Order: that of the watched program: of a run, of runs in one thread, and of the handlers in a `compose`.
    Cancellation: of a run does not reach its handlers.
    Closing: at the end of the block, or of the interpreter: both wait until everything is delivered,
        `close_timeout` seconds at most. A process that is killed, or ends by `os._exit`, loses what is queued.
        Dropped unclosed, it delivers what is queued, then ends its thread.
    Threads: one, a daemon, started by the first event. All methods may be called from any thread. After a
        `fork` the parent delivers what was queued, and the child starts a thread of its own.
    Cost: one queued call for each timing that the handler overrides, some microseconds each; the others
        cost nothing.
    """

    __slots__ = ("__weakref__", "_bundle", "_sender", "_settings", "_wrapped")

    def __init__(
        self,
        handler: HandlerLike,
        *,
        max_events: int = 8192,
        max_bytes: int = 64 << 20,
        overflow: Overflow = "drop_oldest",
        block_timeout: float = 5.0,
        close_timeout: float = 5.0,
    ) -> None:
        """Wrap a handler without starting anything.

        Args:
            handler: whom to call; filters of `only` are asked in the watched program, as ever.
            max_events: how many calls may wait, beside the one under way and the endings that are kept.
            max_bytes: how many bytes their payloads may come to, likewise. It is an estimate: 512 bytes a
                call; a byte a character of text; the length of binary data and arrays; of lists, tuples, sets,
                mappings and dataclasses what their first eight entries come to, scaled to their length, three
                levels deep; 64 bytes for any other object. An event larger than that is dropped.
            overflow: what happens to one event more. "block" waits for room; on the thread of a running
                event loop it never does, but drops the event and logs one warning, and it is refused when
                it is attached there.
            block_timeout: seconds that "block" waits at most; after that, events are dropped at once until
                the handler gets on.
            close_timeout: seconds that a close, or a flush, takes at most unless it is told otherwise.

        Raises:
            HandlerRefusedError: it is no handler, or one that cannot work in the background.
            ValueError: a limit that is none, or an unknown policy.
        """
        if overflow not in get_args(Overflow):
            words = ", ".join(map(repr, get_args(Overflow)))
            raise ValueError(f"overflow must be one of {words}, got {overflow!r}")
        _check("max_events", max_events, 1)
        _check("max_bytes", max_bytes, 1)
        _check("block_timeout", block_timeout, 0)
        _check("close_timeout", close_timeout, 0)
        found = entries(handler)
        self._wrapped = handler
        self._settings = Settings(max_events, max_bytes, overflow, block_timeout, close_timeout)
        self._sender = sender = _Sender(handler, self._settings)
        stand_ins: dict[int, _StandIn] = {}
        for entry in found:
            if id(entry.handler) not in stand_ins:
                stand_ins[id(entry.handler)] = _stand_in(entry.handler, sender)
        self._bundle = Bundle(entry._replace(handler=stand_ins[id(entry.handler)]) for entry in found)
        process_end.hook()

    @property
    def delivered(self) -> int:
        """How many calls were made so far in this process, those that raised too."""
        return self._sender.delivery.queue.delivered

    @property
    def dropped(self) -> int:
        """How many calls were not made, and will not be, because there was no room or after the close."""
        return self._sender.delivery.queue.dropped

    @property
    def pending(self) -> int:
        """How many calls wait, with the one under way."""
        return self._sender.delivery.queue.pending

    @property
    def closed(self) -> bool:
        """Whether it takes no more events."""
        return self._sender.delivery.queue.closed

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything queued so far is delivered.

        Blocks; on an event loop use `await asyncio.to_thread(ledger.flush)`.

        Args:
            timeout: seconds to wait at most; None for `close_timeout`.

        Returns:
            Whether all of it was delivered: nothing dropped meanwhile, nothing left.

        Raises:
            RuntimeError: called by the handler itself, which would wait for itself.
            ValueError: a negative timeout.
        """
        return self._sender.delivery.flush(self._limit(timeout))

    def close(self, timeout: float | None = None) -> bool:
        """Take no more events, deliver what is queued, and end the thread; closing twice is harmless.

        What is not delivered in time is dropped, and a warning logged. Blocks; on an event loop use
        `async with`, or `await asyncio.to_thread(ledger.close)`.

        Args:
            timeout: seconds to wait at most; None for `close_timeout`.

        Returns:
            Whether everything was delivered.

        Raises:
            RuntimeError: called by the handler itself, which would wait for itself.
            ValueError: a negative timeout.
        """
        return self._sender.delivery.close(self._limit(timeout))

    def _limit(self, timeout: float | None) -> float:
        if timeout is None:
            timeout = self._settings.close_timeout
        _check("timeout", timeout, 0)
        return min(timeout, threading.TIMEOUT_MAX)

    def __enter__(self) -> Self:
        """Return it, ready to be attached."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return it, ready to be attached."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it without holding up the event loop."""
        await asyncio.to_thread(self.close)

    def __sideband_handler__(self) -> Bundle:
        """Return what is attached: the stand-ins, in the order of the handlers, with their filters.

        Raises:
            HandlerRefusedError: it is closed, or its policy is "block" and this is an event loop's thread.
        """
        if self.closed:
            raise HandlerRefusedError(self, "it is closed; make another one")
        if self._settings.overflow == "block" and asyncio._get_running_loop() is not None:
            reason = "overflow='block' would stop the event loop; use 'drop_oldest' or 'drop_newest'"
            raise HandlerRefusedError(self, reason)
        return self._bundle

    def __repr__(self) -> str:
        """Show what is wrapped, and the counters."""
        counts = f"{self.delivered} delivered, {self.dropped} dropped, {self.pending} pending"
        return f"<background({self._wrapped!r}): {counts}>"


def _check(name: str, value: float, least: int) -> None:
    if not value >= least:
        raise ValueError(f"{name} must be {least} or more, got {value!r}")
