"""Dispatchers with one fault each: what a test of the dispatcher has to notice."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from sideband.handlers import _plan
from sideband.observe import _lifecycle, _observation, _returned, _stream_run, _streamed
from sideband.runs import Outcome
from sideband.scope._scope import listeners

Mutation = Callable[[pytest.MonkeyPatch], None]
mutants: dict[str, Mutation] = {}


def mutant(apply: Mutation) -> Mutation:
    """Register a mutant under its function's name."""
    mutants[apply.__name__] = apply
    return apply


def everywhere(patch: pytest.MonkeyPatch, name: str, wrap: Callable[[Any], Any]) -> None:
    """Replace a function in every module that has it."""
    for module in (_plan, _lifecycle, _observation, _streamed, _stream_run, _returned):
        if hasattr(module, name):
            patch.setattr(module, name, wrap(getattr(module, name)))


@mutant
def drops_the_ending(patch: pytest.MonkeyPatch) -> None:
    """A run that went well is not told to end."""
    everywhere(patch, "end", lambda _: lambda *_: None)


@mutant
def drops_the_error(patch: pytest.MonkeyPatch) -> None:
    """A run that failed is not told to end."""
    everywhere(patch, "end_with_error", lambda _: lambda *_: None)


@mutant
def drops_the_start(patch: pytest.MonkeyPatch) -> None:
    """Handlers hear of a run's ending alone."""

    def start(run: Any) -> None:
        run._context = contextvars.copy_context()

    everywhere(patch, "start", lambda _: start)


@mutant
def ends_twice(patch: pytest.MonkeyPatch) -> None:
    """Every ending is told again."""

    def twice(fire: Any) -> Any:
        def firing(calls: Any, run: Any, timing: str, payload: Any, stopped: Any = None) -> Any:
            if timing == "on_end":
                fire(calls, run, timing, payload)
            return fire(calls, run, timing, payload, stopped)

        return firing

    everywhere(patch, "fire", twice)


@mutant
def tells_failures_as_endings(patch: pytest.MonkeyPatch) -> None:
    """A failed run is told to have gone well."""
    everywhere(patch, "end_with_error", lambda _: lambda run, error: _lifecycle.end(run, Outcome.OK, None))


@mutant
def takes_cancellation_for_an_error(patch: pytest.MonkeyPatch) -> None:
    """The two outcomes are mixed up."""
    patch.setattr(_lifecycle, "outcome_of", lambda _: Outcome.ERROR)


@mutant
def swaps_the_order(patch: pytest.MonkeyPatch) -> None:
    """The innermost handler is told first of a start."""

    def swapped(fire: Any) -> Any:
        def firing(calls: Any, run: Any, timing: str, *rest: Any) -> Any:
            return fire(tuple(reversed(calls)) if timing == "on_start" else calls, run, timing, *rest)

        return firing

    everywhere(patch, "fire", swapped)


@mutant
def leaks_a_context_variable(patch: pytest.MonkeyPatch) -> None:
    """What handlers set stays set for the consumer."""
    patch.setattr(_lifecycle.Changed, "reset", lambda _: None)


@mutant
def hides_a_context_variable(patch: pytest.MonkeyPatch) -> None:
    """What handlers set does not reach the body."""
    patch.setattr(_lifecycle.Changed, "set", lambda _: None)


@mutant
def leaves_the_run_current(patch: pytest.MonkeyPatch) -> None:
    """The consumer of a stream, or the caller, stands in a run that is not its own."""
    everywhere(patch, "restore", lambda _: lambda *_: None)
    patch.setattr(_stream_run, "reset_current", lambda _: None)


@mutant
def calls_handlers_in_the_callers_context(patch: pytest.MonkeyPatch) -> None:
    """What an ending sets is the caller's from then on."""
    everywhere(patch, "enter", lambda _: lambda context, function, *args: function(*args))


@mutant
def lets_a_failing_handler_fail_its_run(patch: pytest.MonkeyPatch) -> None:
    """What a handler raises goes to the caller."""

    def settle(run: Any, call: Any, timing: str, error: BaseException) -> None:
        raise error

    everywhere(patch, "settle", lambda _: settle)


@mutant
def stops_at_the_first_failing_handler(patch: pytest.MonkeyPatch) -> None:
    """Handlers after one that fails are not called."""

    def stopping(fire: Any) -> Any:
        def firing(calls: Any, run: Any, timing: str, payload: Any, stopped: Any = None) -> Any:
            for place, call in enumerate(calls):
                before = run._failed and len(run._failed)
                pending = fire(calls[place : place + 1], run, timing, payload, stopped)
                if pending is not None:
                    return pending._replace(rest=calls[place + 1 :])
                if (run._failed and len(run._failed)) != before and call:
                    return None
            return None

        return firing

    everywhere(patch, "fire", stopping)


@mutant
def tells_a_chunk_late(patch: pytest.MonkeyPatch) -> None:
    """A chunk is not counted."""

    def chunk(self: Any, chunk: Any) -> None:
        self.leave_step()

    patch.setattr(_stream_run.StreamedRun, "chunk", chunk)


@mutant
def swallows_errors(patch: pytest.MonkeyPatch) -> None:
    """A watched block that fails does not fail."""
    leave = _observation.Observation.__exit__
    patch.setattr(_observation.Observation, "__exit__", lambda *args: leave(*args) or True)


@mutant
def forgets_the_parent(patch: pytest.MonkeyPatch) -> None:
    """Every run is a root."""
    patch.setattr(_lifecycle, "get_current", lambda: None)


@mutant
def starts_at_the_call(patch: pytest.MonkeyPatch) -> None:
    """A stream that nobody pulls is a run that does not end."""
    make = _streamed.ObservedAsyncGenerator.__init__

    def made(self: Any, *args: Any) -> None:
        make(self, *args)
        if listeners() is not None:
            self._pulled()
            self._streamed.start()

    patch.setattr(_streamed.ObservedAsyncGenerator, "__init__", made)
