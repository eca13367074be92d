"""Rounds: a model that uses tools, and who sees that."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sideband import Abort, component, observe
from sideband.components import Message, ToolDefinition, ToolResult
from sideband.generation import Frame, Request, RoundLimitError, Runtime, Tool
from sideband.testing import Recorder, check_lifecycle

from .helpers import Noting
from .toolkit import Model, add, call, results_of


async def test_a_model_sees_what_its_tools_gave() -> None:
    """It is asked again with its own message and the results, and the frames of all rounds come in order.

    Niro, statement 76, decided anew: each result is a message; providers put them together as their protocols want.
    """
    model = Model([call("add", '{"a": 2}', "c1"), call("add", '{"a": 5, "b": 5}', "c2")])

    stream = Runtime(model, tools=[add]).generate("go")
    kinds = [frame.kind async for frame in stream]

    assert kinds == [
        "text",
        "tool_call",
        "tool_call",
        "usage",
        "tool_result",
        "tool_result",
        "text",
        "usage",
        "response",
    ]
    assert stream.message == Message.assistant("3 10")
    assert model.asked[1].messages == (
        Message.user("go"),
        Message.assistant("round 1 ", tool_calls=model.rounds[0]),
        Message.tool("3", call_id="c1", name="add"),
        Message.tool("10", call_id="c2", name="add"),
    )
    assert [request.tools for request in model.asked] == [(Tool(add).definition,)] * 2


async def test_usage_is_the_sum_of_the_rounds_and_the_response_the_last_ones() -> None:
    """Niro, statement 75."""
    stream = Runtime(Model([call("add", '{"a": 1}')]), tools=[add]).generate("go")
    await stream.collect()

    assert (stream.usage.input_tokens, stream.usage.output_tokens) == (20, 3)
    assert stream.response is not None
    assert stream.response.id == "r-2"


async def test_the_request_of_the_caller_is_not_changed() -> None:
    """Niro, statement 69."""
    request = Request([Message.user("go")])

    await Runtime(Model([call("add", '{"a": 1}')]), tools=[add]).generate(request).collect()

    assert request == Request([Message.user("go")])


@pytest.mark.parametrize(
    ("choice", "then"), [("required", "auto"), ("add", "auto"), ("none", "none"), (None, None)]
)
async def test_a_forced_tool_is_forced_once(choice: str | None, then: str | None) -> None:
    """Niro, statement 70: in the next round the model is free."""
    model = Model([call("add", '{"a": 1}')])

    await Runtime(model, tools=[add]).generate(Request([Message.user("go")], tool_choice=choice)).collect()

    assert [request.tool_choice for request in model.asked] == [choice, then]


async def test_tools_are_executed_together_and_their_results_come_in_the_order_of_the_calls() -> None:
    """Niro, statement 74: whichever is done first."""
    both = asyncio.Barrier(2)
    order: list[str] = []

    async def wait(name: str) -> str:
        await both.wait()
        if name == "a":
            await asyncio.sleep(0)
        order.append(name)
        return name

    model = Model([call("wait", '{"name": "a"}', "1"), call("wait", '{"name": "b"}', "2")])

    assert [result.content for result in await results_of(Runtime(model, tools=[wait]))] == ["a", "b"]
    assert order == ["b", "a"]


async def test_no_more_tools_are_executed_at_a_time_than_may() -> None:
    """Niro, statement 83: the limit is one."""
    running = most = 0

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    model = Model([call("count", id=str(number)) for number in range(10)])
    await results_of(Runtime(model, tools=[count], max_parallel_tools=3))

    assert most == 3


async def test_a_plain_function_is_executed_in_a_thread() -> None:
    """So that it may block; its runs are inside of the tool's."""
    recorder = Recorder()

    def where() -> str:
        with observe("inside"):
            return threading.current_thread().name

    (result,) = await results_of(Runtime(Model([call("where")]), tools=[where], hooks=[recorder]))

    assert result.content != threading.current_thread().name
    assert [run.name for run in recorder.children(recorder.run("where"))] == ["inside"]


