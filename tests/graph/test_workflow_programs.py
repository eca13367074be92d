"""Random workflows keep the invariants of runs, whatever they take from whom."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sideband import callbacks
from sideband.graph import END, Runnable, Workflow, field, static
from sideband.graph._schedule import AllOf, Edges
from sideband.testing import Recorder, check_lifecycle

from .test_programs import Drawn, choose, consume, function, graphs, key, ways


def inputs(node: Drawn, form: int) -> Any:
    """Return what a node takes of those that lead to it: numbers have a field "real"."""
    sources = [key(place) for place in node.sources]
    if len(sources) == 1 and form == 0:
        return sources[0]
    if len(sources) == 1 and form == 1:
        return field(sources[0], "real")
    if form == 2:
        return {"deep.static": static(1), **{f"deep.{source}": field(source, "real") for source in sources}}
    return {source: source for source in sources}


def build(nodes: list[Drawn], forms: list[int]) -> Runnable[Any, Any]:
    """Make the workflow: the output takes from all, and a node with a choice lets it control who follows."""
    workflow = Workflow[Any, Any]("random")
    followers: dict[int, list[str]] = {}
    for place, node in enumerate(nodes):
        form = forms[place % len(forms)]
        after = [key(place - 1)] if form == 3 else []
        workflow.add_node(key(place), function(node), inputs=inputs(node, form), depends_on=after)
        for source in node.sources:
            followers.setdefault(source, []).append(key(place))
    for place, node in enumerate(nodes):
        targets = followers.get(place, [])
        if node.choice is not None and targets:
            chosen = [target for number, target in enumerate(targets) if number in node.choice]
            workflow.add_branch(key(place), partial(choose, chosen), [*targets, END])
    return workflow.output({key(place): key(place) for place in range(-1, len(nodes))}).compile()


@given(graphs(), st.lists(st.integers(0, 3), min_size=1, max_size=7), ways)
def test_random_workflows_keep_the_invariants_of_runs(nodes: list[Drawn], forms: list[int], how: str) -> None:
    """Every run ends once, inside of its workflow's, and watching changes nothing."""

    async def run(watch: bool) -> str:
        workflow, recorder = build(nodes, forms), Recorder()
        with callbacks(*([recorder] if watch else [])):
            result = await asyncio.wait_for(consume(workflow, how), 20)
        assert len(asyncio.all_tasks()) == 1
        if watch and recorder.runs():
            check_lifecycle(recorder)
            assert list(recorder)[-1].run.name == "random"
            assert len(recorder.runs()) == len({run.path for run in recorder.runs()})
        return result

    assert asyncio.run(run(watch=True)) == asyncio.run(run(watch=False))


edges = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25)


@given(edges, st.data())
def test_who_is_led_to_is_ready_and_what_others_were_given_is_handed_out_unused(
    drawn: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Each node is ready or skipped, once, after all its sources; nothing that was delivered is lost."""
    pairs = Edges([(f"{min(pair)}", f"{max(pair)}") for pair in drawn if pair[0] != pair[1]])
    heads = [source for source in pairs.followers if source not in pairs.sources]
    everybody = Edges(
        [*(("START", head) for head in heads), *((s, t) for s, ts in pairs.followers.items() for t in ts)]
    )
    schedule = AllOf(everybody)
    delivered, taken = set[str](), set[str]()
    led_to, over, running = set[str](), list[str](), ["START"]
    while running:
        source = running.pop(data.draw(st.integers(0, len(running) - 1)))
        over.append(source)
        followers = everybody.followers.get(source, ())
        led = data.draw(st.sets(st.sampled_from(followers))) if followers else set[str]()
        given_to = data.draw(st.sets(st.sampled_from(followers))) if followers else set[str]()
        led_to |= led
        deliveries = {target: f"{source} to {target}" for target in given_to}
        delivered |= set(deliveries.values())
        for ready in schedule.done(source, deliveries, led):
            taken |= set(ready.inputs.values())
            running.append(ready.key)

    assert sorted([*over, *schedule.skipped]) == sorted({"START", *everybody.sources})
    assert set(over) - {"START"} == led_to
    assert taken.isdisjoint(schedule.unused)
    assert taken | set(schedule.unused) == delivered
