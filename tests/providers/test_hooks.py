"""What a generation hook sees: the same for the same conversation, whoever the provider is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from sideband import Abort
from sideband.components import Message, ToolCall
from sideband.generation import (
    Frame,
    GenerateEndInfo,
    GenerateStartInfo,
    GenerationHook,
    Options,
    Request,
    wrap_stream,
)
from sideband.providers import LocalModel
from sideband.runs import Outcome

from .dialects import DIALECTS, Dialect
from .sending import TOOL
from .wire import Reply, WireServer
from .wire_formats import GREETING, MODEL, Answer

CALLS = (
    ToolCall("c1", "get_weather", '{"city": "Oslo"}', 0),
    ToolCall("c2", "get_weather", '{"city": "Rome"}', 1),
)
CONVERSATION: Sequence[tuple[Request, Answer]] = (
    (
        Request((Message.user("How is the weather in Oslo and Rome?"),), tools=(TOOL,)),
        Answer(text=["Let me ", "see."], calls=CALLS, finish="tool_calls"),
    ),
    (
        Request(
            (
                Message.user("How is the weather in Oslo and Rome?"),
                Message.assistant("Let me see.", tool_calls=CALLS),
                Message.tool("Rain.", call_id="c1", name="get_weather"),
                Message.tool("Sun.", call_id="c2", name="get_weather"),
            ),
            tools=(TOOL,),
        ),
        Answer(text=["Oslo: rain. ", "Rome: sun."], finish="stop"),
    ),
    (Request((Message.user("Tell a story."),)), Answer(text=["Once"], finish="length")),
)


@dataclass
class Facts(GenerationHook):
    """Keeps what does not depend on time."""

    seen: list[Any] = field(default_factory=list)
    end: GenerateEndInfo | None = None

    def on_generate_start(self, info: GenerateStartInfo) -> None:
        self.seen.append(("start", info.model, info.messages, info.tools))

    def on_frame(self, frame: Frame, elapsed: float) -> None:
        self.seen.append((frame.kind, frame.content if frame.kind == "text" else None))

    def on_tool_call(self, call: ToolCall) -> None:
        self.seen.append(("call", call.name, call.arguments, call.index))

    def on_error(self, error: BaseException) -> None:
        self.seen.append(("error", type(error).__name__))

    def on_generate_end(self, info: GenerateEndInfo) -> None:
        usage = info.usage
        counts = (usage.input_tokens, usage.output_tokens, usage.total_tokens)
        self.seen.append(("end", info.outcome, info.finish_reason, info.model, *counts))
        self.end = info


def watched(provider: Any, request: Request, hook: GenerationHook) -> AsyncIterator[Frame]:
    """Ask, and let a hook see it."""
    return wrap_stream(
        provider.generate(request),
        hook,
        model=request.model or provider.model,
        provider=provider.name,
        messages=len(request.messages),
        tools=len(request.tools),
    )


async def facts_of(dialect: Dialect) -> list[Any]:
    """Hold the conversation with one provider's server and return what a hook saw."""
    hook = Facts()
    replies = [Reply(dialect.says(answer), content_type=dialect.content_type) for _, answer in CONVERSATION]
    async with WireServer(*replies) as server, dialect.provider(server.url) as provider:
        for request, _ in CONVERSATION:
            assert [frame async for frame in watched(provider, request, hook)]
    return hook.seen


async def test_a_hook_sees_the_same_of_all_providers() -> None:
    """Equal counts, usage, finish reasons and events of tools, in equal order."""
    first, *others = [await facts_of(dialect) for dialect in DIALECTS]

    assert first[:6] == [
        ("start", MODEL, 1, 1),
        ("text", "Let me "),
        ("text", "see."),
        ("tool_call", None),
        ("call", "get_weather", '{"city": "Oslo"}', 0),
        ("tool_call", None),
    ]
    assert [seen[1:] for seen in first if seen[0] == "end"] == [
        (Outcome.OK, "tool_calls", MODEL, 11, 7, 18),
        (Outcome.OK, "stop", MODEL, 11, 7, 18),
        (Outcome.OK, "length", MODEL, 11, 7, 18),
    ]
    assert all(other == first for other in others)


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_a_hook_sees_a_stream_that_breaks_off(dialect: Dialect) -> None:
    """It ends once, as an error, with what came before it."""
    pieces = dialect.says(GREETING)
    upto = next(at for at, piece in enumerate(pieces) if "wörld".encode() in piece)
    hook = Facts()
    reply = Reply(pieces[:upto], content_type=dialect.content_type)
    async with WireServer(reply) as server, dialect.provider(server.url) as provider:
        with pytest.raises(EOFError):
            assert [frame async for frame in watched(provider, Request.of("Hi."), hook)]

    assert [seen[0] for seen in hook.seen] == ["start", "text", "text", "error", "end"]
    assert hook.end is not None
    assert hook.end.outcome is Outcome.ERROR


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_a_hook_that_aborts_closes_the_providers_connection(dialect: Dialect) -> None:
    """The consumer gets the abort, the server sees that nobody listens any more."""

    class Censor(GenerationHook):
        def on_frame(self, frame: Frame, elapsed: float) -> None:
            if frame.kind == "text" and "lo" in frame.content:
                raise Abort

    reply = Reply(dialect.says(GREETING)[:-1], content_type=dialect.content_type, end="hold")
    async with WireServer(reply) as server, dialect.provider(server.url) as provider:
        got: list[Frame] = []
        with pytest.raises(Abort):
            async for frame in watched(provider, Request.of("Hi."), Censor()):
                got.append(frame)
        await server.disconnected()

    assert [frame.content for frame in got if frame.kind == "text"] == ["Hel"]


async def test_a_hook_sees_the_embedded_models_tokens(local_model: LocalModel) -> None:
    """Real ones: usage, finish reason, the answer's id, and times that are in order."""
    hook = Facts()
    request = Request((Message.user("Say hello."),), options=Options(temperature=0, max_tokens=8))
    frames = [frame async for frame in watched(local_model, request, hook)]

    assert hook.end is not None
    assert (hook.end.provider, hook.end.model) == ("local", local_model.model)
    assert hook.end.finish_reason in {"stop", "length"}
    assert hook.end.usage.output_tokens >= sum(frame.kind == "text" for frame in frames) > 0
    assert hook.end.response_id
    assert hook.end.time_to_first_frame is not None
    assert 0 < hook.end.time_to_first_frame <= hook.end.duration