async def test_tools_are_executed_after_the_consumer_has_seen_their_calls() -> None:
    """Niro, statements 71 and 72, decided anew: not while the model still speaks, nor before the hooks have seen it."""
    called: list[str] = []

    def act() -> None:
        called.append("tool")

    async for frame in Runtime(Model([call("act")]), tools=[act]).generate("go"):
        if frame.kind == "tool_call":
            assert called == []
            called.append("consumer")

    assert called == ["consumer", "tool"]


async def test_a_hook_that_rejects_a_call_keeps_its_tool_from_being_executed() -> None:
    """Niro, statement 73: an abort at its frame comes before."""
    called: list[str] = []

    class Reject(Noting):
        def on_frame(self, frame: Frame, elapsed: float) -> None:
            if frame.kind == "tool_call":
                raise Abort

    with pytest.raises(Abort):
        await (
            Runtime(
                Model([call("act")]), tools=[Tool(lambda: called.append("x"), name="act")], hooks=[Reject()]
            )
            .generate("go")
            .collect()
        )

    assert called == []


async def test_a_model_that_never_ends_is_asked_so_often_and_no_more() -> None:
    """Niro, statement 80, decided anew: the last calls are not executed, since nobody would see their results."""
    called: list[int] = []
    model = Model(*[[call("act")]] * 10)

    with pytest.raises(
        RoundLimitError, match="after max_rounds=3 answers the model still asks for 'act'"
    ) as raised:
        await (
            Runtime(model, tools=[Tool(lambda: called.append(1), name="act")], max_rounds=3)
            .generate("go")
            .collect()
        )

    assert (len(model.asked), len(called)) == (3, 2)
    assert raised.value.calls == (call("act"),)


async def test_calls_without_an_executor_are_the_consumers() -> None:
    """A runtime without tools executes none."""
    model = Model([call("act")])

    stream = Runtime(model).generate(Request([Message.user("go")], tools=[ToolDefinition("act")]))
    await stream.collect()

    assert stream.message.tool_calls == (call("act"),)
    assert len(model.asked) == 1


async def test_hooks_are_told_of_calls_and_results_by_whoever_executes_them() -> None:
    """Once each, with the call's id (Niro, statement 87) and the time that the tool took (flaw 7)."""
    hook = Noting()

    await Runtime(Model([call("add", '{"a": 1}', "c1")]), tools=[add], hooks=[hook]).generate("go").collect()

    assert hook.names == ["start", "frame", "frame", "call", "result", "frame", "frame", "end"]
    ((told, elapsed),) = [(rest[0], rest[1]) for what, *rest in hook.calls if what == "result"]
    assert told == ToolResult("c1", "add", 2)
    assert 0 <= elapsed < 5


async def test_rounds_and_tools_are_runs_inside_of_the_generation() -> None:
    """Handlers see all of them, generation hooks the whole alone: Niro, statement 118."""
    recorder, hook = Recorder(), Noting()

    await (
        Runtime(Model([call("add", '{"a": 1}')]), tools=[add], hooks=[recorder, hook])
        .generate("go")
        .collect()
    )

    check_lifecycle(recorder)
    whole, first, added, second = recorder.runs()
    assert [run.component for run in (whole, first, added, second)] == [
        "ChatModel",
        "ChatModel",
        "Tool",
        "ChatModel",
    ]
    assert {run.parent for run in (first, added, second)} == {whole}
    assert (whole.usage.output_tokens, first.usage.output_tokens, second.usage.output_tokens) == (3, 1, 2)
    assert hook.names.count("end") == 1


async def test_a_tool_that_observes_itself_is_not_observed_twice() -> None:
    """It keeps its own name."""
    recorder = Recorder()

    @component("Tool", name="adder")
    async def plus(a: int) -> int:
        """Add one."""
        return a + 1

    await Runtime(Model([call("plus", '{"a": 1}')]), tools=[plus], hooks=[recorder]).generate("go").collect()

    assert [run.name for run in recorder.runs(component="Tool")] == ["adder"]
