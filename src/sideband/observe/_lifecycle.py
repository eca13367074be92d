"""The life of one run, without waiting: begin, start, end; and the two ways to wait for handlers.

1. `begin` makes the run in the body's context; the caller then makes it current there.
2. `start` copies that context: it is the run's private one, in which all its handlers are called.
3. What the start handlers changed in it is set for the body (`show_changes`) and reset after it (`leave`).
4. `end` works once; whoever comes later is ignored. Then the run lets go of its private context and
   its plan, which lead back to it, so that it is freed as soon as nobody needs it.
5. Firing gives a `Pending` where a handler has to be awaited: a synchronous driver drops it
   (`skip`), an asynchronous one waits (`wait_start`, `wait_ending`).
"""

from __future__ import annotations

import asyncio
import inspect
from contextvars import Context, copy_context
from time import perf_counter, time
from typing import Any, Protocol, final

from sideband.errors import Interrupted
from sideband.handlers import Listeners, Plan
from sideband.handlers._plan import Call, Pending, enter, fire, report, settle, skip_async
from sideband.runs import Outcome, Run, RunInfo
from sideband.scope._scope import get_current, get_current_scope

__all__ = [
    "ENDING_TIMEOUT",
    "Streams",
    "begin",
    "context_of",
    "end",
    "end_with_error",
    "fail",
    "outcome_of",
    "plan_of",
    "skip",
    "start",
    "task_in",
    "wait_ending",
    "wait_start",
]

ENDING_TIMEOUT = 5.0
"""Seconds that the asynchronous handlers of one ending may take together when the run was cancelled."""

_GRACE = 0.1
"""Seconds that a handler that ran out of them has to react to its cancellation."""


class Readers(Protocol):
    """The tasks in which a run's handlers read their copies."""

    def pending(self) -> set[asyncio.Task[Any]]:
        """Return the tasks that are not done."""
        ...


class Copies(Protocol):
    """The copies of a run's input."""

    def end(self) -> None:
        """End them."""


@final
class Streams:
    """What a run has only if handlers deal with its streams themselves."""

    __slots__ = ("closed", "given", "inputs", "readers", "starts")

    def __init__(self) -> None:
        """Start with nothing."""
        self.starts: tuple[Call, ...] | None = None
        """Whom to call at the start, in place of the plan's own."""
        self.given: set[int] = set()
        """The places of those who have a copy of the output, whose end is their ending."""
        self.inputs: Copies | None = None
        self.readers: Readers | None = None
        self.closed: bool = False
        """Whether the run's ending is being told: until then they are not to be taken away."""

    @classmethod
    def of(cls, run: Run) -> Streams:
        """Return those of a run."""
        if run._streams is None:
            run._streams = cls()
        streams: Streams = run._streams
        return streams

    def close(self, endings: tuple[Call, ...]) -> tuple[Call, ...]:
        """End the copies of the input, and return who is to be told of the run's ending."""
        self.closed = True
        if self.inputs is not None:
            self.inputs.end()
        return tuple(call for call in endings if call.place not in self.given)


def begin(info: RunInfo, found: Listeners, value: Any) -> Run:
    """Make a run under the current one."""
    scope = get_current_scope()
    # Without an `__init__`, whose call is felt at each run.
    run = Run()
    run._info = info
    run.parent = get_current()
    run.metadata = scope.metadata
    run.input = value
    run.outcome = None
    run._streams = None
    run._begun = 0
    if scope.path:
        run.path = scope.path
    run.started_at = time()
    run._t0 = perf_counter()
    run._sink = plan = found.plan
    if plan is None:  # now that there is all that a handler's `when=` may ask of the run
        run._sink = found.plan_of(run)
    return run


def plan_of(run: Run) -> Plan:
    """Return whom the run calls."""
    plan: Plan = run._sink
    return plan


def start(run: Run) -> Pending | None:
    """Tell the start handlers; the run must be current in the calling context.

    Raises:
        Abort: a handler stops the run before its body; the caller has to end it.
    """
    run._context = copy_context()
    streams: Streams | None = run._streams
    calls: tuple[Call, ...] = (
        run._sink.starts if streams is None or streams.starts is None else streams.starts
    )
    return fire(calls, run, "on_start", run.input) if calls else None


def end(run: Run, output: Any, outcome: Outcome = Outcome.OK) -> Pending | None:
    """End the run with an output, unless it has ended, and tell the handlers."""
    if run.outcome is not None:
        return None
    run.outcome = outcome
    run._duration = perf_counter() - run._t0
    run.output = output
    return _fire_ending(run, run._sink.ends, "on_end", output)


def end_with_error(run: Run, error: BaseException) -> Pending | None:
    """End the run with an exception, unless it has ended, and tell the handlers; to wait for a human is none."""
    if isinstance(error, Interrupted):
        return end(run, error.questions, Outcome.INTERRUPTED)
    if run.outcome is not None:
        return None
    run.outcome = outcome_of(error)
    run._duration = perf_counter() - run._t0
    run.error = error
    return _fire_ending(run, run._sink.errors, "on_error", error)


def _fire_ending(run: Run, calls: tuple[Call, ...], timing: str, payload: Any) -> Pending | None:
    if run._begun or run._streams is not None:
        calls = _who_is_told(run, calls)
    pending: Pending | None = None
    try:
        if calls:
            pending = fire(calls, run, timing, payload)
    finally:
        if pending is None:
            run._context = run._sink = None
    return pending


