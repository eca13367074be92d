"""The handler: the timings that it may override."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from sideband.runs import Run

__all__ = ["TIMINGS", "Handler", "is_async", "override"]

TIMINGS = ("on_start", "on_end", "on_error", "on_chunk", "on_event")


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

    def on_start(self, run: Run, input: Any) -> Awaitable[None] | None:  # noqa: A002
        """Called when the run starts, before its body."""

    def on_end(self, run: Run, output: Any) -> Awaitable[None] | None:
        """Called when the run ended ok, closed or interrupted, before its caller learns of it."""

    def on_error(self, run: Run, error: BaseException) -> Awaitable[None] | None:
        """Called when the run failed or was cancelled, before its caller learns of it."""

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
