"""What a graph of values gives: in a row, side by side, by choice, in cycles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from sideband import callbacks
from sideband.graph import (
    END,
    START,
    BranchError,
    BranchTaken,
    Graph,
    InputsMerged,
    NodeSkipped,
    NothingLeftError,
    Runnable,
    StepLimitError,
)
from sideband.testing import Recorder

from .helpers import count, double, increase, line, squares, total


async def test_nodes_in_a_row_pass_their_values_on() -> None:
    """Functions and coroutine functions alike."""
    assert await line(double, increase, double).invoke(5) == 22


async def test_what_several_nodes_give_comes_as_a_mapping_in_the_order_of_the_edges() -> None:
    """By their keys, whichever was done first."""
    graph = (
        Graph[int, Any]()
        .add_node("slow", increase)
        .add_node("fast", double)
        .add_node("join", lambda given: given)
    )
    graph.add_edge(START, "slow").add_edge(START, "fast")
    graph.add_edge("slow", "join").add_edge("fast", "join").add_edge("join", END)

    given = await graph.compile().invoke(5)

    assert given == {"slow": 6, "fast": 10}
    assert list(given) == ["slow", "fast"]


async def test_a_merge_makes_one_input_of_several() -> None:
    """It is given the mapping, also if one alone came."""
    graph = Graph[int, int]().add_node("a", increase).add_node("b", double)
    graph.add_node("join", double, merge=lambda given: sum(given.values()))
    graph.add_edge(START, "a").add_edge(START, "b").add_edge("a", "join").add_edge("b", "join").add_edge(
        "join", END
    )

    assert await graph.compile().invoke(5) == 32


async def test_nodes_that_are_ready_together_are_executed_together() -> None:
    """Each waits for the other, so one after the other would never end."""
    meeting = asyncio.Barrier(2)

    async def meet(x: int) -> int:
        await meeting.wait()
        return x

    graph = Graph[int, Any]().add_node("a", meet).add_node("b", meet)
    for key in ("a", "b"):
        graph.add_edge(START, key).add_edge(key, END)

    assert await asyncio.wait_for(graph.compile().invoke(1), 5) == {"a": 1, "b": 1}


async def test_a_node_waits_for_all_that_lead_to_it() -> None:
    """A long and a short way to one node: it is executed once, with both."""
    graph = (
        Graph[int, Any]()
        .add_node("first", increase)
        .add_node("second", increase)
        .add_node("join", lambda given: given)
    )
    graph.add_edge(START, "first").add_edge("first", "second").add_edge("first", "join").add_edge(
        "second", "join"
    )
    graph.add_edge("join", END)

    assert await graph.compile().invoke(0) == {"first": 1, "second": 2}


async def test_start_may_lead_to_end() -> None:
    """A graph that does nothing gives its input."""
    assert await Graph[int, int]().add_edge(START, END).compile().invoke(3) == 3


@pytest.mark.parametrize(
    "node", [str.upper, len, partial(int.__add__, 1), type("Callable", (), {"__call__": lambda self, x: x})()]
)
async def test_whatever_can_be_called_with_one_argument_is_a_node(node: Any) -> None:
    """Methods of classes, built-in functions, partial ones, objects."""
    value = 1 if isinstance(node, partial) else "text"

    assert await line(node).invoke(value) == node(value)


def choosing(condition: Any, **targets: Any) -> Runnable[Any, Any]:
    """Make a graph that branches at its input."""
    graph = Graph[Any, Any]("choice")
    for key, function in targets.items():
        graph.add_node(key, function).add_edge(key, END)
    return graph.add_branch(START, condition, list(targets)).compile()


async def test_a_branch_chooses_where_a_value_goes() -> None:
    """What is not chosen is skipped, and what comes alone comes as it is."""
    graph = choosing(lambda x: "small" if x < 10 else "large", small=double, large=increase)

    recorder = Recorder()
    with callbacks(recorder):
        assert await graph.invoke(1) == 2
        assert await graph.invoke(10) == 11

    assert recorder.events("branch") == [BranchTaken(START, ("small",)), BranchTaken(START, ("large",))]
    assert recorder.events("skip") == [NodeSkipped("large"), NodeSkipped("small")]


async def test_a_branch_may_choose_several() -> None:
    """A list, tuple or set; together they come as a mapping."""
    graph = choosing(lambda x: ["a", "b"], a=double, b=increase, c=double)
    recorder = Recorder()

    with callbacks(recorder):
        assert await graph.invoke(1) == {"a": 2, "b": 2}

    assert recorder.events("merge") == [InputsMerged(END, ("a", "b"))]


async def test_what_a_branch_returns_may_stand_for_a_node() -> None:
    """A mapping names the targets, END among them."""
    graph = Graph[int, int]().add_node("double", double).add_edge("double", END)
    graph.add_branch(START, lambda x: x > 10, {True: END, False: "double"})

    assert [await graph.compile().invoke(x) for x in (5, 50)] == [10, 50]


async def test_skipping_goes_on_behind_a_skipped_node() -> None:
    """A node all of whose sources are skipped is skipped, one with another source is not."""
    graph = Graph[int, Any]()
    for key in ("a", "b", "behind_a", "join"):
        graph.add_node(key, increase)
    graph.add_branch(START, lambda x: "b", ["a", "b"]).add_edge("a", "behind_a").add_edge("behind_a", "join")
    graph.add_edge("b", "join").add_edge("join", END)
    recorder = Recorder()

    with callbacks(recorder):
        assert await graph.compile().invoke(0) == 2

    assert [event.node for event in recorder.events("skip")] == ["a", "behind_a"]


async def test_a_node_chosen_by_one_branch_and_rejected_by_another_is_executed() -> None:
    """Several branches may leave one node."""
    graph = (
        Graph[int, Any]().add_node("a", double).add_node("b", increase).add_edge("a", END).add_edge("b", END)
    )
    graph.add_branch(START, lambda x: "a", ["a", "b"]).add_branch(START, lambda x: "b", ["a", "b"])

    assert await graph.compile().invoke(5) == {"a": 10, "b": 6}


async def test_a_condition_may_decide_on_the_first_chunk() -> None:
    """It gets a copy of the stream; the node that it chooses gets all of it."""

    async def by_first(chunks: AsyncIterator[int]) -> str:
        return "squares" if await anext(chunks) == 0 else "total"

    graph = Graph[int, Any]().add_node("count", count).add_node("squares", squares).add_node("total", total)
    graph.add_edge(START, "count").add_branch("count", by_first, ["squares", "total"])
    graph.add_edge("squares", END).add_edge("total", END)

    assert await graph.compile().stream(4).collect() == [0, 1, 4, 9]


async def test_a_choice_that_is_no_target_names_node_choice_and_targets() -> None:
    """Also one that cannot be looked up."""
    for choice in ("c", {"a": 1}):
        with pytest.raises(BranchError, match=r"after 'START' chose .* none of 'a', 'b'") as raised:
            await choosing(lambda x, choice=choice: choice, a=double, b=double).invoke(1)
        assert raised.value.targets == ("a", "b")


async def test_a_branch_that_chooses_nothing_ends_the_graph_with_an_error() -> None:
    """END was not reached, so there is no output."""
    with pytest.raises(NothingLeftError, match="nothing came after 'START'"):
        await choosing(lambda x: None, a=double).invoke(1)


def counting(limit: int, **options: Any) -> Runnable[int, int]:
    """Make a graph that increases a number up to a limit, a step each."""
    graph = Graph[int, int]("loop", cycles=True).add_node("more", increase).add_edge(START, "more")
    graph.add_branch("more", lambda x: END if x >= limit else "more", [END, "more"])
    return graph.compile(**options)


async def test_edges_may_lead_back() -> None:
    """Step by step, until a branch leads to END."""
    assert await counting(5).invoke(0) == 5


async def test_a_graph_with_cycles_ends_after_its_steps() -> None:
    """The error tells the limit and what would have been next."""
    assert await counting(3, max_steps=3).invoke(0) == 3

    with pytest.raises(StepLimitError, match=r"max_steps=3.*next would be 'more'") as raised:
        await counting(4, max_steps=3).invoke(0)
    assert raised.value.limit == 3


async def test_by_default_a_graph_may_take_ten_steps_more_than_it_has_nodes() -> None:
    """That is enough for what ends, and ends what does not."""
    assert await counting(11).invoke(0) == 11
    with pytest.raises(StepLimitError):
        await counting(12).invoke(0)


async def test_all_that_was_led_to_in_one_step_is_executed_in_the_next() -> None:
    """A node that is reached on ways of different length is executed once for each."""
    graph = (
        Graph[int, Any](cycles=True)
        .add_node("a", increase)
        .add_node("b", increase)
        .add_node("join", lambda x: x)
    )
    graph.add_edge(START, "a").add_edge("a", "b").add_edge("a", "join").add_edge("b", "join")
    graph.add_branch("join", lambda x: END if x == 2 else None, [END])
    recorder = Recorder()

    with callbacks(recorder):
        assert await graph.compile().invoke(0) == 2

    assert [run.input for run in recorder.runs("join")] == [1, 2]


async def test_what_was_chosen_beside_end_is_not_executed() -> None:
    """Reaching END is the end, as told by the event."""
    graph = Graph[int, Any](cycles=True).add_node("a", increase).add_node("b", increase).add_edge("b", END)
    graph.add_edge(START, "a").add_edge("a", END).add_edge("a", "b")
    recorder = Recorder()

    with callbacks(recorder):
        assert await graph.compile().invoke(0) == 1

    assert [run.name for run in recorder.runs(component="Lambda")] == ["a"]
    assert recorder.events("skip") == [NodeSkipped("b")]
