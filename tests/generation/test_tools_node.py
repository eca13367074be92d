"""The tools node, and an agent that is a graph of a model and a tools node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from sideband import callbacks, component
from sideband.components import Message, ToolCall, Usage
from sideband.errors import Interrupted
from sideband.generation import Frame, Request, ResponseMeta, Runtime, Tool, ToolsNode
from sideband.graph import END, START, Chain, Graph, MemoryCheckpoints, Runnable, interrupt
from sideband.testing import Recorder, check_lifecycle


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@component("Tool")
async def fail(reason: str) -> str:
    """Fail for a reason."""
    raise ValueError(reason)


TOOLS = ToolsNode([add, fail])


class Script:
    """A provider that answers with what is written down, and keeps what it was asked."""

    name = "script"

    def __init__(self, *answers: Sequence[Frame]) -> None:
        self._answers = iter(answers)
        self.asked: list[Request] = []

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        self.asked.append(request)
        for frame in next(self._answers):
            yield frame
        yield Frame.usage(Usage(input_tokens=3, output_tokens=1))
        yield Frame.response(ResponseMeta("script-1", "stop"))


async def test_each_call_gives_a_message_in_the_order_of_the_calls() -> None:
    """Also what fails, and what there is not; each is a run, inside of the node's, which tells of all."""
    recorder = Recorder()
    calls = (
        ToolCall("1", "add", '{"a": 1, "b": 2}'),
        ToolCall("2", "fail", '{"reason": "no"}'),
        ToolCall("3", "gone", "{}"),
        ToolCall("4", "add", '{"a": "x"}'),
    )

    with callbacks(recorder):
        messages = await TOOLS(Message.assistant(tool_calls=calls))

    check_lifecycle(recorder)
    assert [(message.call_id, message.name, message.is_error) for message in messages] == [
        ("1", "add", False),
        ("2", "fail", True),
        ("3", "gone", True),
        ("4", "add", True),
    ]
    assert messages[0].text == "3"
    assert messages[2].text == "UnknownToolError: there is no tool 'gone'; there are: 'add', 'fail'"
    (whole, *tools) = recorder.runs()
    assert (whole.component.value, whole.name) == ("ToolsNode", "tools")
    assert {(run.name, run.component.value, str(run.outcome)) for run in tools} == {
        ("add", "Tool", "ok"),
        ("add", "Tool", "error"),
        ("fail", "Tool", "error"),
        ("gone", "Tool", "error"),
    }
    events = [record for record in recorder if record.timing == "on_event"]
    assert len(events) == 8
    assert {record.run.id for record in events} == {whole.id}


async def test_a_message_without_calls_gives_no_messages() -> None:
    """And the definitions are what a model is told."""
    assert await TOOLS(Message.assistant("hello")) == ()
    assert [definition.name for definition in TOOLS.definitions] == ["add", "fail"]
    assert repr(TOOLS) == "<ToolsNode 'tools' of ['add', 'fail']>"


def agent(provider: Script) -> Runnable[str, Any]:
    """Make the loop: a model, its tools, the model again."""

    def ask(messages: list[Message], more: Any) -> Request:
        messages += [Message.user(more)] if isinstance(more, str) else more
        return Request(tuple(messages), tools=TOOLS.definitions)

    def keep(messages: list[Message], answer: Message) -> Message:
        messages.append(answer)
        return answer

    graph = Graph[str, Any]("agent", state=list, cycles=True)
    graph.add_node("model", Runtime(provider), before=ask).add_node("tools", TOOLS, before=keep)
    graph.add_edge(START, "model").add_edge("tools", "model")
    graph.add_branch("model", lambda answer: bool(answer.tool_calls), {True: "tools", False: END})
    return graph.compile()


async def test_an_agent_is_a_graph_of_a_model_and_its_tools() -> None:
    """Model, tools, model: each a run at its place, and the model is given what the tools gave."""
    call = ToolCall("1", "add", '{"a": 1, "b": 2}')
    provider, recorder = Script([Frame.tool_call(call)], [Frame.text("It is "), Frame.text("3.")]), Recorder()

    answer = await agent(provider).invoke("1 + 2?", callbacks=[recorder])

    check_lifecycle(recorder)
    assert answer == Message.assistant("It is 3.")
    assert [message.role for message in provider.asked[1].messages] == ["user", "assistant", "tool"]
    assert [(run.component.value, run.path) for run in recorder.runs()] == [
        ("Graph", ()),
        ("ChatModel", ("model",)),
        ("ToolsNode", ("tools",)),
        ("Tool", ("tools",)),
        ("ChatModel", ("model",)),
    ]
    assert [run.usage for run in recorder.runs() if run.component == "ChatModel"] == [
        Usage(input_tokens=3, output_tokens=1)
    ] * 2


async def test_a_human_may_approve_calls_one_after_the_other() -> None:
    """The graph waits for each, also where a message has several; what is denied the model is told."""
    executed: list[str] = []

    async def send(to: str) -> str:
        executed.append(to)
        return f"sent to {to}"

    node = ToolsNode([Tool(send, parameters={})], approve=lambda call: interrupt(call.parsed["to"]))
    chain = Chain[Any, Any]("c").append(node).compile(checkpoints=MemoryCheckpoints())
    calls = tuple(ToolCall(to, "send", f'{{"to": "{to}"}}') for to in ("ann", "bob"))
    recorder = Recorder()

    with callbacks(recorder):
        with pytest.raises(Interrupted) as first:
            await chain.invoke(Message.assistant(tool_calls=calls))
        with pytest.raises(Interrupted) as second:
            await chain.resume(first.value.id, True)
        messages = await chain.resume(second.value.id, "not him")

    check_lifecycle(recorder)
    assert [waiting.value.questions[0].question for waiting in (first, second)] == ["ann", "bob"]
    assert [message.text for message in messages] == [
        "sent to ann",
        "ToolDeniedError: the call of 'send' was not approved: not him",
    ]
    nodes = [str(run.outcome) for run in recorder.runs() if run.component == "ToolsNode"]
    assert nodes == ["interrupted", "interrupted", "ok"]
    assert set(executed) == {"ann"}


async def test_the_answer_of_an_agent_streams() -> None:
    """Chunk by chunk, as the model gives it."""
    frames = await agent(Script([Frame.text("a"), Frame.text("b")])).stream("hi").collect()

    assert [frame.content for frame in frames if frame.kind == "text"] == ["a", "b"]
