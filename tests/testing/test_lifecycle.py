"""The lifecycle checker finds what breaks the invariants of runs."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from sideband import Outcome, callbacks, component, observe
from sideband.testing import LifecycleError, Record, Recorder, check_lifecycle, violations


@component("ChatModel")
def model() -> Any:
    """Stream two chunks."""
    yield "a"
    yield "b"


@pytest.fixture
def recorder() -> Recorder:
    """Record a streamed run inside of another, and one that fails."""
    recorder = Recorder()
    with callbacks(recorder):
        with observe("outer", input=1) as run:
            list(model())
            run.output = 2
        with pytest.raises(LookupError), observe("failing"):
            raise LookupError
    return recorder


def test_what_really_happened_is_in_order(recorder: Recorder) -> None:
    """A program's own runs keep the invariants."""
    check_lifecycle(recorder)

    assert violations(Recorder()) == []


def test_a_run_that_goes_on_is_a_violation_unless_that_is_allowed() -> None:
    """In the middle of a program the endings are still to come."""
    recorder = Recorder()
    with callbacks(recorder), observe("block"):
        check_lifecycle(recorder, ended=False)
        with pytest.raises(LifecycleError, match="has not ended") as caught:
            check_lifecycle(recorder)

    assert isinstance(caught.value, AssertionError)
    assert len(caught.value.violations) == 1


def find(recorder: Recorder, name: str, timing: str) -> int:
    """Return where the first such record is."""
    return next(i for i, r in enumerate(recorder.records) if r.run.name == name and r.timing == timing)


def edit(name: str, timing: str, /, **changes: Any) -> Callable[[Recorder], None]:
    """Change a record."""

    def apply(recorder: Recorder) -> None:
        place = find(recorder, name, timing)
        recorder.records[place] = dataclasses.replace(recorder.records[place], **changes)

    return apply


def drop(name: str, timing: str) -> Callable[[Recorder], None]:
    """Lose a record."""

    def apply(recorder: Recorder) -> None:
        del recorder.records[find(recorder, name, timing)]

    return apply


def twice(name: str, timing: str) -> Callable[[Recorder], None]:
    """Double a record."""
    return lambda recorder: recorder.records.insert(
        find(recorder, name, timing), recorder.records[find(recorder, name, timing)]
    )


def late(name: str, timing: str) -> Callable[[Recorder], None]:
    """Move a record to the end."""

    def apply(recorder: Recorder) -> None:
        record: Record = recorder.records.pop(find(recorder, name, timing))
        recorder.records.append(record)

    return apply


def on_run(name: str, **changes: Any) -> Callable[[Recorder], None]:
    """Change a run's own fields."""

    def apply(recorder: Recorder) -> None:
        recorder.run(name).__dict__.update(changes)

    return apply


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (drop("outer", "on_start"), "told to start 0 times"),
        (twice("outer", "on_start"), "told to start 2 times"),
        (drop("failing", "on_error"), "has not ended"),
        (twice("failing", "on_error"), "told to end 2 times"),
        (late("model", "on_start"), "was told before on_start"),
        (late("model", "on_chunk"), "was told after the ending"),
        (late("outer", "on_start"), "started before its parent"),
        (drop("model", "on_chunk"), "1 chunks were told, the run counts 2"),
        (edit("model", "on_chunk", payload="x"), "its output is 'ab'"),
        (edit("model", "on_chunk", outcome=Outcome.OK), "on_chunk was told with the outcome ok"),
        (edit("outer", "on_end", outcome=Outcome.ERROR), "on_end was told with the outcome"),
        (edit("outer", "on_end", payload=3), "on_end had the output 3"),
        (edit("outer", "on_start", payload=3), "on_start had the input 3"),
        (edit("failing", "on_error", payload=KeyError()), "on_error had KeyError"),
        (edit("failing", "on_error", timing="on_end"), "on_end was told for the outcome error"),
        (edit("failing", "on_error", payload=asyncio.CancelledError()), "ended as error with CancelledError"),
        (edit("outer", "on_start", current=None), "was told where None is the current run"),
        (on_run("outer", error=KeyError()), "ended well with the error"),
        (on_run("outer", _id="x"), "has the id 'x'"),
        (on_run("outer", _trace_id="x"), "has the trace id 'x'"),
        (on_run("outer", _duration=None), "has the duration None"),
        (on_run("model", time_to_first_chunk=100.0), "had its first chunk after 100.0 s"),
        (on_run("model", time_to_first_chunk=None), "time to first chunk is None with 2 chunks"),
        (on_run("model", streamed=False), "its output is no stream"),
        (lambda recorder: on_run("model", _id=recorder.run("outer").id)(recorder), "have the same id"),
    ],
)
def test_each_violation_is_found(recorder: Recorder, spoil: Callable[[Recorder], None], found: str) -> None:
    """What a broken dispatcher would do is told in a sentence."""
    spoil(recorder)

    with pytest.raises(LifecycleError, match=found):
        check_lifecycle(recorder)
