"""Plans: whom one run calls at which timing, worked out before any event happens.

May import errors and runs.

1. `Listeners` are the handlers of a scope, filters included, in the order in which they were given.
2. A `Plan` is what is left of them for one run: filtered, each handler once at its outermost place,
   indexed by timing. It never changes, so a run ends with the handlers with which it started.
3. Handlers are called in the private context of the run, those of an event in a copy of it. While it
   is in use, by one of the run's handlers, they are called in a copy of the caller's.
"""

from __future__ import annotations

import inspect
import logging
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from typing import Any, NamedTuple, final

from sideband.errors import Abort
from sideband.handlers._attach import Entry
from sideband.handlers._handler import Handler, override
from sideband.runs import Component, Run, RunInfo

__all__ = ["Call", "Listeners", "Pending", "Plan", "enter", "fire", "settle", "skip_async"]

_Guards = dict[int, Callable[[Run], bool]]
"""By place in the plan: what a handler's `when=` asks of the run."""

_MAX_PLANS = 1024
_ANY = RunInfo(Component.LAMBDA, "")
_ENDINGS = frozenset({"on_end", "on_error"})

_logger = logging.getLogger("sideband")
_warned: weakref.WeakSet[Handler] = weakref.WeakSet()


@final
class Call:
    """One handler's method for one timing, and the handler's place in the plan."""

    __slots__ = ("handler", "method", "place")

    def __init__(self, method: Callable[..., Any], handler: Handler, place: int) -> None:
        """Hold the three; they never change."""
        self.method = method
        self.handler = handler
        self.place = place


class Pending(NamedTuple):
    """An awaitable that a handler gave at one timing, and who is to be called once it is done."""

    timing: str
    payload: Any
    awaitable: Any
    call: Call
    rest: tuple[Call, ...]
    stopped: BaseException | None


@final
class Plan:
    """Whom a run calls at which timing.

    Cost: made once for a scope and kind of run, then shared by all such runs.
    """

    __slots__ = (
        "_narrowed",
        "chunks",
        "ends",
        "errors",
        "events",
        "handlers",
        "keeps_output",
        "openings",
        "starts",
        "stream_starts",
    )

    def __init__(self, handlers: Sequence[Handler]) -> None:
        """Index the handlers, innermost first, each of which stands there once."""
        self.handlers: tuple[Handler, ...] = tuple(handlers)
        self.starts: tuple[Call, ...] = tuple(reversed(self._calls("on_start")))
        self.ends: tuple[Call, ...] = self._calls("on_end")
        self.errors: tuple[Call, ...] = self._calls("on_error")
        self.chunks: tuple[Call, ...] = self._calls("on_chunk")
        self.events: tuple[Call, ...] = self._calls("on_event")
        self.openings: tuple[Call, ...] = self._calls("on_end_with_stream_output")
        self.stream_starts: tuple[Call, ...] = tuple(reversed(self._calls("on_start_with_stream_input")))
        self.keeps_output: bool = any(call.handler.wants_output for call in self.ends)
        self._narrowed: dict[frozenset[int], Plan] = {}

    def _calls(self, timing: str) -> tuple[Call, ...]:
        found = ((override(handler, timing), handler, place) for place, handler in enumerate(self.handlers))
        return tuple(Call(method, handler, place) for method, handler, place in found if method is not None)

    def without(self, places: frozenset[int]) -> Plan:
        """Return this plan less the handlers at some places."""
        if not places:
            return self
        found = self._narrowed.get(places)
        if found is None:
            if len(self._narrowed) >= _MAX_PLANS:
                self._narrowed.clear()
            kept = [handler for place, handler in enumerate(self.handlers) if place not in places]
            found = self._narrowed[places] = Plan(kept)
        return found

    def fire_event(self, run: Run, name: str, payload: Any) -> None:
        """Tell the handlers of one event, on the emitter's thread."""
        if not self.events:
            return
        # In a copy: whoever emits, on whatever thread, must not keep the private context from a task that waits
        # for an asynchronous handler, or from the run's ending.
        context = run._context
        (copy_context() if context is None else context.copy()).run(
            _fire_event, self.events, run, name, payload
        )


def _fire_event(calls: tuple[Call, ...], run: Run, name: str, payload: Any) -> None:
    for call in calls:
        try:
            result = call.method(run, name, payload)
        except Exception as error:  # noqa: BLE001 - a handler's failure is never its run's
            report(run, call, "on_event", error)
        else:
            if result is not None:
                skip_async(result, call.handler, "on_event")


def enter(context: Context, function: Callable[..., Any], /, *args: Any) -> Any:
    """Call a function in the run's private context, in a copy of the caller's while that is in use."""
    try:
        return context.run(function, *args)
    except RuntimeError as error:
        if not _is_in_use(context, error):
            raise
    return copy_context().run(function, *args)


def _is_in_use(context: Context, error: RuntimeError) -> bool:
    """Tell whether a context could not be entered, so that nothing was called in it."""
    raised_here = error.__traceback__ is not None and error.__traceback__.tb_next is None
    return raised_here and repr(context) in str(error)


