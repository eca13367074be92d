"""Who is called, in which order, and how often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sideband
from sideband import (
    Component,
    Handler,
    Run,
    add_global_handler,
    callbacks,
    component,
    compose,
    detached,
    only,
)
from sideband.testing import Recorder

from .helpers import Log, On, errors, watched


@component("Lambda")
def double(x: int) -> int:
    """Stand for any component."""
    return x * 2


@component("Tool", type="Hammer")
def hammer(x: int) -> int:
    """Call another component."""
    return double(x)


def test_start_goes_from_the_outermost_to_the_innermost_and_the_ending_back() -> None:
    """Global handlers are outermost, the last registered first; what is given first is innermost."""
    calls: list[str] = []

    with (
        add_global_handler(Log("G1", calls)),
        add_global_handler(Log("G2", calls)),
        callbacks(Log("A", calls), Log("B", calls)),
        callbacks(Log("D", calls)),
    ):
        double(2)

    assert calls == [f"{name} start" for name in ("G2", "G1", "D", "B", "A")] + [
        f"{name} end" for name in ("A", "B", "D", "G1", "G2")
    ]


def test_events_and_chunks_go_from_the_innermost_to_the_outermost() -> None:
    """All timings but the start are told first-given first."""
    calls: list[str] = []

    @component("Lambda")
    def stream() -> Iterator[int]:
        sideband.emit("hello")
        yield 1

    with callbacks(Log("A", calls), Log("B", calls)):
        list(stream())

    assert calls == ["B start", "A start", "A event", "B event", "A chunk", "B chunk", "A end", "B end"]


@pytest.mark.parametrize("filtered", [False, True])
def test_a_handler_given_again_is_called_once_at_its_outermost_place(filtered: bool) -> None:
    """Given twice, inherited and given, or global and given, a handler is called once."""
    calls: list[str] = []
    a, b = Log("A", calls), Log("B", calls)
    first = only(a, component="Lambda") if filtered else a

    with callbacks(first, b), callbacks(a):
        double(1)
    with callbacks(a, b, first), add_global_handler(a):
        double(1)

    assert calls == ["A start", "B start", "B end", "A end"] * 2


def test_the_same_handler_twice_in_one_scope_is_called_once() -> None:
    """Whoever gives a handler twice by mistake does not see each run twice."""
    recorder = Recorder()

    with callbacks(recorder, recorder):
        double(1)

    assert recorder.timings() == ["on_start", "on_end"]


def test_compose_keeps_the_order_and_may_hold_what_compose_gave() -> None:
    """Composed handlers stand where the composition stands, the first innermost."""
    calls: list[str] = []

    with callbacks(Log("A", calls), compose(Log("B", calls), compose(Log("C", calls), Log("D", calls)))):
        double(1)

    assert calls[:4] == ["D start", "C start", "B start", "A start"]


def test_only_lets_pass_what_all_its_words_match() -> None:
    """Kind, name, type and `when` have to hold together; several words of one are alternatives."""
    recorders = [Recorder() for _ in range(7)]
    r = iter(recorders)

    with callbacks(
        only(next(r), component=Component.TOOL),
        only(next(r), component=["Tool", "Lambda"]),
        only(next(r), name="double"),
        only(next(r), type="Hammer"),
        only(next(r), component="Tool", name="double"),
        only(next(r), when=lambda run: run.parent is not None),
        only(only(next(r), name=["double", "hammer"]), when=lambda run: run.input == 4),
    ):
        hammer(3)
        double(4)

    assert [[run.name for run in recorder.runs()] for recorder in recorders] == [
        ["hammer"],
        ["hammer", "double", "double"],
        ["double", "double"],
        ["hammer"],
        [],
        ["double"],
        ["double"],
    ]


def test_when_is_asked_once_a_run() -> None:
    """A filter that changes its mind cannot make a run end for whom it did not start."""
    answers = iter([True, False])
    recorder = Recorder()

    with callbacks(only(recorder, when=lambda _: next(answers))):
        double(1)
        double(2)

    assert [run.input for run in recorder.runs()] == [1]


def test_when_may_ask_all_that_a_run_says_at_its_start() -> None:
    """Its times are known by then, and what a filter emits is told to nobody."""
    recorder = Recorder()

    def asks(run: Run) -> bool:
        run.emit("asked")
        return run.started_at > 0 and run.elapsed >= 0 and run.outcome is None and not run.links

    with callbacks(only(recorder, when=asks)):
        double(1)

    assert [record.timing for record in recorder.records] == ["on_start", "on_end"]


def test_a_failing_when_is_logged_and_lets_nothing_pass(caplog: pytest.LogCaptureFixture) -> None:
    """A filter that raises neither fails the run nor lets its handler see it."""
    recorder = Recorder()

    with callbacks(only(recorder, when=lambda run: run.input["missing"])):
        assert double(1) == 2

    assert recorder.records == []
    assert len(errors(caplog)) == 1


def test_a_handler_given_plain_and_filtered_sees_what_either_lets_pass() -> None:
    """Two filters on one handler are alternatives."""
    recorder = Recorder()

    with callbacks(
        only(recorder, when=lambda run: run.input == 1), only(recorder, when=lambda run: run.input == 2)
    ):
        double(1)
        double(2)
        double(3)

    assert [run.input for run in recorder.runs()] == [1, 2]


def test_many_filtered_runs_are_each_seen_by_the_right_handlers() -> None:
    """Plans that are kept for the next run of a kind do not grow without bound, nor mix up runs."""
    recorder = Recorder()

    with callbacks(only(recorder, name=[f"n{i}" for i in range(0, 3000, 1000)])):
        for i in range(3000):
            with sideband.observe(f"n{i}"):
                pass

    assert [run.name for run in recorder.runs()] == ["n0", "n1000", "n2000"]


def test_runs_that_no_handler_wants_still_are_parents() -> None:
    """With any handler in scope every component makes its run, so that parents are right."""
    recorder = Recorder()

    with callbacks(only(recorder, name="double")):
        hammer(1)

    run = recorder.run("double")
    assert run.parent is not None
    assert run.parent.name == "hammer"


def test_detached_cuts_scope_and_parent_but_not_global_handlers() -> None:
    """In a detached block the scope's handlers see nothing, global ones see roots."""
    inner, everywhere = Recorder(), Recorder()

    @component("Lambda")
    def outer() -> None:
        with detached():
            double(1)

    with callbacks(inner), add_global_handler(everywhere):
        outer()
        double(2)

    assert [run.name for run in inner.runs()] == ["outer", "double"]
    assert everywhere.runs("double")[0].parent is None


