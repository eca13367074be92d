"""The conversations that each adapter sends: the bodies that its server gets."""

from __future__ import annotations

import pytest

from sideband.components import ImagePart, Message, ToolCall, ToolResult
from sideband.generation import Request, join_frames

from .dialects import ANTHROPIC, CHAT, DIALECTS, GOOGLE, OLLAMA, RESPONSES, Dialect
from .sending import SCHEMA, TOOL, sent
from .wire import Reply, WireServer
from .wire_formats import GREETING, MODEL, Answer

PICTURE = ImagePart(b"\x89PNG", media_type="image/png")
DATA_URL = "data:image/png;base64,iVBORw=="
CONVERSATION = (
    Message.system("Be brief."),
    Message.user("What is this?", PICTURE),
    Message.assistant(
        "Let me see.",
        tool_calls=(ToolCall("c1", "get_weather", '{"city": "Oslo"}'), ToolCall("c2", "get_weather", "")),
    ),
    Message.tool(ToolResult("c1", "get_weather", {"degrees": 12})),
    Message.tool(ToolResult("c2", "get_weather", "city is missing", is_error=True)),
    Message.user("And?"),
)
RESULT = '{"degrees": 12}'


async def test_chat_completions_get_the_conversation() -> None:
    """Each message is one, with the calls of an assistant and the id of the call that a result is for."""
    body = await sent(CHAT, Request(CONVERSATION, tools=(TOOL,), tool_choice="get_weather"))

    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": DATA_URL}},
            ],
        },
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                },
                {"id": "c2", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": RESULT},
        {"role": "tool", "tool_call_id": "c2", "content": "city is missing"},
        {"role": "user", "content": "And?"},
    ]
    assert body["tools"][0]["function"]["parameters"] == SCHEMA
    assert body["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert body["stream_options"] == {"include_usage": True}


async def test_responses_get_the_conversation_as_items() -> None:
    """Calls and results are items beside the messages."""
    body = await sent(RESPONSES, Request(CONVERSATION, tools=(TOOL,), tool_choice="required"))

    assert body["input"] == [
        {"role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": DATA_URL, "detail": "auto"},
            ],
        },
        {"role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Oslo"}'},
        {"type": "function_call", "call_id": "c2", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": RESULT},
        {"type": "function_call_output", "call_id": "c2", "output": "city is missing"},
        {"role": "user", "content": [{"type": "input_text", "text": "And?"}]},
    ]
    assert body["tools"] == [
        {
            "type": "function",
            "name": "get_weather",
            "description": "Tell the weather.",
            "parameters": SCHEMA,
            "strict": False,
        }
    ]
    assert body["tool_choice"] == "required"


async def test_messages_get_the_conversation_in_turns() -> None:
    """Instructions stand apart, and the results of parallel calls are one turn of the user's. Niro, statement 76."""
    body = await sent(ANTHROPIC, Request(CONVERSATION, tools=(TOOL,), tool_choice="required"))

    assert body["system"] == "Be brief."
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "c2", "name": "get_weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": RESULT}]},
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "content": [{"type": "text", "text": "city is missing"}],
                    "is_error": True,
                },
            ],
        },
        {"role": "user", "content": [{"type": "text", "text": "And?"}]},
    ]
    assert body["tools"] == [
        {"name": "get_weather", "description": "Tell the weather.", "input_schema": SCHEMA}
    ]
    assert body["tool_choice"] == {"type": "any"}