def fire(
    calls: tuple[Call, ...], run: Run, timing: str, payload: Any, stopped: BaseException | None = None
) -> Pending | None:
    """Call one timing's handlers in order, as `enter` does, up to the first that has to be awaited.

    A start or a chunk stops at once at an `Abort` or a `BaseException` that is no `Exception`. An
    ending tells every handler first, then raises the first of the latter (`stopped`, if there is one).
    """
    context: Context = run._context or copy_context()  # there is none before the start and after the end
    for call in calls:
        try:
            # Written out, without a call of `enter`: this is felt at each run and chunk.
            try:
                result = context.run(call.method, run, payload)
            except RuntimeError as error:
                if not _is_in_use(context, error):
                    raise
                context = copy_context()
                result = context.run(call.method, run, payload)
        except Exception as error:  # noqa: BLE001 - a handler's failure is never its run's
            settle(run, call, timing, error)
        except BaseException as error:  # noqa: BLE001 - raised below, after the others have been told
            if timing not in _ENDINGS:
                settle(run, call, timing, error)
            stopped = stopped or error
        else:
            if result is not None and inspect.isawaitable(result):
                return Pending(timing, payload, result, call, calls[calls.index(call) + 1 :], stopped)
    if stopped is not None:
        raise stopped
    return None


def settle(run: Run, call: Call, timing: str, error: BaseException) -> None:
    """Log what a handler raised, or raise it where it has the right to stop the run."""
    if timing in _ENDINGS or (isinstance(error, Exception) and not isinstance(error, Abort)):
        report(run, call, timing, error)
        return
    if timing == "on_start":  # only those outside of it have started, and will be told of the end
        run._begun = call.place + 1
    raise error


def report(run: Run, call: Call, timing: str, error: BaseException) -> None:
    """Log a handler's failure with its traceback, once for a run and handler."""
    # Atomic: the worker of a background handler may report beside the run's own thread.
    failed: set[int] = run.__dict__.setdefault("_failed", set())
    if call.place in failed:
        return
    failed.add(call.place)
    _logger.error(
        "handler %r failed in %s of the %s run %r (%s); the run goes on, further failures of this handler in "
        "this run are not logged",
        call.handler, timing, run.component.value, run.name, run.id, exc_info=error,
    )  # fmt: skip


def skip_async(awaitable: Any, handler: Handler, timing: str) -> None:
    """Drop what a plain call cannot await, closed where it can be, and say so once for a handler."""
    if inspect.isawaitable(awaitable):
        warn_once(handler, timing)
        close = getattr(awaitable, "close", None)
        if close is not None:
            close()


def warn_once(handler: Handler, timing: str) -> None:
    """Log, once for a handler, that its asynchronous method cannot be called here."""
    try:
        if handler in _warned:
            return
        _warned.add(handler)
    except TypeError:  # not hashable: say it each time rather than never
        pass
    _logger.warning(
        "handler %r has an asynchronous %s, which a synchronous run cannot await; it is skipped there",
        handler, timing,
    )  # fmt: skip


@final
class Listeners:
    """The handlers of a scope, and the plans made from them so far."""

    __slots__ = ("_entries", "_plans", "plan")

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take the handlers in the order in which they were given, innermost first."""
        self._entries = tuple(entries)
        filtered = any(entry.conditions for entry in self._entries)
        self.plan: Plan | None = None if filtered else self._make(_ANY)[0]
        """The plan of every run, where no handler is filtered."""
        self._plans: dict[tuple[str, str, str], tuple[Plan, _Guards]] = {}

    def plan_of(self, run: Run) -> Plan:
        """Return the plan of a run: without the handlers whose `when=` refuses it."""
        if self.plan is not None:
            return self.plan
        plan, guards = self._filtered(run._info)
        if not guards:
            return plan
        return plan.without(frozenset(place for place, guard in guards.items() if not _allows(guard, run)))

    def _filtered(self, info: RunInfo) -> tuple[Plan, _Guards]:
        key = (info.component, info.name, info.type)
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= _MAX_PLANS:  # names made at run time must not pile up
                self._plans.clear()
            found = self._plans[key] = self._make(info)
        return found

    def _make(self, info: RunInfo) -> tuple[Plan, _Guards]:
        kept: dict[int, tuple[Handler, Callable[[Run], bool] | None]] = {}
        for handler, conditions, _ in self._entries:
            if not all(condition.accepts(info) for condition in conditions):
                continue
            guard = _all_of([condition.when for condition in conditions if condition.when is not None])
            # Given again, it moves outward and may be called for either reason.
            before = kept.pop(id(handler), None)
            kept[id(handler)] = (handler, _either(before[1], guard) if before else guard)
        plan = Plan([handler for handler, _ in kept.values()])
        return plan, {place: guard for place, (_, guard) in enumerate(kept.values()) if guard is not None}


def _allows(guard: Callable[[Run], bool], run: Run) -> bool:
    try:
        return guard(run)
    except Exception:
        _logger.exception("the filter %r of a handler failed; the handler is not called for %r", guard, run)
        return False


def _all_of(guards: list[Callable[[Run], bool]]) -> Callable[[Run], bool] | None:
    return (lambda run: all(guard(run) for guard in guards)) if guards else None


def _either(
    first: Callable[[Run], bool] | None, second: Callable[[Run], bool] | None
) -> Callable[[Run], bool] | None:
    if first is None or second is None:
        return None
    return lambda run: first(run) or second(run)
