"""Workflows: nodes that say what they take from whom, and what is told where they cannot have it.

The numbers are those of the statements on Eino's workflows; where ours differ the docstring says how.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sideband import callbacks
from sideband.generation import Frame
from sideband.graph import (
    END,
    START,
    Field,
    FieldMissingError,
    Graph,
    Workflow,
    field,
    static,
)
from sideband.testing import Recorder, check_lifecycle

from .mapped import Options, Point, Question, anything, entries, named, point, same, typed

GIVEN = {"q": Question("hi", Options(5, ("x", "y"))), "list": [1, {"deep": "found"}], "a.b": "dotted"}


@pytest.mark.parametrize(
    ("component", "inputs", "expected"),
    [
        # 223: whole to whole, field to whole, whole to field, field to field; and nested ones.
        (same, START, GIVEN),
        (same, field(START, "q.text"), "hi"),
        (same, {"all": START}, {"all": GIVEN}),
        (same, {"text": field(START, "q.text")}, {"text": "hi"}),
        (same, {"deep.er": field(START, "q.options.k")}, {"deep": {"er": 5}}),
        (same, field(START, "list.1.deep"), "found"),
        (same, field(START, ("list", -1, "deep")), "found"),
        (same, field(START, "q.options.tags.1"), "y"),
        (same, field(START, ("a.b",)), "dotted"),
        (same, {("a.b",): static(1)}, {"a.b": 1}),
        # 225: static values.
        (same, {"k": static(3), "text": field(START, "q.text")}, {"k": 3, "text": "hi"}),
        # Ours alone: by the names of parameters, and as the type that the parameter is annotated with.
        (named, {"a": field(START, "q.text")}, ("hi", "default")),
        (named, {"a": static(1), "b.c": static(2)}, (1, {"c": 2})),
        (anything, {"x": static(1), "y": START}, {"x": 1, "y": GIVEN}),
        (typed, field(START, "q"), GIVEN["q"]),
        (typed, {"text": field(START, "q.text"), "options.k": static(7)}, Question("hi", Options(7))),
        (Question, {"text": field(START, "q.text")}, Question("hi")),
        (point, {"x": static(1)}, Point(1)),
        (entries, {"a": static(1)}, {"a": 1}),
    ],
)
async def test_a_node_is_given_what_its_inputs_say(component: Any, inputs: Any, expected: Any) -> None:
    """222, 223, 225: whatever the shapes on both sides are."""
    workflow = Workflow[Any, Any]("w").add_node("n", component, inputs=inputs, depends_on=[START]).output("n")

    assert await workflow.compile().invoke(GIVEN) == expected


async def test_the_output_is_put_together_as_an_input_is() -> None:
    """Also as the dataclass that the workflow is said to give, by several calls."""
    workflow = Workflow[str, Question]("w").add_node("n", str.upper, inputs=START)
    workflow.output({"text": "n"}).output({"options.k": static(9)})

    assert await workflow.compile().invoke("hi") == Question("HI", Options(9))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing", "it is a dict without the key 'nothing'; its keys are: 'q', 'list', 'a.b'"),
        ("q.txt", "'q' is a Question without 'txt'; it has: 'text', 'options'"),
        ("list.7", "'list' is a list of 2, which has no '7'"),
        ("q.text.more", "'q.text' is a str, which has no 'more'"),
        ("none.more", "'none' is None, which has no 'more'"),
    ],
)
async def test_a_field_that_is_not_there_is_told_with_what_there_was(path: str, reason: str) -> None:
    """226, 227: node, path, and what was in its place."""
    workflow = Workflow[Any, Any]("w").add_node("n", same, inputs=field(START, path)).output("n")

    with pytest.raises(FieldMissingError) as raised:
        await workflow.compile().invoke({**GIVEN, "none": None} if path.startswith("none") else GIVEN)

    error = raised.value
    assert (error.graph, error.node, error.source, ".".join(map(str, error.path))) == ("w", "n", START, path)
    assert str(error) == f"graph 'w': 'n' takes {path!r} of 'START', but {reason}"
    assert isinstance(error, LookupError)


async def test_none_at_the_end_of_a_path_is_a_value() -> None:
    """227: there for some types alone."""
    workflow = Workflow[Any, Any]().add_node("n", same, inputs=field(START, "a")).output({"got": "n"})

    assert await workflow.compile().invoke({"a": None}) == {"got": None}


async def test_order_without_data_waits_for_the_end_of_a_stream() -> None:
    """222: and gives nothing to who waits; who takes the stream has it chunk by chunk meanwhile."""
    seen: list[str] = []

    async def write(_: Any) -> AsyncIterator[str]:
        for word in ("a", "b"):
            seen.append(word)
            yield word

    def audit(given: Any) -> str:
        seen.append(f"audit {given}")
        return "audited"

    async def read(words: AsyncIterator[str]) -> str:
        return "".join([word async for word in words])

    workflow = Workflow[Any, Any]("w").add_node("write", write, inputs=START)
    workflow.add_node("audit", audit, depends_on=["write"]).add_node("read", read, inputs="write")
    workflow.output({"audit": "audit", "read": "read"})

    assert await workflow.compile().invoke(0) == {"audit": "audited", "read": "ab"}
    assert seen == ["a", "b", "audit None"]


def chosen(*keys: str) -> Callable[[Any], Any]:
    """Make a condition."""
    return lambda _: list(keys)


async def test_a_branch_controls_and_data_comes_from_mappings() -> None:
    """217: what the branch did not choose is skipped although its data came; what it chose is given it."""
    workflow = Workflow[Any, Any]("w").add_node("first", same, inputs=START)
    workflow.add_node("left", same, inputs={"data": START}).add_node("right", same, inputs="first")
    workflow.add_branch("first", chosen("left"), ["left", "right"])
    workflow.output({"left": "left", "right": "right"})
    recorder = Recorder()

    assert await workflow.compile().invoke(1, callbacks=[recorder]) == {"left": {"data": 1}}

    check_lifecycle(recorder)
    assert [run.path for run in recorder.runs()] == [(), ("first",), ("left",)]
    told = [(event.event, event.payload[-1]) for event in recorder if event.timing == "on_event"]
    assert told == [("branch", ("left",)), ("skip", "right")]


@pytest.mark.parametrize(
    ("choices", "executed"),
    [
        ((), []),
        (("left",), ["left", "after"]),
        (("left", "right"), ["left", "right", "after"]),
        (("right",), ["right"]),
    ],
)
async def test_a_node_is_skipped_if_all_that_it_takes_from_were(choices: Any, executed: list[str]) -> None:
    """207, 208: and the skip goes on."""
    workflow = (
        Workflow[Any, Any]("w").add_node("left", same, inputs=START).add_node("right", same, inputs=START)
    )
    workflow.add_branch(START, chosen(*choices), ["left", "right"])
    workflow.add_node("after", same, inputs="left", depends_on=["right"])
    workflow.output({"start": START, "after": "after"}, depends_on=["right"])
    recorder = Recorder()

    await workflow.compile().invoke(1, callbacks=[recorder])

    assert [run.name for run in recorder.runs()[1:]] == executed


async def test_what_a_node_has_to_have_of_a_skipped_one_is_told() -> None:
    """By name, as an entry of a dataclass, and as a whole."""
    for component, inputs in (
        (named, {"a": "gone", "b": START}),
        (typed, {"text": "gone", "options.k": START}),
    ):
        workflow = Workflow[Any, Any]("w").add_node("gone", same, inputs=START)
        workflow.add_branch(START, chosen(), ["gone"])
        workflow.add_node("n", component, inputs=inputs).output("n")

        with pytest.raises(FieldMissingError, match="'n' takes what 'gone' gives, but that node was skipped"):
            await workflow.compile().invoke(1)


async def stream(value: Any) -> AsyncIterator[Any]:
    for chunk in ({"text": "a", "n": 1}, {"other": True}, {"text": "b"}):
        yield chunk


async def gather(chunks: AsyncIterator[Any]) -> list[Any]:
    return [chunk async for chunk in chunks]


@pytest.mark.parametrize(
    ("component", "inputs", "expected"),
    [
        (same, field("s", "text"), "ab"),
        (same, {"t": field("s", "text"), "n": field("s", "n")}, {"t": "ab", "n": 1}),
        (gather, field("s", "text"), ["a", "b"]),
        (gather, {"t.u": field("s", "text")}, [{"t": {"u": "a"}}, {"t": {"u": "b"}}]),
        (gather, "s", [{"text": "a", "n": 1}, {"other": True}, {"text": "b"}]),
        (gather, {"k": static(1)}, [{"k": 1}]),
        (gather, field("s", "nothing"), []),
    ],
)
async def test_streams_are_mapped_chunk_by_chunk(component: Any, inputs: Any, expected: Any) -> None:
    """225, 226: a chunk without the field gives nothing; a static value is one chunk more."""
    workflow = Workflow[Any, Any]("w").add_node("s", stream, inputs=START)
    workflow.add_node("n", component, inputs=inputs, depends_on=["s"]).output("n")

    assert await workflow.compile().invoke(0) == expected


async def test_static_values_and_several_streams_are_one_stream() -> None:
    """225: the static chunk first; each source in its own order."""
    workflow = Workflow[Any, Any]("w").add_node("s", stream, inputs=START)
    workflow.add_node("n", gather, inputs={"k": static(1), "t": field("s", "text"), "v": START}).output("n")

    chunks = await workflow.compile().invoke(0)

    assert sorted(map(str, chunks)) == sorted(map(str, [{"k": 1}, {"t": "a"}, {"t": "b"}, {"v": 0}]))


async def test_who_takes_a_value_is_given_a_field_of_the_whole_stream() -> None:
    """Of what its chunks come to; that it has no such field is an error (226)."""

    async def frames(_: Any) -> AsyncIterator[Frame]:
        yield Frame.text("a")
        yield Frame.text("b")

    workflow = Workflow[Any, Any]("w").add_node("s", frames, inputs=START)
    workflow.add_node("n", same, inputs={"said": field("s", "text"), "who": field("s", "role")}).output(
        {"n": "n"}
    )
    assert await workflow.compile().invoke(0) == {"n": {"said": "ab", "who": "assistant"}}

    with pytest.raises(FieldMissingError, match="it is a Message without 'nothing'"):
        await (
            workflow.add_node("m", same, inputs=field("s", "nothing")).output({"m": "m"}).compile().invoke(0)
        )


async def test_a_method_is_no_field() -> None:
    """It would be taken for what it gives."""
    workflow = Workflow[Any, Any]("w").add_node("n", same, inputs=field(START, "upper")).output("n")

    with pytest.raises(FieldMissingError, match="it is a str, which has no 'upper'"):
        await workflow.compile().invoke("a")


async def test_the_first_output_leaves_before_the_last_input_has_come() -> None:
    """Fields of chunks are taken as they come."""
    seen: list[str] = []

    async def source() -> AsyncIterator[Any]:
        for word in "ab":
            seen.append(f"in {word}")
            yield {"text": word}

    async def loud(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
        async for chunk in chunks:
            yield chunk.upper()

    workflow = Workflow[Any, Any]("w").add_node("loud", loud, inputs=field(START, "text"))
    workflow.output({"said": "loud"})
    async for chunk in workflow.compile().transform(source()):
        seen.append(f"out {chunk['said']}")

    assert seen == ["in a", "out A", "in b", "out B"]


async def test_the_copy_of_a_stream_that_a_skipped_node_would_have_read_is_closed() -> None:
    """So that nothing is kept for it, and the source is closed when the others are done."""
    closed: list[bool] = []

    async def source(_: Any) -> AsyncIterator[int]:
        try:
            for number in range(3):
                yield number
        finally:
            closed.append(True)

    workflow = Workflow[Any, Any]("w").add_node("s", source, inputs=START)
    workflow.add_node("read", gather, inputs="s").add_node("skipped", gather, inputs="s")
    workflow.add_branch(START, chosen("read"), ["read", "skipped"]).output({"a": "read", "b": "skipped"})

    assert await workflow.compile().invoke(0) == {"a": [0, 1, 2]}
    assert closed == [True]


async def test_a_workflow_stands_in_graphs_and_graphs_in_it() -> None:
    """Each run is of its kind, with its path; a graph is given one value."""
    inner = (
        Workflow[Any, Any]("inner").add_node("n", same, inputs=field(START, "a")).output({"b": "n"}).compile()
    )
    outer = (
        Workflow[Any, Any]("outer")
        .add_node("in", inner, inputs={"a": START})
        .output(field("in", "b"))
        .compile()
    )
    graph = Graph[Any, Any]("graph").add_node("w", outer).add_edge(START, "w").add_edge("w", END).compile()
    recorder = Recorder()

    assert await graph.invoke(5, callbacks=[recorder]) == 5

    assert [(run.component.value, run.path) for run in recorder.runs()] == [
        ("Graph", ()),
        ("Workflow", ("w",)),
        ("Workflow", ("w", "in")),
        ("Lambda", ("w", "in", "n")),
    ]
    assert graph.nodes == (("w",), ("w", "in"), ("w", "in", "n"))


async def test_nodes_that_wait_for_nothing_of_each_other_run_together() -> None:
    """And what two of them gave is told as merged."""
    met = asyncio.Barrier(2)

    async def meet(value: Any) -> Any:
        await met.wait()
        return value

    workflow = Workflow[Any, Any]("w").add_node("a", meet, inputs=START).add_node("b", meet, inputs=START)
    workflow.add_node("n", named, inputs={"a": "a", "b": "b"}).output("n")
    recorder = Recorder()

    with callbacks(recorder):
        assert await asyncio.wait_for(workflow.compile().invoke(1), 10) == (1, 1)

    (merge,) = [event.payload for event in recorder if event.timing == "on_event"]
    assert (merge.node, merge.sources) == ("n", ("a", "b"))


async def test_the_state_is_there_for_nodes_and_hooks() -> None:
    """As in a graph; a hook before a node is given the input that was put together."""
    workflow = Workflow[Any, Any]("w", state=list)
    workflow.add_node(
        "n", same, inputs={"a": START}, before=lambda state, value: state.append(value) or value
    )
    workflow.add_node("m", same, inputs="n", after=lambda state, value: (value, list(state))).output("m")

    assert await workflow.compile().invoke(1) == ({"a": 1}, [{"a": 1}])


def test_a_workflow_shows_its_kind_and_name() -> None:
    """And what compile gave does not change."""
    workflow = Workflow[Any, Any]("w").add_node("n", same, inputs=START).output("n")
    runnable = workflow.compile()

    assert repr(workflow) == "<Workflow 'w', 1 nodes>"
    assert repr(runnable) == "<Runnable Workflow 'w', 1 nodes>"
    assert field("a", "b.0") == Field("a", ("b", "0"))
