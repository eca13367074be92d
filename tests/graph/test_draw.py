"""Graphs as Mermaid text and as pictures, with and without what a run tells."""

from __future__ import annotations

import asyncio
import builtins
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sideband import component
from sideband.errors import MissingExtraError
from sideband.graph import END, START, Chain, Graph, Runnable, Workflow, field, static
from sideband.testing import Recorder

from .helpers import double, line
from .mapped import named, same


def one(key: str, node: Any = same) -> Runnable[Any, Any]:
    """Make a graph of one node."""
    return Graph[Any, Any]("one").add_node(key, node).add_edge(START, key).add_edge(key, END).compile()


def test_nodes_and_edges_are_drawn() -> None:
    """In the order in which they were added."""
    assert line(double, double).draw() == (
        "flowchart TD\n"
        '    n0("START")\n'
        '    n1("END")\n'
        '    n2["n0"]\n'
        '    n3["n1"]\n'
        "    n0 --> n2\n"
        "    n2 --> n3\n"
        "    n3 --> n1\n"
    )


def test_the_direction_may_be_from_left_to_right() -> None:
    """Others are refused."""
    assert line(double).draw(direction="LR").startswith("flowchart LR\n")
    with pytest.raises(ValueError, match="direction must be 'TD' or 'LR', got 'up'"):
        line(double).draw(direction="up")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType,reportCallIssue]


def test_graphs_inside_are_boxes_with_ends_of_their_own() -> None:
    """Arrows lead to where they begin, and from where they end."""
    drawn = one("outer", one("in")).draw()

    assert 'subgraph n2 ["outer"]' in drawn
    assert "    n0 --> n3\n    n4 --> n1\n" in drawn


def kind_of(_: Any) -> str:
    return "good"


def test_branches_are_dotted_and_say_what_is_chosen() -> None:
    """Where that is the target itself, who chooses."""
    graph = Graph[Any, Any]().add_node("a", same).add_node("b", same).add_edge(START, "a").add_edge("b", END)
    graph.add_branch("a", kind_of, {"good": "b", 3: END}).add_branch("a", kind_of, ["b"])

    drawn = graph.compile().draw()

    assert re.findall(r"n2 (-\..*?\.->) (n\d)", drawn) == [
        ('-. "good" .->', "n3"),
        ('-. "3" .->', "n1"),
        ('-. "kind_of" .->', "n3"),
    ]


def test_arrows_of_a_workflow_say_what_is_taken() -> None:
    """Which field goes where; order alone is dotted."""
    workflow = Workflow[Any, Any]().add_node("a", same, inputs=START).add_node("b", same, inputs=START)
    workflow.add_node(
        "n", named, inputs={"a": field("a", "x.0"), "b.c": "a", "b.d": static(1)}, depends_on="b"
    )
    drawn = workflow.output(field("n", 0)).compile().draw()

    assert 'n2 -- "x.0 → a<br/>b.c" --> n4' in drawn
    assert 'n3 -. "then" .-> n4' in drawn
    assert 'n4 -- "0" --> n1' in drawn


async def test_a_finished_run_is_drawn_with_its_times() -> None:
    """How long, how often, how it ended; what was not executed is pale; what runs inside of a node is not its."""

    @component("Tool", name="inside")
    def inside(x: Any) -> Any:
        return x

    def fail(_: Any) -> Any:
        raise ValueError

    graph = (
        Graph[Any, Any]("g", cycles=True).add_node("again", lambda x: inside(x) + 1).add_node("never", same)
    )
    graph.add_node("fails", fail).add_edge(START, "again").add_edge("fails", END).add_edge("never", END)
    graph.add_branch("again", lambda x: "fails" if x == 3 else "again", ["again", "fails", "never"])
    runnable, recorder = graph.compile(), Recorder()
    with pytest.raises(ValueError):
        await runnable.invoke(0, callbacks=[recorder])

    drawn = runnable.draw(runs=recorder.runs())

    assert re.search(r'n2\["again<br/>[\d.]+ (µs|ms) in 3 runs"\]', drawn)
    assert re.search(r'n4\["fails<br/>[\d.]+ (µs|ms) error"\]', drawn)
    assert "class n3 idle\n    class n4 failed\n" in drawn


async def test_times_are_of_the_nodes_of_inner_graphs_too() -> None:
    """A box has its own."""
    runnable, recorder = one("outer", one("in")), Recorder()
    await runnable.invoke(0, callbacks=[recorder])

    drawn = runnable.draw(runs=recorder.runs())

    assert re.search(r'\["outer, [\d.]+ (?:µs|ms)"\]', drawn)
    assert re.search(r'\["in<br/>[\d.]+ (?:µs|ms)"\]', drawn)
    assert "class n" not in drawn


@pytest.mark.parametrize("format", ["svg", "png"])
def test_a_picture_is_drawn_without_a_browser(format: Any) -> None:  # noqa: A002
    """Of a graph with all that can be in one."""
    pytest.importorskip("mermaidx")
    inner = Chain[Any, Any]("inner").append(same).append(double).compile()
    graph = Graph[Any, Any]("g").add_node('a "<b>"', inner).add_node("end", same).add_edge(START, 'a "<b>"')
    graph.add_branch('a "<b>"', kind_of, {"good": "end", "bad": END}).add_edge("end", END)

    drawn = graph.compile().draw(format=format)

    if format == "png":
        assert drawn.startswith(b"\x89PNG\r\n")
    else:
        text = "".join(ET.fromstring(drawn).itertext())
        assert 'a "<b>"' in text
        assert "good" in text
        assert "end" in text


def test_a_picture_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command that installs it; the text needs nothing."""
    found = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "mermaidx":
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    assert line(double).draw().startswith("flowchart")
    with pytest.raises(MissingExtraError, match=r'pip install "sideband\[draw\]"'):
        line(double).draw(format="svg")


def test_other_formats_are_refused() -> None:
    """Those that there are, are told."""
    with pytest.raises(ValueError, match="format must be 'mermaid', 'svg' or 'png', got 'gif'"):
        line(double).draw(format="gif")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType,reportCallIssue]


@settings(max_examples=30)
@given(st.text(min_size=1).filter(lambda key: key not in {START, END}))
def test_no_key_breaks_the_drawing(key: str) -> None:
    """Whatever is in it is in a label, escaped."""
    drawn = one(key).draw()

    (label,) = re.findall(r'^    n2\["(.*)"\]$', drawn, re.MULTILINE)
    assert not set('"<>&`\\') & set(label.replace("<br/>", ""))
    assert len(drawn.split("\n")) == len(one("n").draw().split("\n"))


async def test_drawing_does_not_need_a_run_that_ended() -> None:
    """Of one that goes on it shows how long it has taken so far."""
    recorder, release = Recorder(), asyncio.Event()
    runnable = one("n", lambda _: release.wait())
    async with asyncio.TaskGroup() as group:
        group.create_task(runnable.invoke(0, callbacks=[recorder]))
        while not recorder.runs():
            await asyncio.sleep(0)
        assert "class n2 idle" in runnable.draw(runs=recorder.runs()[:1])
        release.set()
