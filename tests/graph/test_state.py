"""A graph's state: one for each run, reached by nodes, hooks and handlers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from sideband import Handler, Run, callbacks
from sideband.graph import END, START, Graph, Runnable, graph_state, locked_state


@dataclass
class Notes:
    """What the nodes of a graph write down."""

    lines: list[str] = field(default_factory=list[str])


def noting(text: str) -> str:
    graph_state(Notes).lines.append(text)
    return text


def one(node: Any, **options: Any) -> Runnable[Any, Any]:
    """Make a graph of one node, with a state."""
    graph = Graph[Any, Any]("one", state=Notes).add_node("node", node, **options)
    return graph.add_edge(START, "node").add_edge("node", END).compile()


async def test_each_run_has_a_state_of_its_own() -> None:
    """Also runs at the same time."""
    seen: list[list[str]] = []

    async def note(text: str) -> None:
        noting(text)
        await asyncio.sleep(0)
        seen.append(graph_state(Notes).lines)

    graph = one(note)
    await asyncio.gather(*[graph.invoke(text) for text in "abc"])

    assert sorted(seen) == [["a"], ["b"], ["c"]]
    with pytest.raises(LookupError, match="Graph\\(state=Notes\\)"):
        graph_state(Notes)


async def test_hooks_see_the_state_before_and_after_the_run_of_a_node() -> None:
    """The run has the input that the first returned, and its output is what the second was given."""
    runs: list[tuple[Any, Any]] = []

    class Seen(Handler):
        def on_end(self, run: Run, output: Any) -> None:
            runs.append((run.input, output))

    def before(state: Notes, value: str) -> str:
        state.lines.append(f"before {value}")
        return value + "1"

    async def after(state: Notes, value: str) -> str:
        state.lines.append(f"after {value}")
        return " ".join(state.lines)

    with callbacks(Seen()):
        assert await one(str.upper, before=before, after=after).invoke("a") == "before a after A1"

    assert runs == [("a1", "A1"), ("a", "before a after A1")]


async def test_handlers_read_the_state_at_every_timing() -> None:
    """The graph's start included."""
    seen: list[tuple[str, int]] = []

    class Look(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            seen.append((run.name, len(graph_state(Notes).lines)))

        def on_end(self, run: Run, output: Any) -> None:
            seen.append((run.name, len(graph_state(Notes).lines)))

    graph = one(noting)
    with callbacks(Look()):
        await graph.invoke("a")
        assert await graph.stream("a").collect() == ["a"]

    assert seen == [("one", 0), ("node", 0), ("node", 1), ("one", 1)] * 2


async def test_a_graph_in_a_graph_finds_the_outer_state_by_its_type() -> None:
    """The inner one, if it has that type too."""

    @dataclass
    class Outer:
        name: str = "outer"

    def look(_: str) -> tuple[str, int]:
        return graph_state(Outer).name, len(graph_state(Notes).lines)

    graph = (
        Graph[Any, Any](state=Outer)
        .add_node("inner", one(look))
        .add_edge(START, "inner")
        .add_edge("inner", END)
    )

    assert await graph.compile().invoke("a") == ("outer", 0)


async def test_the_locked_state_is_for_one_node_at_a_time() -> None:
    """Around an await nobody else changes it, hooks neither."""

    async def add(_: int) -> None:
        async with locked_state(Notes) as state:
            before = len(state.lines)
            await asyncio.sleep(0)
            state.lines = [*state.lines, str(before)]

    graph = Graph[Any, Any](state=Notes)
    for key in "abc":
        graph.add_node(key, add).add_edge(START, key).add_edge(key, "read")
    graph.add_node("read", lambda _: graph_state(Notes).lines).add_edge("read", END)

    assert await graph.compile().invoke(1) == ["0", "1", "2"]


async def test_a_task_that_would_wait_for_its_own_lock_is_told() -> None:
    """A hook has the lock already."""

    async def before(state: Notes, value: str) -> str:
        async with locked_state(Notes):
            return value

    with pytest.raises(RuntimeError, match="holds the state's lock already"):
        await one(noting, before=before).invoke("a")
