"""Scopes as values: entered, left, looked up."""

from __future__ import annotations

from typing import Any

import pytest

from sideband import add_global_handler, at, callbacks, component, compose, detached, metadata, observe, only
from sideband.errors import HandlerRefusedError
from sideband.scope import node
from sideband.scope._scope import current_scope, listeners, scope_of
from sideband.testing import Recorder


@component("Lambda")
def work(x: int) -> int:
    """Do nothing."""
    return x


@pytest.mark.parametrize("block", [lambda: callbacks(Recorder()), lambda: metadata(user="u"), detached])
def test_a_block_that_raises_leaves_the_scope_as_it_was(block: Any) -> None:
    """Whatever happens inside, the caller has its own scope afterwards."""
    before = current_scope.get()

    with pytest.raises(LookupError), block():
        raise LookupError

    assert current_scope.get() is before


def test_a_refused_handler_leaves_the_scope_as_it_was() -> None:
    """The good ones given with it are not attached either."""
    before = current_scope.get()

    with pytest.raises(HandlerRefusedError), callbacks(Recorder(), 3):  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        pass

    assert current_scope.get() is before


def test_who_listens_is_worked_out_once_for_a_scope_and_a_registry() -> None:
    """Plans are kept until a global handler comes or goes."""
    with callbacks(Recorder()):
        first = listeners()
        assert listeners() is first
        with add_global_handler(Recorder()):
            second = listeners()
            assert second is not first
            assert listeners() is second
        assert listeners() is not second

    assert listeners() is None


def test_nobody_listens_in_an_empty_scope() -> None:
    """Blocks without handlers cost nothing where no handler is global."""
    with callbacks(), metadata(user="u"):
        assert listeners() is None
    assert scope_of().look() is None


def test_a_registration_is_in_force_at_once_and_until_it_is_removed() -> None:
    """With or without its block; removing twice is harmless."""
    recorder = Recorder()

    registration = add_global_handler(recorder)
    work(1)
    with registration:
        work(2)
    work(3)
    registration.remove()

    assert [run.input for run in recorder.runs()] == [1, 2]


def test_one_handler_registered_twice_stays_until_both_are_removed() -> None:
    """Each registration is its own; the handler is called once a timing all the while."""
    recorder = Recorder()

    with add_global_handler(recorder):
        with add_global_handler(recorder):
            work(1)
        work(2)
    work(3)

    assert [run.input for run in recorder.runs()] == [1, 2]
    assert recorder.timings() == ["on_start", "on_end"] * 2


def paths(recorder: Recorder) -> list[tuple[str, ...]]:
    """Return the path of each run that the recorder saw start."""
    return [record.run.path for record in recorder.records if record.timing == "on_start"]


def search() -> None:
    """Stand for a graph with the nodes "find" and "rank", the latter with a node "score" inside."""
    with observe("search", component="Graph"):
        with node("find"):
            work(1)
        with node("rank"), observe("rank", component="Graph"):
            work(2)
            with node("score"):
                work(3)


def test_a_run_has_the_keys_of_the_nodes_around_it() -> None:
    """A graph's own run has its node's path, the outermost graph's run none."""
    everything = Recorder()

    with callbacks(everything):
        search()
        work(4)

    assert paths(everything) == [(), ("find",), ("rank",), ("rank",), ("rank", "score"), ()]


def test_a_handler_at_a_node_sees_the_node_and_what_happens_in_it() -> None:
    """Neither the graph around it nor the nodes beside it."""
    rank, score = Recorder(), Recorder()

    with callbacks(at("rank", rank), at("rank", "score", score)):
        search()

    assert paths(rank) == [("rank",), ("rank",), ("rank", "score")]
    assert paths(score) == [("rank", "score")]


def test_several_handlers_at_a_node_keep_their_order_and_their_filters() -> None:
    """`at` takes whatever can be attached, also what was filtered or is at a node itself."""
    inner, outer, graphs = Recorder(), Recorder(), Recorder()

    with callbacks(at("rank", at("score", inner), compose(outer), only(graphs, component="Graph"))):
        search()

    assert paths(inner) == [("rank", "score")]
    assert paths(outer) == [("rank",), ("rank",), ("rank", "score")]
    assert [record.run.name for record in graphs.records] == ["rank", "rank"]


def test_what_filters_a_handler_may_stand_around_its_node() -> None:
    """`only` of `at` is `at` of `only`."""
    graphs = Recorder()

    with callbacks(only(at("rank", graphs), component="Graph")):
        search()

    assert paths(graphs) == [("rank",)]


def test_a_node_is_named_from_where_the_handler_is_attached() -> None:
    """In a block inside of a node the keys start there; for a global handler at the outermost graph."""
    local, everywhere = Recorder(), Recorder()

    with add_global_handler(at("outer", "rank", everywhere)), node("outer"), callbacks(at("rank", local)):
        search()

    expected = [("outer", "rank"), ("outer", "rank"), ("outer", "rank", "score")]
    assert paths(local) == paths(everywhere) == expected


def test_a_handler_at_two_nodes_is_called_once_for_a_run() -> None:
    """Paths are alternatives, also where one leads through the other."""
    recorder = Recorder()

    with callbacks(at("rank", recorder), at("rank", "score", recorder), at("find", recorder)):
        search()

    assert paths(recorder) == [("find",), ("rank",), ("rank",), ("rank", "score")]


def test_a_detached_block_is_in_no_node() -> None:
    """Its runs have no parent, so no path either."""
    everything = Recorder()

    with add_global_handler(everything), node("outer"), detached():
        work(1)

    assert paths(everything) == [()]


def test_plans_of_a_node_are_kept_for_the_next_time() -> None:
    """Entering a node again works nothing out; many keys do not pile up."""
    with callbacks(Recorder()):
        with node("a"):
            first = listeners()
        with node("a"):
            assert listeners() is first
        for key in range(3_000):
            with node(str(key)):
                pass
        assert len(current_scope.get()._nodes) <= 1_024


@pytest.mark.parametrize("given", [(), ("key",), (Recorder(),), ("key", Recorder(), "key")])
def test_at_says_what_it_takes(given: tuple[Any, ...]) -> None:
    """Keys first, then handlers, at least one of each."""
    with pytest.raises(TypeError, match="node keys, then handlers"):
        at(*given)


def test_an_empty_key_is_refused() -> None:
    """No node has it."""
    with pytest.raises(ValueError, match="never empty"):
        at("outer", "", Recorder())


def test_a_handler_that_cannot_work_is_refused_at_a_node_too() -> None:
    """At once, not when the node is reached."""
    with pytest.raises(HandlerRefusedError):
        at("outer", 3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
