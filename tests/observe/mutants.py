"""Dispatchers with one fault each: what a test of the dispatcher has to notice."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sideband.handlers import _plan
from sideband.observe import (
    _changes,
    _component,
    _feed,
    _lifecycle,
    _observation,
    _observe,
    _returned,
    _stream_run,
    _streamed,
    _tap,
)
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
    for module in (_plan, _lifecycle, _component, _observation, _streamed, _stream_run, _returned):
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
    everywhere(patch, "end_with_error", lambda _: lambda run, error: _lifecycle.end(run, None))


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
    patch.setattr(_changes.Changed, "reset", lambda _: None)


@mutant
def hides_a_context_variable(patch: pytest.MonkeyPatch) -> None:
    """What handlers set does not reach the body."""
    patch.setattr(_changes.Changed, "set", lambda _: None)


@mutant
def leaves_the_run_current(patch: pytest.MonkeyPatch) -> None:
    """The consumer of a stream, or the caller, stands in a run that is not its own."""
    everywhere(patch, "restore", lambda _: lambda *_: None)
    everywhere(patch, "leave", lambda _: lambda *_: None)
    patch.setattr(_stream_run, "reset_current", lambda _: None)


@mutant
def calls_handlers_in_the_callers_context(patch: pytest.MonkeyPatch) -> None:
    """What an ending sets is the caller's from then on."""
    nowhere = SimpleNamespace(run=lambda function, *args: function(*args))

    def here(tell: Any) -> Any:
        def telling(run: Any, *rest: Any) -> Any:
            run._context = nowhere
            return tell(run, *rest)

        return telling

    everywhere(patch, "_fire_ending", here)


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
    leave = _observe.observe.__exit__

    def swallow(self: Any, *error: Any) -> bool:
        watched = self._observation is not None
        leave(self, *error)
        return watched

    patch.setattr(_observe.observe, "__exit__", swallow)


@mutant
def forgets_the_parent(patch: pytest.MonkeyPatch) -> None:
    """Every run is a root."""
    patch.setattr(_lifecycle, "get_current", lambda: None)


@mutant
def starts_at_the_call(patch: pytest.MonkeyPatch) -> None:
    """A stream that nobody pulls is a run that does not end."""
    make = _streamed.ObservedAsyncGenerator.__init__

    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        if listeners() is not None:
            self._pulled()
            self._streamed.start()

    patch.setattr(_streamed.ObservedAsyncGenerator, "__init__", made)


# The context of a run ----------------------------------------------------------------------------


@mutant
def resets_a_token_in_a_foreign_context(patch: pytest.MonkeyPatch) -> None:
    """Endings are told in another context than the start."""

    def elsewhere(tell: Any) -> Any:
        def telling(run: Any, *rest: Any) -> Any:
            run._context = contextvars.copy_context()
            return tell(run, *rest)

        return telling

    everywhere(patch, "_fire_ending", elsewhere)


@mutant
def shows_a_span_in_the_first_step_alone(patch: pytest.MonkeyPatch) -> None:
    """What handlers set is lost to the body of a stream once it has given a chunk."""

    patch.setattr(_stream_run.StreamedRun, "enter_more", lambda _: None)


@mutant
def leaks_a_variable_of_a_stream(patch: pytest.MonkeyPatch) -> None:
    """What handlers set stays set for the consumer between two chunks."""
    leave = _stream_run.StreamedRun.chunk

    def chunk(self: Any, chunk: Any) -> Any:
        changed, self._changed = self._changed, None
        try:
            return leave(self, chunk)
        finally:
            self._changed = changed

    patch.setattr(_stream_run.StreamedRun, "chunk", chunk)


# Streams inside of streams -----------------------------------------------------------------------


@mutant
def leaves_a_stream_open_inside_of_another(patch: pytest.MonkeyPatch) -> None:
    """It ends after the one around it, if at all."""
    patch.setattr(_stream_run.StreamedRun, "join_stream_around", lambda _: None)


@mutant
def tells_a_chunk_after_the_ending(patch: pytest.MonkeyPatch) -> None:
    """Whoever reads on is watched still."""
    tell = _stream_run.StreamedRun.chunk

    def chunk(self: Any, chunk: Any) -> Any:
        self.left = False
        return tell(self, chunk)

    patch.setattr(_stream_run.StreamedRun, "chunk", chunk)


# Handlers that deal with streams -----------------------------------------------------------------


@mutant
def feeds_a_copy_twice(patch: pytest.MonkeyPatch) -> None:
    """Each chunk of an input comes to its copies again."""
    tell = _tap.Tap._told

    def told(self: Any, chunk: Any) -> Any:
        tell(self, chunk)
        return tell(self, chunk)

    patch.setattr(_tap.Tap, "_told", told)


@mutant
def loses_a_chunk_of_a_copy(patch: pytest.MonkeyPatch) -> None:
    """One of those that the tests publish."""
    publish = _feed.Feed.publish

    def published(self: Any, chunk: Any) -> None:
        if chunk != "A":
            publish(self, chunk)

    patch.setattr(_feed.Feed, "publish", published)


@mutant
def drops_the_end_of_an_inputs_copy(patch: pytest.MonkeyPatch) -> None:
    """Whoever reads it waits for ever."""
    patch.setattr(_lifecycle, "ENDING_TIMEOUT", 0.01)
    end = _feed.Feed.end

    def ended(self: Any, error: Any = None) -> None:
        if self._timing != "on_start_with_stream_input":
            end(self, error)

    patch.setattr(_feed.Feed, "end", ended)


@mutant
def hides_the_error_from_a_copy(patch: pytest.MonkeyPatch) -> None:
    """A stream that fails looks like one that is over."""
    end = _feed.Feed.end
    patch.setattr(_feed.Feed, "end", lambda self, error=None: end(self))


@mutant
def tells_the_ending_to_who_has_a_copy(patch: pytest.MonkeyPatch) -> None:
    """Though the end of the copy is the ending for it."""
    close = _lifecycle.Streams.close

    def closed(self: Any, endings: Any) -> Any:
        close(self, endings)
        return endings

    patch.setattr(_lifecycle.Streams, "close", closed)


@mutant
def starts_with_the_stream_itself(patch: pytest.MonkeyPatch) -> None:
    """A handler that deals with streams gets no copy of the input."""
    for module in (_returned, _streamed):
        patch.setattr(module, "listen", lambda *_, **__: None)


@mutant
def does_not_wait_for_readers(patch: pytest.MonkeyPatch) -> None:
    """The consumer learns of the end before those who read the copies."""
    patch.setattr(_lifecycle, "_take_readers", lambda _: None)