def test_a_global_handler_removed_during_a_run_still_sees_its_end() -> None:
    """A run ends with the handlers with which it started."""
    recorder = Recorder()
    registration = add_global_handler(recorder)

    @component("Lambda")
    def outer() -> None:
        registration.remove()
        registration.remove()
        double(1)

    outer()

    assert recorder.timings() == ["on_start", "on_end"]


def test_a_global_handler_added_during_a_run_sees_the_runs_inside() -> None:
    """What is registered now is asked when a run starts, not when its parent started."""
    recorder, base = Recorder(), Recorder()

    @component("Lambda")
    def outer() -> None:
        with add_global_handler(recorder):
            double(1)

    with callbacks(base):
        outer()
    outer()

    assert [run.name for run in recorder.runs()] == ["double", "double"]
    assert recorder.runs()[0].parent is base.run("outer")
    assert recorder.runs()[1].parent is None


def test_a_handler_that_overrides_nothing_costs_no_call() -> None:
    """The empty timings of the base class are not called; the run is made all the same."""
    inside: list[Run | None] = []

    class Nothing(Handler):
        pass

    @component("Lambda")
    def body() -> None:
        inside.append(sideband.current_run())

    with callbacks(Nothing()):
        body()

    assert inside[0] is not None


def test_a_timing_may_be_set_on_the_instance() -> None:
    """A handler's method is looked up on the object, as everywhere in Python."""
    seen: list[object] = []

    with callbacks(On("on_start", lambda _, value: seen.append(value))):
        double(7)

    assert seen == [7]


def test_handlers_see_the_whole_tree() -> None:
    """A recorder draws children under their parents."""
    with watched() as recorder:
        hammer(1)

    assert recorder.tree() == "hammer (Tool): ok\n  double (Lambda): ok"
