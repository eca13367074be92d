"""Runs made by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sideband import Component, Outcome, callbacks, component, current_run, detached, metadata, observe
from sideband.testing import Recorder

from .helpers import watched

HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_block_is_a_run_with_what_it_assigns(asynchronous: bool) -> None:
    """Input is given, output and usage are assigned, and current inside of the block alone."""
    with watched() as recorder:
        if asynchronous:
            async with observe("embed", component="Embedding", type="MiniLM", input=["a"]) as run:
                assert current_run() is run
                run.output, run.usage = [[1.0]], "usage"
        else:
            with observe("embed", component="Embedding", type="MiniLM", input=["a"]) as run:
                assert current_run() is run
                run.output, run.usage = [[1.0]], "usage"
        assert current_run() is None

    run = recorder.run()
    assert (run.name, run.component, run.type, run.input) == ("embed", Component.EMBEDDING, "MiniLM", ["a"])
    assert (run.output, run.usage, run.outcome, run.error) == ([[1.0]], "usage", Outcome.OK, None)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_block_that_raises_ends_its_run_with_that_error(asynchronous: bool) -> None:
    """The error goes on to the caller as the same object."""
    error = LookupError()

    with watched() as recorder, pytest.raises(LookupError) as caught:
        if asynchronous:
            async with observe("block"):
                raise error
        with observe("block"):
            raise error

    assert caught.value is error
    assert recorder.run().error is error


async def test_a_block_that_is_cancelled_ends_as_cancelled() -> None:
    """As a component does."""
    with watched() as recorder, pytest.raises(TimeoutError):
        async with asyncio.timeout(0), observe("block"):
            await asyncio.Event().wait()

    assert recorder.run().outcome is Outcome.CANCELLED


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_unwatched_the_run_is_inert(asynchronous: bool) -> None:
    """It keeps what is assigned to it, tells nobody, measures nothing, and is nobody's parent."""
    block = observe("block", input=1)
    if asynchronous:
        async with block as run:
            assert current_run() is None
    else:
        with block as run:
            assert current_run() is None
    run.output = 2
    run.attributes["x"] = 3
    run.state[test_unwatched_the_run_is_inert]["y"] = 4
    run.emit("nobody", "listens")

    assert (run.input, run.output, run.attributes, run.name) == (1, 2, {"x": 3}, "block")
    assert (run.parent, run.outcome, run.elapsed, run.duration) == (None, None, 0.0, None)
    assert len(run.id) == 16


def test_an_unwatched_block_lets_its_error_through() -> None:
    """Nothing is swallowed where nobody watches."""
    with pytest.raises(LookupError), observe("block"):
        raise LookupError


def test_a_traceparent_joins_a_trace_from_elsewhere() -> None:
    """The run has that trace and that parent; its children are in it, too."""
    with watched() as recorder, observe("server", traceparent=HEADER), observe("child"):
        pass

    server, child = recorder.run("server"), recorder.run("child")
    assert server.trace_id == child.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert (server.parent, server.parent_id, child.parent_id) == (None, "b7ad6b7169203331", server.id)
    assert child.traceparent == f"00-{server.trace_id}-{child.id}-01"


def test_a_traceparent_counts_for_roots_alone() -> None:
    """Under a run of this process that run is the parent."""
    with watched() as recorder, observe("outer"), observe("inner", traceparent=HEADER):
        pass

    assert recorder.run("inner").parent_id == recorder.run("outer").id
    assert recorder.run("inner").trace_id == recorder.run("outer").trace_id


@pytest.mark.parametrize("arguments", [{"traceparent": "nonsense"}, {"component": "Nonsense"}])
def test_bad_arguments_are_refused_watched_or_not(arguments: Any) -> None:
    """A mistake shows where it is made, not only once somebody watches."""
    with pytest.raises(ValueError, match=r"[Nn]onsense"):
        observe("block", **arguments)


def test_a_block_object_may_be_used_again_but_not_inside_of_itself() -> None:
    """Each use is a run of its own; two at once could not be told apart."""
    block = observe("block")

    with watched() as recorder:
        with block:
            pass
        with block, pytest.raises(RuntimeError, match="already entered"):
            block.__enter__()

    assert [run.outcome for run in recorder.runs()] == ["ok", "ok"]


def test_metadata_are_inherited_and_immutable() -> None:
    """Inner entries go over outer ones, for the block alone; a handler cannot change them."""
    with watched() as recorder, metadata(user="u", tier=1):
        with metadata(tier=2), observe("inner") as run, pytest.raises(TypeError):
            run.metadata["user"] = "v"  # type: ignore[index] # pyright: ignore[reportIndexIssue]
        with observe("outer"), detached():
            pass

    assert dict(recorder.run("inner").metadata) == {"user": "u", "tier": 2}
    assert dict(recorder.run("outer").metadata) == {"user": "u", "tier": 1}


def test_times_are_told_while_it_goes_on_and_after() -> None:
    """`elapsed` grows until the end and is the duration from then on; `started_at` is the wall clock's."""
    import time

    before = time.time()
    with watched(), observe("block") as run:
        first = run.elapsed
        going_on = run.duration
        assert run.elapsed >= first > 0

    assert going_on is None
    assert run.duration == run.elapsed
    assert before <= run.started_at <= time.time()


def test_an_event_after_the_end_goes_nowhere() -> None:
    """A run that is over tells nobody anything."""
    with watched() as recorder, observe("block") as run:
        pass
    run.emit("late")

    assert recorder.events() == []


def test_a_component_inside_of_a_block_is_its_child() -> None:
    """Runs made by hand and by decorators are of one kind."""

    @component("Tool")
    def tool() -> None: ...

    with callbacks(Recorder()), watched() as recorder, observe("block"):
        tool()

    assert recorder.tree() == "block (Lambda): ok\n  tool (Tool): ok"
