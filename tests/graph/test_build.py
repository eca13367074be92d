"""What `compile` finds wrong, and how it says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.graph import END, START, Graph, GraphBuildError
from sideband.graph._types import fits


def text(value: str) -> str:
    return value


def number(value: int) -> int:
    return value


def length(value: str) -> int:
    return len(value)


async def words(value: str) -> AsyncIterator[str]:
    yield value


async def lengths(chunks: AsyncIterator[str]) -> AsyncIterator[int]:
    async for chunk in chunks:
        yield len(chunk)


def row(*functions: Callable[..., Any]) -> Graph[Any, Any]:
    """Write functions down in a row, under their names."""
    graph = Graph[Any, Any]("row")
    keys = [function.__name__ for function in functions]
    for function in functions:
        graph.add_node(function.__name__, function)
    for source, target in zip([START, *keys], [*keys, END], strict=True):
        graph.add_edge(source, target)
    return graph


def problems(graph: Graph[Any, Any], **options: Any) -> tuple[str, ...]:
    """Return what is wrong with a graph."""
    with pytest.raises(GraphBuildError) as raised:
        graph.compile(**options)
    for problem in raised.value.problems:
        assert problem in str(raised.value)
    return raised.value.problems


def test_all_problems_are_told_at_once() -> None:
    """Each names its nodes, and what there is."""
    graph = (
        Graph[Any, Any]("bad")
        .add_node("a", text)
        .add_node("a", text)
        .add_node(START, text)
        .add_node("", text)
    )
    graph.add_edge("a", "b").add_edge("c", END).add_edge(END, "a").add_edge("a", START).add_branch(
        "a", bool, []
    )

    found = problems(graph)

    assert [problem.split(";")[0] for problem in found] == [
        "two nodes have the key 'a'",
        "a node has the key 'START', which means the graph's own input",
        "a node has an empty key",
        "an edge leads from 'a' to 'b', but there is no node 'b'",
        "an edge leads from 'c' to 'END', but there is no node 'c'",
        "an edge leads from END to 'a'",
        "an edge leads from 'a' to START, where edges begin",
        "the branch after 'a' has no targets",
    ]


def test_an_empty_graph_lacks_both_ends() -> None:
    """It says which edges to add."""
    assert problems(Graph()) == (
        "nothing follows START; add an edge from it to the first node",
        "nothing leads to END; add an edge to it from the last node",
    )


def test_a_node_off_every_path_is_a_problem() -> None:
    """It would never be executed, or for nothing."""
    graph = (
        row(text).add_node("lost", text).add_node("dead", text).add_edge("lost", END).add_edge("text", "dead")
    )

    assert problems(graph) == (
        "no path leads from START to 'lost'; it would never be executed",
        "no path leads from 'dead' to END; what it gives would be lost",
    )


def test_edges_that_lead_back_have_to_be_meant() -> None:
    """The loop is listed."""
    graph = row(text, length).add_edge("length", "text")

    (problem,) = [problem for problem in problems(graph) if "lead back" in problem]

    assert "'text'" in problem
    assert "'length'" in problem
    assert "cycles=True" in problem


@pytest.mark.parametrize(
    ("functions", "expected"),
    [
        ((length, text), "'length' gives int, but 'text' takes str"),
        ((words, number), "'words' gives str, but 'number' takes int"),
        ((lengths, text), "'lengths' gives int, but 'text' takes str"),
        ((length, lengths), "'length' gives int, but 'lengths' takes str"),
    ],
)
def test_an_edge_between_types_that_do_not_fit_is_a_problem(
    functions: tuple[Callable[..., Any], ...], expected: str
) -> None:
    """Of values, of chunks, and of one with the other."""
    assert problems(row(*functions)) == (expected,)


@pytest.mark.parametrize("functions", [(text, words, lengths, number), (text, lambda value: value, number)])
def test_what_may_fit_is_no_problem(functions: tuple[Callable[..., Any], ...]) -> None:
    """A stream's chunks put together have their type; what is not annotated fits everything."""
    row(*functions).compile()


