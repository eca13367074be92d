"""Random graphs keep the invariants of runs, and the schedule keeps its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sideband import callbacks
from sideband.graph import END, START, Graph, Runnable
from sideband.graph._schedule import AllOf, Edges, Steps
from sideband.testing import Recorder, check_lifecycle


class BrokenError(Exception):
    """What a node of a random graph raises."""


@dataclass(frozen=True)
class Drawn:
    """A random node: what it does, who leads to it, and whether what leads from it is chosen."""

    kind: str
    waits: bool
    fails: str
    sources: tuple[int, ...]
    choice: tuple[int, ...] | None


def function(node: Drawn) -> Callable[..., Any]:  # noqa: C901 - five short ones
    """Make the function of a random node."""

    async def step(where: str) -> None:
        if node.waits:
            await asyncio.sleep(0)
        if node.fails == where:
            raise BrokenError(where)

    async def value(x: Any) -> int:
        await step("first")
        await step("later")
        return 1

    async def stream(x: Any) -> AsyncIterator[int]:
        await step("first")
        for number in range(3):
            yield number
        await step("later")

    async def collect(chunks: AsyncIterator[Any]) -> int:
        await step("first")
        read = [chunk async for chunk in chunks]
        await step("later")
        return len(read)

    async def transform(chunks: AsyncIterator[Any]) -> AsyncIterator[int]:
        await step("first")
        async for _ in chunks:
            yield 1
        await step("later")

    def plain(x: Any) -> int:
        if node.fails != "never":
            raise BrokenError
        return 1

    return {"value": value, "stream": stream, "collect": collect, "transform": transform, "plain": plain}[
        node.kind
    ]


@st.composite
def graphs(draw: st.DrawFn) -> list[Drawn]:
    """Draw nodes each of which is led to by earlier ones; -1 is START."""
    nodes: list[Drawn] = []
    for place in range(draw(st.integers(1, 7))):
        earlier = st.integers(-1, place - 1)
        nodes.append(
            Drawn(
                kind=draw(st.sampled_from(["value", "stream", "collect", "transform", "plain"])),
                waits=draw(st.booleans()),
                fails=draw(st.sampled_from(["never"] * 8 + ["first", "later"])),
                sources=tuple(draw(st.lists(earlier, min_size=1, max_size=3, unique=True))),
                choice=draw(st.none() | st.lists(st.integers(0, 6), max_size=3).map(tuple)),
            )
        )
    return nodes


def choose(chosen: list[str], _: Any) -> list[str]:
    """Choose what was drawn."""
    return chosen


def key(place: int) -> str:
    """Return the key of a place; -1 is START."""
    return START if place < 0 else f"n{place}"


def build(nodes: list[Drawn]) -> Runnable[Any, Any]:
    """Make the graph: what leads nowhere leads to END, and a node with a choice branches."""
    graph = Graph[Any, Any]("random")
    followers: dict[int, list[str]] = {}
    for place, node in enumerate(nodes):
        graph.add_node(key(place), function(node))
        for source in node.sources:
            followers.setdefault(source, []).append(key(place))
    for place in range(-1, len(nodes)):
        targets = followers.get(place, [END])
        choice = nodes[place].choice if place >= 0 else None
        if choice is None:
            for target in targets:
                graph.add_edge(key(place), target)
        else:
            chosen = [target for number, target in enumerate(targets) if number in choice]
            graph.add_branch(key(place), partial(choose, chosen), targets)
    return graph.compile()


async def consume(graph: Runnable[Any, Any], how: str) -> str:
    """Call a graph, in one of several ways, and say how that ended."""
    try:
        if how == "invoke":
            return f"gave {await graph.invoke(0)}"
        if how == "collect":
            return f"gave {await graph.collect([0, 1])}"
        if how == "cancel":
            async with asyncio.timeout(0):
                return f"gave {await graph.invoke(0)}"
        chunks: list[Any] = []
        async with aclosing(graph.transform([0, 1]) if how == "transform" else graph.stream(0)) as stream:
            async for chunk in stream:
                chunks.append(chunk)
                if how == "leave":
                    break
        # Streams that are merged come in any order.
        return f"gave {sorted(map(str, chunks))}"
    except (Exception, ExceptionGroup) as error:
        return f"raised {type(error).__name__}"


ways = st.sampled_from(["invoke", "collect", "stream", "transform", "leave", "cancel"])


@given(graphs(), ways)
def test_random_graphs_keep_the_invariants_of_runs(nodes: list[Drawn], how: str) -> None:
    """Every run ends once, inside of its graph's, and watching changes nothing."""

    async def run(watch: bool) -> str:
        graph, recorder = build(nodes), Recorder()
        with callbacks(*([recorder] if watch else [])):
            result = await asyncio.wait_for(consume(graph, how), 20)
        assert len(asyncio.all_tasks()) == 1
        if watch and recorder.runs():
            check_lifecycle(recorder)
            assert list(recorder)[-1].run.name == "random"
            assert len(recorder.runs()) == len({run.path for run in recorder.runs()})
        return result

    assert asyncio.run(run(watch=True)) == asyncio.run(run(watch=False))


pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25)


@given(pairs, st.data())
def test_without_cycles_each_node_is_ready_or_skipped_once_and_in_order(
    drawn: list[tuple[int, int]], data: st.DataObject
) -> None:
    """After all its sources, with what exactly those gave that chose it."""
    edges = Edges([(f"{min(pair)}", f"{max(pair)}") for pair in drawn if pair[0] != pair[1]])
    heads = [source for source in edges.followers if source not in edges.sources]
    edges = Edges(
        [*((START, head) for head in heads), *((s, t) for s, ts in edges.followers.items() for t in ts)]
    )
    schedule = AllOf(edges)
    gave: dict[str, dict[str, str]] = {}
    running, over = [START], list[str]()
    while running:
        source = running.pop(data.draw(st.integers(0, len(running) - 1)))
        targets = data.draw(st.lists(st.sampled_from(edges.followers.get(source, (END,))), unique=True))
        gave[source] = {target: f"{source} to {target}" for target in targets}
        over.append(source)
        for ready in schedule.done(source, gave[source]):
            assert ready.inputs == {
                s: gave[s][ready.key] for s in edges.sources[ready.key] if ready.key in gave.get(s, {})
            }
            assert ready.inputs
            assert set(edges.sources[ready.key]) <= {*over, *schedule.skipped}
            running.append(ready.key)

    assert sorted([*over, *schedule.skipped]) == sorted({START, *edges.sources})


@given(st.integers(1, 6), st.integers(1, 20))
def test_a_step_begins_when_the_one_before_it_is_done(width: int, steps: int) -> None:
    """However many nodes it has; the limit counts steps, not nodes."""
    names = [f"n{place}" for place in range(width)]
    edges = Edges(
        [*((START, name) for name in names), *((a, b) for a in names for b in names), (names[0], END)]
    )
    schedule = Steps(edges, steps)
    ready = schedule.done(START, dict.fromkeys(names, 0))
    for _ in range(steps):
        assert not schedule.exhausted
        assert [each.key for each in ready] == names
        for name in names[:-1]:
            assert schedule.done(name, dict.fromkeys(names, 0)) == []
        ready = schedule.done(names[-1], dict.fromkeys(names, 0))

    assert schedule.exhausted