async def test_gemini_gets_the_conversation_as_contents() -> None:
    """Results are parts that name the function, together where the calls were parallel."""
    body = await sent(GOOGLE, Request(CONVERSATION, tools=(TOOL,), tool_choice="get_weather"))

    assert body["system_instruction"]["parts"] == [{"text": "Be brief."}]
    assert body["contents"] == [
        {
            "role": "user",
            "parts": [
                {"text": "What is this?"},
                {"inline_data": {"data": "iVBORw==", "mime_type": "image/png"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "Let me see."},
                {"function_call": {"id": "c1", "name": "get_weather", "args": {"city": "Oslo"}}},
                {"function_call": {"id": "c2", "name": "get_weather", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"function_response": {"id": "c1", "name": "get_weather", "response": {"output": RESULT}}},
                {
                    "function_response": {
                        "id": "c2",
                        "name": "get_weather",
                        "response": {"error": "city is missing"},
                    }
                },
            ],
        },
        {"role": "user", "parts": [{"text": "And?"}]},
    ]
    (declared,) = body["tools"][0]["function_declarations"]
    assert declared["parameters_json_schema"] == SCHEMA
    assert body["tool_config"]["function_calling_config"] == {
        "mode": "ANY",
        "allowed_function_names": ["get_weather"],
    }


async def test_ollama_gets_the_conversation() -> None:
    """Images stand beside the text, and results name their tool."""
    body = await sent(OLLAMA, Request(CONVERSATION, tools=(TOOL,)))

    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this?", "images": ["iVBORw=="]},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}},
                {"function": {"name": "get_weather", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": RESULT, "tool_name": "get_weather"},
        {"role": "tool", "content": "city is missing", "tool_name": "get_weather"},
        {"role": "user", "content": "And?"},
    ]
    assert body["tools"][0]["function"]["parameters"]["properties"]["city"]["type"] == "string"


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_the_request_names_the_model_or_the_provider_does(dialect: Dialect) -> None:
    """The request's word counts."""
    reply = Reply(dialect.says(GREETING), content_type=dialect.content_type)
    async with WireServer(reply) as server, dialect.provider(server.url) as provider:
        for model in ("", "other-model"):
            assert [frame async for frame in provider.generate(Request((Message.user("Hi."),), model))]

    for received, model in zip(server.requests, (MODEL, "other-model"), strict=True):
        assert model in (received.path if dialect is GOOGLE else received.body["model"])


@pytest.mark.parametrize("dialect", [RESPONSES, ANTHROPIC, GOOGLE], ids=str)
async def test_what_the_model_thought_goes_back_to_it(dialect: Dialect) -> None:
    """Its seal is what the provider wants to see again, with the calls that it led to."""
    answer = Answer(
        reasoning=["Weather, then."],
        calls=(ToolCall("c1", "get_weather", '{"city": "Oslo"}'),),
        finish="tool_calls",
    )
    replies = [Reply(dialect.says(one), content_type=dialect.content_type) for one in (answer, GREETING)]
    async with WireServer(*replies) as server, dialect.provider(server.url) as provider:
        asked = Message.user("How is the weather?")
        said = join_frames([frame async for frame in provider.generate(Request((asked,)))]).message
        result = Message.tool("Rain.", call_id=said.tool_calls[0].id)
        assert [frame async for frame in provider.generate(Request((asked, said, result)))]

    body = server.requests[1].body
    told = body.get("input") or body.get("messages") or body.get("contents")
    seals = {"openai-responses": "sealed", "anthropic": "signed", "google": "c2lnbmVk"}
    assert seals[dialect.name] in str(told[1])


async def test_calls_without_ids_are_answered_by_name() -> None:
    """Ids that the adapter made are ours alone: they tell a result's call, and are not sent."""
    answer = Answer(calls=(ToolCall("", "get_weather", '{"city": "Oslo"}'),), finish="tool_calls")
    for dialect in (GOOGLE, OLLAMA):
        replies = [Reply(dialect.says(one), content_type=dialect.content_type) for one in (answer, GREETING)]
        async with WireServer(*replies) as server, dialect.provider(server.url) as provider:
            said = join_frames(
                [frame async for frame in provider.generate(Request((Message.user("Hi."),)))]
            ).message
            (call,) = said.tool_calls
            result = Message.tool("Rain.", call_id=call.id)
            assert [frame async for frame in provider.generate(Request((Message.user("Hi."), said, result)))]

        assert call.id
        assert call.id not in str(server.requests[1].body)
        assert str(server.requests[1].body).count("get_weather") == 2


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES, ANTHROPIC], ids=lambda dialect: dialect.name)
async def test_a_connection_to_a_server_of_ones_own_is_used_once(dialect: Dialect) -> None:
    """Some such servers close it after an answer without saying so, and the next request would be lost."""
    reply = Reply(dialect.says(GREETING), content_type=dialect.content_type)
    async with WireServer(reply) as server, dialect.provider(server.url) as provider:
        assert [frame async for frame in provider.generate(Request((Message.user("Hi."),)))]

    assert server.requests[0].headers["connection"] == "close"