def test_the_graphs_own_types_are_checked_too() -> None:
    """Where it was given them."""
    graph = (
        Graph[int, str]("typed").add_node("length", length).add_edge(START, "length").add_edge("length", END)
    )

    assert problems(graph) == (
        "'START' gives int, but 'length' takes str",
        "'length' gives int, but 'END' takes str",
    )


def test_a_graph_in_a_graph_has_the_types_of_its_ends() -> None:
    """So that a wrong edge to it is found."""
    inner = row(length).compile()
    graph = Graph[Any, Any]("outer").add_node("inner", inner).add_node("text", text)
    graph.add_edge(START, "inner").add_edge("inner", "text").add_edge("text", END)

    assert problems(graph) == ("'inner' gives int, but 'text' takes str",)


def test_hooks_need_a_state() -> None:
    """The error says how to give the graph one."""
    graph = Graph[Any, Any]().add_node("a", text, before=lambda state, value: value)
    graph.add_edge(START, "a").add_edge("a", END)

    assert problems(graph) == ("'a' has hooks of a state, but the graph has none; make it Graph(state=…)",)


@pytest.mark.parametrize(("cycles", "steps"), [(False, 5), (True, 0)])
def test_a_limit_of_steps_is_for_graphs_with_cycles(cycles: bool, steps: int) -> None:
    """And 1 or more."""
    graph = Graph[Any, Any](cycles=cycles).add_node("a", text).add_edge(START, "a").add_edge("a", END)

    (problem,) = problems(graph, max_steps=steps)

    assert f"{steps}" in problem


@pytest.mark.parametrize("component", [3, lambda: 1, lambda a, b: 1, lambda *, a: 1])
def test_what_cannot_be_called_with_one_argument_is_no_node(component: Any) -> None:
    """It is refused where it is added."""
    with pytest.raises(TypeError, match="a node is"):
        Graph[Any, Any]().add_node("a", component)


def test_what_compile_gave_does_not_change() -> None:
    """The graph may be built on, and compiled again."""
    graph = row(text)
    first = graph.compile()
    graph.add_node("more", text).add_edge("text", "more").add_edge("more", END)

    assert first.nodes == (("text",),)
    assert first.invoke_sync("a") == "a"
    assert graph.compile().invoke_sync("a") == {"text": "a", "more": "a"}


class HasName(Protocol):
    """Something structural."""

    name: str


@pytest.mark.parametrize(
    ("given_type", "wanted", "expected"),
    [
        (bool, int, True),
        (int, float, True),
        (float, int, False),
        (str, str | None, True),
        (str | None, str, True),
        (int | None, str, False),
        (None, str, False),
        (list[int], list[str], False),
        (list[int], list[Any], True),
        (list[int], dict[str, int], False),
        (dict[str, int], dict[str, int | None], True),
        (Literal["a"], str, True),
        (Literal["a"], int, False),
        (Annotated[int, "unit"], str, False),
        (int, HasName, True),
        (int, object, True),
    ],
)
def test_types_fit_unless_they_surely_do_not(given_type: Any, wanted: Any, expected: bool) -> None:
    """A union fits if a part of it may."""
    assert fits(given_type, wanted) is expected


@given(st.sampled_from([int, str, list[int], int | None, Any, HasName, dict[str, list[int]]]))
def test_every_type_fits_itself(kind: Any) -> None:
    """And everything, and what is not known."""
    assert fits(kind, kind)
    assert fits(kind, Any)
    assert fits(Any, kind)


async def points(value: str) -> AsyncIterator[GraphBuildError]:
    yield GraphBuildError(value, [])


def test_what_becomes_of_chunks_of_other_types_is_not_known() -> None:
    """Frames of a model become a message, for instance: such an edge is no problem."""
    row(text, points, length).compile()