def _who_is_told(run: Run, calls: tuple[Call, ...]) -> tuple[Call, ...]:
    if run._begun:  # a start was stopped half-way: the others never saw it
        calls = tuple(call for call in calls if call.place >= run._begun)
    streams: Streams | None = run._streams
    return calls if streams is None else streams.close(calls)


def context_of(run: Run) -> Context:
    """Return the run's private context; a copy of the caller's where the run has none any more."""
    context = run._context
    return copy_context() if context is None else context


def outcome_of(error: BaseException) -> Outcome:
    """Tell error from cancellation; a coroutine that is closed while it waits was cancelled, too."""
    return Outcome.CANCELLED if isinstance(error, asyncio.CancelledError | GeneratorExit) else Outcome.ERROR


async def fail(run: Run, error: BaseException) -> None:
    """End an asynchronous run with an exception, waiting for its handlers in order."""
    pending = end_with_error(run, error)
    if isinstance(error, GeneratorExit):  # a coroutine that is being closed may not wait
        skip(run, pending)
    else:
        await wait_ending(run, pending)


def skip(run: Run, pending: Pending | None) -> None:
    """Drive a timing of a synchronous run: what would have to be awaited is skipped."""
    _take_readers(run)  # whoever reads copies does so without being waited for
    if pending is None:
        return
    try:
        while pending is not None:
            try:
                enter(context_of(run), skip_async, pending.awaitable, pending.call.handler, pending.timing)
            except Exception as error:  # noqa: BLE001 - a handler's failure is never its run's
                report(run, pending.call, pending.timing, error)
            pending = _go_on(run, pending)
    finally:
        _let_go(run)


def _take_readers(run: Run) -> Readers | None:
    streams: Streams | None = run._streams
    if streams is None or not streams.closed:
        return None
    run._streams = None
    return streams.readers


def _let_go(run: Run) -> None:
    if run.outcome is not None:
        run._context = run._sink = None


def _go_on(run: Run, done: Pending) -> Pending | None:
    return fire(done.rest, run, done.timing, done.payload, done.stopped)


async def wait_start(run: Run, pending: Pending | None) -> None:
    """Drive a start or a chunk of an asynchronous run: each awaitable in its turn.

    Cancellation: goes to the handler that is being awaited, and on to the run.
    """
    while pending is not None:
        task = task_in(context_of(run), pending.awaitable)
        try:
            await task
        except BaseException as error:
            if pending.timing == "on_start" and _returned(task):
                # The cancellation came after the handler was done: those inside of it have not started.
                run._begun = pending.call.place
                raise
            settle(run, pending.call, pending.timing, error)
        pending = _go_on(run, pending)


def _returned(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def wait_ending(run: Run, pending: Pending | None) -> None:
    """Drive an ending of an asynchronous run: each awaitable in its turn, each once, then who follows its streams.

    Cancellation: does not reach the handlers; after it they have `ENDING_TIMEOUT` seconds together,
        then the asynchronous ones are cancelled, and the cancellation goes on.
    """
    readers = _take_readers(run)
    if pending is None and readers is None:
        return
    patience = _Patience()
    try:
        while pending is not None:
            task = task_in(context_of(run), pending.awaitable)
            await patience.wait(task)
            stopped = _settle_ending(run, pending, task)
            pending = _go_on(run, pending._replace(stopped=pending.stopped or stopped))
        if readers is not None:
            await patience.wait_for_all(readers.pending())
    finally:
        _let_go(run)
    if patience.cancelled is not None:
        raise patience.cancelled


def _settle_ending(run: Run, pending: Pending, task: asyncio.Task[None]) -> BaseException | None:
    """Log a handler's failure; return what has to be raised once the others have been told."""
    if not task.done() or task.cancelled():
        failure = TimeoutError(f"not done within {ENDING_TIMEOUT} s of the run's cancellation, or cancelled")
        report(run, pending.call, pending.timing, failure)
        return None
    error = task.exception()
    if isinstance(error, Exception):
        report(run, pending.call, pending.timing, error)
        return None
    return error


def _now() -> float:
    return asyncio.get_running_loop().time()


@final
class _Patience:
    """Waits for tasks whatever cancellation comes, for a bounded time after the first one."""

    def __init__(self) -> None:
        self.cancelled: asyncio.CancelledError | None = None
        self._deadline: float | None = None

    async def wait(self, task: asyncio.Task[Any]) -> None:
        """Return when the task is done, or was cancelled for taking too long."""
        while not task.done():
            left = None if self._deadline is None else self._deadline - _now()
            if left is not None and left <= 0:
                task.cancel()
                left = _GRACE
            try:
                await asyncio.wait({task}, timeout=left)
            except asyncio.CancelledError as error:
                self.cancelled = self.cancelled or error
                self._deadline = self._deadline or _now() + ENDING_TIMEOUT
            else:
                if task.cancelling():
                    return

    async def wait_for_all(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Return when the tasks are done, within `ENDING_TIMEOUT`, cancelled or not."""
        self._deadline = self._deadline or _now() + ENDING_TIMEOUT
        for task in tasks:
            await self.wait(task)


def task_in(context: Context, awaitable: Any) -> asyncio.Task[None]:
    """Let what a handler's method gave run in a context of its own."""

    async def wait() -> None:
        await awaitable

    # A coroutine as it is: wrapped, it would never be awaited if its task is cancelled at once.
    coroutine = awaitable if inspect.iscoroutine(awaitable) else wait()
    return asyncio.get_running_loop().create_task(coroutine, context=context)
