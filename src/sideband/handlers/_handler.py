"""The handler: the timings that it may override."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from sideband.runs import Run

__all__ = ["TIMINGS", "Handler", "is_async", "override"]

TIMINGS = (
    "on_start",
    "on_end",
    "on_error",
    "on_start_with_stream_input",
    "on_end_with_stream_output",
    "on_chunk",
    "on_event",
)


class Handler:
    """Observes runs. Override the timings that you want; the others cost nothing.

    A method is a plain function, called inline, or `async def`; what it returns is awaited if it
    can be and ignored otherwise. A method that raises is logged once for the run, and the run goes
    on; `Abort` raised by `on_start` or `on_chunk` stops the run.

    Order: an onion. The handler given first is innermost: starts are called last-given first,
        everything else first-given first. Global handlers are outermost.
    Cancellation: asynchronous endings are shielded from it, within `ENDING_TIMEOUT` seconds.
    Closing: nothing has to be closed by a handler.
    Threads: one handler sees all runs, also concurrent ones; methods are called on the thread of
        the run, events on that of the emitter.
    Cost: what a handler overrides is found out when it is attached, not at each event.
    """

    wants_output: bool = True
    """Whether `on_end` wants the whole output of streams; if no handler does, chunks are not kept."""

    max_lag: int = 1024
    """Chunks that a copy of a stream given to this handler holds at most."""

    overflow: Literal["drop_oldest", "drop_newest"] = "drop_oldest"
    """What a full copy does with one chunk more; what it dropped is counted in its `dropped`."""

    def on_start(self, run: Run, input: Any) -> Awaitable[None] | None:  # noqa: A002
        """Called when the run starts, before its body."""

    def on_end(self, run: Run, output: Any) -> Awaitable[None] | None:
        """Called when the run ended ok, closed or interrupted, before its caller learns of it."""

    def on_error(self, run: Run, error: BaseException) -> Awaitable[None] | None:
        """Called when the run failed or was cancelled, before its caller learns of it."""

    def on_start_with_stream_input(self, run: Run, stream: Any) -> Awaitable[None] | None:
        """Called in place of `on_start` when the run's input is a stream, with a copy of it.

        The copy (a `Stream`, on synchronous runs a `SyncStream`) is fed as the body pulls, and ends
        with what the body has pulled. Reading it holds nobody up, and so does not reading it. An
        asynchronous method is a task of its own, joined when the run ends; a plain one hands the
        copy to a task or thread, since nothing has been pulled yet when it is called.
        """

    def on_end_with_stream_output(self, run: Run, stream: Any) -> Awaitable[None] | None:
        """Called when a streamed output opens, before its first chunk, with a copy of it.

        The copy is fed as the consumer pulls, as above. Whoever gets it gets neither `on_end` nor
        `on_error` for this run: the copy's end, or the exception that it raises, is the ending.
        """

    def on_chunk(self, run: Run, chunk: Any) -> Awaitable[None] | None:
        """Called with each chunk of a streamed output, before the consumer has it."""

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        """Called with each named event that the run emits; a plain function, since `emit` never waits."""


def override(handler: Handler, timing: str) -> Callable[..., Any] | None:
    """Return the handler's own method for a timing, or None where it has only the empty one."""
    method: Callable[..., Any] = getattr(handler, timing)
    inherited = getattr(Handler, timing)
    return None if getattr(method, "__func__", None) is inherited else method


def is_async(method: Callable[..., Any]) -> bool:
    """Tell whether calling the method gives a coroutine."""
    if inspect.iscoroutinefunction(method):
        return True
    return inspect.iscoroutinefunction(getattr(method, "__call__", None))  # noqa: B004 - its own `__call__`
