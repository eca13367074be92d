"""The life of one run, without waiting: begin, start, end; and the two ways to wait for handlers.

1. `begin` makes the run in the body's context; the caller then makes it current there.
2. `start` copies that context: it is the run's private one, in which all its handlers are called.
3. What the start handlers changed in it is set for the body (`Changed`) and reset after it.
4. `end` works once; whoever comes later is ignored.
5. Firing gives a `Pending` where a handler has to be awaited: a synchronous driver drops it
   (`skip`), an asynchronous one waits (`wait_start`, `wait_ending`).
"""

from __future__ import annotations

import asyncio
import time
from contextvars import Context, ContextVar, Token, copy_context
from typing import Any, cast, final

from sideband.handlers import Listeners, Plan
from sideband.handlers._plan import Pending, enter, fire, settle, skip_async
from sideband.runs import Outcome, Run, RunInfo
from sideband.scope._scope import current, current_scope, restore

__all__ = [
    "ENDING_TIMEOUT",
    "Changed",
    "begin",
    "end",
    "end_with_error",
    "outcome_of",
    "plan_of",
    "skip",
    "start",
    "wait_ending",
    "wait_start",
]

ENDING_TIMEOUT = 5.0
"""Seconds that the asynchronous handlers of one ending may take together when the run was cancelled."""

_MISSING: Any = object()


def begin(info: RunInfo, found: Listeners, value: Any) -> Run:
    """Make a run under the current one."""
    run = Run(info, None, current.get(), current_scope.get().metadata, value)
    run._sink = found.narrow(found.plan_for(info), run)
    return run


def plan_of(run: Run) -> Plan:
    """Return whom the run calls."""
    return cast("Plan", run._sink)


def start(run: Run) -> Pending | None:
    """Tell the start handlers; the run must be current in the calling context.

    Raises:
        Abort: a handler stops the run before its body; the caller has to end it.
    """
    run._context = context = copy_context()
    calls = plan_of(run).starts
    return context.run(fire, calls, run, "on_start", run.input) if calls else None


def end(run: Run, outcome: Outcome, output: Any) -> Pending | None:
    """End the run with an output, unless it has ended, and tell the handlers."""
    if run.outcome is not None:
        return None
    run.outcome = outcome
    run._duration = time.perf_counter() - run._t0
    run.output = output
    calls = plan_of(run).ends
    return _fire_ending(run, calls, "on_end", output) if calls else None


def end_with_error(run: Run, error: BaseException) -> Pending | None:
    """End the run with an exception, unless it has ended, and tell the handlers."""
    if run.outcome is not None:
        return None
    run.outcome = outcome_of(error)
    run._duration = time.perf_counter() - run._t0
    run.error = error
    calls = plan_of(run).errors
    return _fire_ending(run, calls, "on_error", error) if calls else None


def _fire_ending(run: Run, calls: Any, timing: str, payload: Any) -> Pending | None:
    if run._begun:  # a start was stopped half-way: the others never saw it
        calls = tuple(call for call in calls if call.place >= run._begun)
    pending: Pending | None = enter(run._context, fire, calls, run, timing, payload)
    return pending


def outcome_of(error: BaseException) -> Outcome:
    """Tell error from cancellation; a coroutine that is closed while it waits was cancelled, too."""
    return Outcome.CANCELLED if isinstance(error, asyncio.CancelledError | GeneratorExit) else Outcome.ERROR


def skip(run: Run, timing: str, payload: Any, pending: Pending | None) -> None:
    """Drive a timing of a synchronous run: what would have to be awaited is skipped."""
    while pending is not None:
        skip_async(pending.awaitable, pending.call.handler, timing)
        pending = _go_on(run, timing, payload, pending)


def _go_on(run: Run, timing: str, payload: Any, done: Pending) -> Pending | None:
    if not done.rest:
        if done.stopped is not None:
            raise done.stopped
        return None
    pending: Pending | None = enter(run._context, fire, done.rest, run, timing, payload)
    return pending


async def wait_start(run: Run, timing: str, payload: Any, pending: Pending | None) -> None:
    """Drive a start or a chunk of an asynchronous run: each awaitable in its turn.

    Cancellation: goes to the handler that is being awaited, and on to the run.
    """
    while pending is not None:
        try:
            await _task(pending.awaitable, run._context)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - `settle` logs or raises
            settle(run, pending.call, timing, error)
        pending = _go_on(run, timing, payload, pending)


async def wait_ending(run: Run, timing: str, payload: Any, pending: Pending | None) -> None:
    """Drive an ending of an asynchronous run: each awaitable in its turn, each once.

    Cancellation: does not reach the handlers; after it they have `ENDING_TIMEOUT` seconds together,
        then they are cancelled and the cancellation goes on.
    """
    if pending is None:
        return
    cancelled: asyncio.CancelledError | None = None
    telling = asyncio.ensure_future(_tell(run, timing, payload, pending))
    deadline: float | None = None
    while not telling.done():
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            done, _ = await asyncio.wait({telling}, timeout=left)
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
            deadline = deadline or time.monotonic() + ENDING_TIMEOUT
        else:
            if not done:
                telling.cancel()
                deadline = None
    if cancelled is not None:
        raise cancelled
    if not telling.cancelled():
        telling.result()


async def _tell(run: Run, timing: str, payload: Any, pending: Pending | None) -> None:
    while pending is not None:
        try:
            await _task(pending.awaitable, run._context)
        except Exception as error:  # noqa: BLE001 - a handler's failure is never its run's
            settle(run, pending.call, timing, error)
        pending = _go_on(run, timing, payload, pending)


def _task(awaitable: Any, context: Context | None) -> asyncio.Task[Any]:
    async def wait() -> None:
        await awaitable

    return asyncio.get_running_loop().create_task(wait(), context=context)


@final
class Changed:
    """The context variables that start handlers changed, set for the body of a run.

    A body that sets one of them itself keeps its own value, as it would unwatched.
    """

    __slots__ = ("_tokens", "_values")

    def __init__(self, values: list[tuple[ContextVar[Any], Any]]) -> None:
        """Remember what to set."""
        self._values = values
        self._tokens: list[Token[Any]] = []

    @classmethod
    def since_start(cls, run: Run) -> Changed | None:
        """Return what differs in the run's private context from the calling one; None if nothing."""
        private, here = cast("Context", run._context), copy_context()
        if _same(private, here):
            return None
        found = [(variable, value) for variable, value in private.items() if here.get(variable, _MISSING) is not value]
        return cls(found) if found else None

    def set(self) -> None:
        """Set the variables in the calling context."""
        self._tokens = [variable.set(value) for variable, value in self._values]

    def reset(self) -> None:
        """Reset those that still have the value that `set` gave them."""
        for (variable, value), token in zip(self._values, self._tokens, strict=True):
            if variable.get(_MISSING) is value:
                restore(variable, token)
        self._tokens = []


def _same(one: Context, other: Context) -> bool:
    # Two contexts of one origin compare by identity first. If something was set, values are compared,
    # and a value may be of a type that cannot be.
    try:
        return one == other
    except Exception:  # noqa: BLE001 - whatever `__eq__` of somebody's value raises: not known to be equal
        return False
