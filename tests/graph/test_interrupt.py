"""Graphs that wait for a human's answer, and go on.

The numbers are those of the statements on Eino's interruptions; where ours differ the docstring says how.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sideband import component
from sideband.components import Message, serialisable
from sideband.errors import Interrupted
from sideband.graph import (
    END,
    START,
    Chain,
    Graph,
    GraphBuildError,
    InterruptError,
    MemoryCheckpoints,
    Question,
    Retry,
    Runnable,
    StepLimitError,
    Workflow,
    graph_state,
    interrupt,
)
from sideband.testing import Recorder, check_lifecycle

from .helpers import count, double, total
from .mapped import same


def ask(value: Any) -> Any:
    return [value, interrupt(f"what of {value}?")]


async def twice(value: Any) -> Any:
    await asyncio.sleep(0)
    return [value, interrupt("first"), interrupt("second")]


def line(*nodes: Any, **options: Any) -> Runnable[Any, Any]:
    """Make a chain that is kept, of nodes n0, n1, …."""
    chain = Chain[Any, Any]("line")
    for place, node in enumerate(nodes):
        chain.append(node, key=f"n{place}")
    return chain.compile(checkpoints=options.get("store") or MemoryCheckpoints())


async def interrupted(call: Any) -> Interrupted:
    """Return how a call waits."""
    with pytest.raises(Interrupted) as raised:
        await call
    return raised.value


async def test_a_graph_waits_and_goes_on_with_the_answer() -> None:
    """235, 239: what was done is not executed again; the node that asked is, with the very input that it had."""
    executed: list[str] = []

    def first(value: int) -> int:
        executed.append("first")
        return value + 1

    runnable = line(first, ask, same)

    waiting = await interrupted(runnable.invoke(1))

    assert waiting.questions == (Question(("n1",), "what of 2?"),)
    assert (waiting.questions[0].id, len(waiting.id)) == ("n1", 32)
    assert await runnable.resume(waiting.id, "yes") == [2, "yes"]
    assert executed == ["first"]


async def test_interrupted_is_an_outcome_and_no_error() -> None:
    """Of the node, of the graph, and of what asks inside of the node; there it is an error (186, eino #859)."""

    @component("Tool", name="tool")
    async def tool(value: Any) -> Any:
        return ask(value)

    recorder = Recorder()

    async def node(value: Any) -> Any:
        return await tool(value)

    waiting = await interrupted(line(node).invoke(1, callbacks=[recorder]))

    check_lifecycle(recorder)
    assert [(run.name, str(run.outcome), run.error) for run in recorder.runs()] == [
        ("line", "interrupted", None),
        ("n0", "interrupted", None),
        ("tool", "interrupted", None),
    ]
    assert all(run.output == waiting.questions for run in recorder.runs())
    assert not [record for record in recorder if record.timing == "on_error"]


async def test_the_resumed_run_is_linked_to_the_interrupted_one() -> None:
    """242: there it is not. Its input is how it goes on (238)."""
    before, after, runnable = Recorder(), Recorder(), line(ask, same)
    waiting = await interrupted(runnable.invoke(1, callbacks=[before]))

    await runnable.resume(waiting.id, "yes", callbacks=[after])

    check_lifecycle(after)
    graph, *nodes = after.runs()
    assert graph.links == (before.runs()[0].link(),)
    assert (graph.input.id, graph.input.answers) == (waiting.id, {"n0": "yes"})
    assert [(run.name, run.input) for run in nodes] == [("n0", 1), ("n1", [1, "yes"])]


async def test_unwatched_it_is_the_same() -> None:
    """There is no run to link to then, and it can be watched later."""
    runnable, recorder = line(ask), Recorder()
    waiting = await interrupted(runnable.invoke(1))

    assert await runnable.resume(waiting.id, 2, callbacks=[recorder]) == [1, 2]
    assert recorder.runs()[0].links == ()


async def test_a_node_may_ask_several_times() -> None:
    """One after the other; each answer is given again when the node is executed again."""
    store = MemoryCheckpoints()
    runnable = line(twice, store=store)

    one = await interrupted(runnable.invoke(0))
    two = await interrupted(runnable.resume(one.id, "a"))

    assert (one.questions[0].question, two.questions[0].question) == ("first", "second")
    assert store.ids() == [two.id]
    assert await runnable.resume(two.id, "b") == [0, "a", "b"]
    assert store.ids() == []


def wide(**options: Any) -> Graph[Any, Any]:
    """Make a graph of two nodes that ask, one that does not, and one behind them."""
    graph = Graph[Any, Any]("wide", **options)
    for key, node in {"left": ask, "right": twice, "plain": double, "last": same}.items():
        graph.add_node(key, node)
    for key in ("left", "right", "plain"):
        graph.add_edge(START, key).add_edge(key, "last")
    return graph.add_edge("last", END)


async def test_several_nodes_may_wait_at_once() -> None:
    """241: the others go on to their ends; what is not answered goes on waiting without being executed."""
    runnable, recorder = wide().compile(checkpoints=MemoryCheckpoints()), Recorder()

    waiting = await interrupted(runnable.invoke(3, callbacks=[recorder]))
    assert {question.id for question in waiting.questions} == {"left", "right"}
    assert {run.name: str(run.outcome) for run in recorder.runs()}["plain"] == "ok"

    recorder = Recorder()
    waiting = await interrupted(runnable.resume(waiting.id, answers={"right": 1}, callbacks=[recorder]))
    check_lifecycle(recorder)
    assert [run.name for run in recorder.runs()] == ["wide", "right"]

    result = await runnable.resume(waiting.id, answers={"left": "l", "right": 2})
    assert result == {"left": [3, "l"], "right": [3, 1, 2], "plain": 6}


async def test_graphs_inside_are_kept_with_the_one_around_them() -> None:
    """237: at any depth; nodes that were done inside are not executed again."""
    executed: list[str] = []

    def note(value: Any) -> Any:
        executed.append("inner")
        return value

    inner = Chain[Any, Any]("inner").append(note, key="note").append(twice, key="ask").compile()
    middle = (
        Workflow[Any, Any]("middle").add_node("in", inner, inputs={"x": START}).output({"y": "in"}).compile()
    )
    runnable = line(middle, same)

    waiting = await interrupted(runnable.invoke(1))
    assert waiting.questions == (Question(("n0", "in", "ask"), "first"),)
    waiting = await interrupted(runnable.resume(waiting.id, "a"))
    assert await runnable.resume(waiting.id, "b") == {"y": [{"x": 1}, "a", "b"]}
    assert executed == ["inner"]


@pytest.mark.parametrize("steps", [2, 3])
async def test_cycles_go_on_in_the_step_in_which_they_waited(steps: int) -> None:
    """The steps that were taken before count."""
    graph = (
        Graph[Any, Any]("loop", cycles=True)
        .add_node("ask", lambda x: x + interrupt(x))
        .add_edge(START, "ask")
    )
    graph.add_branch("ask", lambda x: "ask" if x < 3 else END, ["ask", END])
    runnable = graph.compile(checkpoints=MemoryCheckpoints(), max_steps=steps)

    waiting = await interrupted(runnable.invoke(0))
    waiting = await interrupted(runnable.resume(waiting.id, 1))
    if steps == 2:
        with pytest.raises(StepLimitError):
            await runnable.resume(waiting.id, 1)
    else:
        waiting = await interrupted(runnable.resume(waiting.id, 1))
        assert waiting.questions[0].question == 2
        assert await runnable.resume(waiting.id, 1) == 3


@serialisable
@dataclass
class Notes:
    """A state that can be kept."""

    lines: list[str] = field(default_factory=list[str])


async def test_the_state_is_as_it_was() -> None:
    """236: also what hooks did to it, which are not called again before the node that asked (240)."""

    def write(state: Notes, value: Any) -> Any:
        state.lines.append(f"before {value}")
        return value

    def read(_: Any) -> list[str]:
        return graph_state(Notes).lines

    graph = Graph[Any, Any]("g", state=Notes).add_node("ask", ask, before=write).add_node("read", read)
    runnable = (
        graph.add_edge(START, "ask")
        .add_edge("ask", "read")
        .add_edge("read", END)
        .compile(checkpoints=MemoryCheckpoints())
    )

    waiting = await interrupted(runnable.invoke(1))
    assert await runnable.resume(waiting.id, None) == ["before 1"]


async def test_messages_and_streams_are_kept() -> None:
    """236: streams are put together; values of the library come back as they were."""
    graph = Graph[Any, Any]("g").add_node("count", count).add_node("ask", ask).add_node("both", same)
    graph.add_edge(START, "count").add_edge(START, "ask").add_edge("count", "both").add_edge("ask", "both")
    runnable = graph.add_edge("both", END).compile(checkpoints=MemoryCheckpoints())
    waiting = await interrupted(runnable.invoke(3))
    assert await runnable.resume(waiting.id, Message.user("hi")) == {
        "count": 2,
        "ask": [3, Message.user("hi")],
    }


async def test_streamed_calls_wait_and_go_on_too() -> None:
    """The question comes where the first chunk would have."""
    runnable, recorder = line(ask, lambda value: 3, count), Recorder()

    waiting = await interrupted(runnable.stream(1, callbacks=[recorder]).collect())
    assert [str(run.outcome) for run in recorder.runs()] == ["interrupted", "interrupted"]
    check_lifecycle(recorder)
    stream = await runnable.resume_stream(waiting.id, None)
    assert await stream.collect() == [0, 1, 2]


def test_the_synchronous_twin_goes_on() -> None:
    """In a thread that runs no loop."""
    runnable = line(ask)
    with pytest.raises(Interrupted) as raised:
        runnable.invoke_sync(1)
    assert runnable.resume_sync(raised.value.id, "a") == [1, "a"]


async def test_after_an_error_it_can_be_resumed_again() -> None:
    """Nothing is lost: what is kept is forgotten at a good end alone."""
    failures = [True]

    def fail(value: Any) -> Any:
        if failures:
            raise ConnectionError(failures.pop())
        return value

    store = MemoryCheckpoints()
    runnable = line(ask, fail, store=store)
    waiting = await interrupted(runnable.invoke(1))

    with pytest.raises(ConnectionError):
        await runnable.resume(waiting.id, "a")
    assert store.ids() == [waiting.id]
    assert await runnable.resume(waiting.id, "b") == [1, "b"]


async def test_a_retried_node_is_given_its_answers_again() -> None:
    """Each attempt from the first one on; to ask is no failure."""
    failures = [True]

    def node(value: Any) -> Any:
        answer = interrupt("?")
        if failures:
            raise ConnectionError(failures.pop())
        return answer

    runnable = (
        Chain[Any, Any]("c").append(node, retry=Retry(delay=0)).compile(checkpoints=MemoryCheckpoints())
    )
    waiting = await interrupted(runnable.invoke(1))
    assert await runnable.resume(waiting.id, "a") == "a"


async def stream_that_asks(_: Any) -> AsyncIterator[Any]:
    yield interrupt("?")


async def test_where_nothing_can_be_kept_to_ask_is_an_error() -> None:
    """Without a store, in streams, outside of graphs; it says what to do."""
    with pytest.raises(InterruptError, match="checkpoints=…"):
        interrupt("?")
    with pytest.raises(InterruptError, match="checkpoints=…"):
        await Chain[Any, Any]().append(ask).compile().invoke(1)
    with pytest.raises(InterruptError, match="not streams"):
        await line(stream_that_asks, total).invoke(1)
    inner = Chain[Any, Any]("inner").append(ask).append(stream_that_asks).compile()
    with pytest.raises(InterruptError, match="not streams"):
        await line(inner).invoke(1)


async def test_an_interruption_that_is_caught_is_an_error() -> None:
    """Else the question would be lost."""

    def careless(value: Any) -> Any:
        try:
            return interrupt("?")
        except Exception:
            return value

    with pytest.raises(InterruptError, match="'n0' caught the interruption"):
        await line(careless).invoke(1)


async def test_a_graph_that_a_node_calls_by_hand_cannot_wait() -> None:
    """It would be forgotten where it stands; as a node it can."""
    inner = line(ask)

    with pytest.raises(InterruptError, match="make it a node"):
        await line(inner.invoke).invoke(1)


async def test_what_has_no_form_in_json_is_told() -> None:
    """With the node that needs it, and how a dataclass can be kept."""
    with pytest.raises(InterruptError, match=r"what 'n1' needs to go on.*serialisable"):
        await line(lambda _: object(), ask).invoke(1)


async def test_a_graph_may_pause_before_nodes_that_know_nothing_of_it() -> None:
    """235: the question is the node's input; whatever is answered, it goes on. The node may ask by itself then."""
    recorder = Recorder()
    chain = (
        Chain[Any, Any]("c").append(double, key="double").append(ask, key="ask").append(total, key="total")
    )
    runnable = chain.compile(checkpoints=MemoryCheckpoints(), pause_before=["double", "ask"])

    one = await interrupted(runnable.invoke(1, callbacks=[recorder]))
    assert (one.questions, len(recorder.runs())) == ((Question(("double",), 1),), 1)
    two = await interrupted(runnable.resume(one.id))
    assert two.questions == (Question(("ask",), 2),)
    three = await interrupted(runnable.resume(two.id, "ignored"))
    assert three.questions == (Question(("ask",), "what of 2?"),)
    with pytest.raises(TypeError):
        await runnable.resume(three.id, "a")  # what it gives is no number


async def test_it_may_pause_before_a_node_that_takes_a_stream() -> None:
    """Which is put together to be kept, and is one chunk afterwards; also in a graph inside."""
    inner = (
        Chain[Any, Any]("inner")
        .append(count, key="count")
        .append(total, key="total")
        .compile(pause_before="total")
    )
    runnable = line(inner)

    waiting = await interrupted(runnable.invoke(4))
    assert waiting.questions == (Question(("n0", "total"), 3),)
    assert await runnable.resume(waiting.id) == 3

    with pytest.raises(InterruptError, match="checkpoints=…"):
        await inner.invoke(4)


def test_nodes_to_pause_before_have_to_be_there() -> None:
    """Told with all other problems."""
    with pytest.raises(GraphBuildError, match="pause_before names 'b', but there is no such node"):
        Chain[Any, Any]().append(same, key="a").compile(pause_before=["a", "b"])
