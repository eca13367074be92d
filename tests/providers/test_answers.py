"""What only one protocol says, or some of its servers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest

from sideband.components import ChatModelOutput, ImagePart, ToolCall
from sideband.generation import (
    ContextTooLongError,
    Frame,
    OverloadedError,
    ProviderError,
    RateLimitError,
    Request,
    join_frames,
)

from .dialects import ANTHROPIC, CHAT, GOOGLE, OLLAMA, RESPONSES, Dialect
from .wire import Reply, WireServer
from .wire_formats import ID, MODEL, RESPONSE, Answer, data, dumped, event

ASKED = Request.of("Say hello.")


async def frames_of(dialect: Dialect, *pieces: bytes, **reply: Any) -> list[Frame]:
    """Serve one reply and return the frames that become of it."""
    given: dict[str, Any] = {"content_type": dialect.content_type, **reply}
    served = Reply(pieces, **given)
    async with WireServer(served) as server, dialect.provider(server.url) as provider:
        return [frame async for frame in provider.generate(ASKED)]


async def answer_of(dialect: Dialect, *pieces: bytes) -> ChatModelOutput:
    """Serve one reply and return the whole answer that becomes of it."""
    return join_frames(await frames_of(dialect, *pieces))


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    """Return a chunk of chat completions."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return data(
        {
            "id": ID,
            "object": "chat.completion.chunk",
            "created": 1,
            "model": MODEL,
            "choices": choices,
            **more,
        }
    )


async def test_usage_told_with_every_chunk_is_counted_once() -> None:
    """Some servers tell what was consumed so far, again and again."""
    counts = [{"prompt_tokens": 5, "completion_tokens": n, "total_tokens": 5 + n} for n in (1, 2, 3)]
    output = await answer_of(
        CHAT,
        chunk({"content": "a"}, usage=counts[0]),
        chunk({"content": "b"}, usage=counts[1]),
        chunk({}, "stop", usage=counts[2]),
    )

    assert output.usage is not None
    assert (output.usage.input_tokens, output.usage.output_tokens, output.usage.total_tokens) == (5, 3, 8)


async def test_an_answer_without_usage_is_whole() -> None:
    """Not every server tells what was consumed."""
    output = await answer_of(CHAT, chunk({"content": "Hello."}), chunk({}, "stop"))

    assert (output.message.text, output.usage, output.finish_reason) == ("Hello.", None, "stop")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_thoughts_have_two_names(name: str) -> None:
    """The protocol has none for them, and servers chose differently."""
    frames = await frames_of(CHAT, chunk({name: "Hm."}), chunk({"content": "Hello."}), chunk({}, "stop"))

    assert [(frame.kind, frame.content) for frame in frames[:2]] == [("reasoning", "Hm."), ("text", "Hello.")]


@pytest.mark.parametrize(
    ("word", "wanted"), [("stop", "tool_calls"), ("function_call", "tool_calls"), ("eos", "other")]
)
async def test_finish_reasons_that_servers_made_up_have_a_name(word: str, wanted: str) -> None:
    """An answer with calls did not just stop, whatever its server says."""
    called = {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    output = await answer_of(CHAT, chunk({"tool_calls": [called]}), chunk({}, word))

    assert (output.finish_reason, len(output.message.tool_calls)) == (wanted, 1)


async def test_a_refusal_is_text_and_has_its_finish_reason() -> None:
    """The model says why it does not answer; in both of OpenAI's protocols, which themselves say "stop"."""
    at = {"item_id": "m", "output_index": 0, "content_index": 0, "sequence_number": 1}
    said = [event({"type": "response.refusal.delta", "delta": "No.", **at}), RESPONSES.says(Answer())[-1]]

    for output in (
        await answer_of(CHAT, chunk({"refusal": "No."}), chunk({}, "stop")),
        await answer_of(RESPONSES, *said),
    ):
        assert (output.message.text, output.finish_reason) == ("No.", "content_filter")


async def test_a_response_that_failed_is_its_error() -> None:
    """The last event has it, and the HTTP status was one of success."""
    error = {"code": "rate_limit_exceeded", "message": "Slow down."}
    failed = event(
        {
            "type": "response.failed",
            "sequence_number": 1,
            "response": RESPONSE | {"status": "failed", "error": error},
        }
    )

    with pytest.raises(RateLimitError, match="Slow down") as caught:
        await frames_of(RESPONSES, *RESPONSES.says(Answer(text=["Hel"]))[:3], failed)
    assert caught.value.code == "rate_limit_exceeded"


async def test_anthropic_tells_the_input_when_the_answer_begins() -> None:
    """A stream that is closed early has it; the end adds the rest, without counting anything twice."""
    pieces = ANTHROPIC.says(Answer(text=["Hel", "lo."]))
    pieces[0] = pieces[0].replace(b'"cache_creation_input_tokens": 0', b'"cache_creation_input_tokens": 4')
    async with WireServer(Reply(pieces)) as server, ANTHROPIC.provider(server.url) as provider:
        async with aclosing(provider.generate(ASKED)) as stream:
            first = await anext(stream)
        whole = join_frames([frame async for frame in provider.generate(ASKED)]).usage

    assert (first.kind, first.content.input_tokens, first.content.output_tokens) == ("usage", 15, 0)
    assert whole is not None
    assert (whole.input_tokens, whole.cached_tokens, whole.output_tokens) == (15, 3, 7)
    assert whole.details == {"cache_creation_input_tokens": 4}


async def test_hidden_thoughts_are_kept_for_the_next_request() -> None:
    """They are no text for anybody, but the provider wants them back."""
    hidden = [
        event(
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "redacted_thinking", "data": "x"},
            }
        ),
        event({"type": "content_block_stop", "index": 0}),
    ]
    first, *rest = ANTHROPIC.says(Answer(text=["Hello."]))
    output = await answer_of(ANTHROPIC, first, *hidden, *rest)

    assert output.message.metadata == {"anthropic_thinking": [{"type": "redacted_thinking", "data": "x"}]}
    assert (output.message.text, output.message.reasoning) == ("Hello.", "")


async def test_arguments_that_are_no_json_are_given_as_the_model_wrote_them() -> None:
    """Whoever executes the call sees what is wrong; the stream is whole."""
    pieces = [piece.replace(b'{\\"a\\"', b"{a") for piece in ANTHROPIC.says(calls_of('{"a": 1}'))]
    output = await answer_of(ANTHROPIC, *pieces)

    with pytest.raises(ValueError, match="no JSON"):
        _ = output.message.tool_calls[0].parsed
    assert output.finish_reason == "tool_calls"


def calls_of(arguments: str) -> Answer:
    """Return an answer with one call."""
    return Answer(calls=[ToolCall("c1", "add", arguments)], finish="tool_calls")


async def test_a_blocked_prompt_is_a_filtered_answer() -> None:
    """Google answers without a candidate then."""
    output = await answer_of(
        GOOGLE, data({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": MODEL})
    )

    assert (output.finish_reason, output.message.text) == ("content_filter", "")


async def test_an_image_is_a_frame_of_its_own() -> None:
    """With its bytes and their type."""
    part = {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}
    picture = data({"candidates": [{"content": {"role": "model", "parts": [part]}}]})
    output = await answer_of(GOOGLE, picture, *GOOGLE.says(Answer(text=["There."])))

    assert output.message.parts[0] == ImagePart(b"\x89PNG", None, "image/png")


@pytest.mark.parametrize(
    ("details", "header", "wanted"),
    [
        ([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}], "9", 1.5),
        ([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "soon"}], "9", 9.0),
        ([], None, None),
    ],
)
async def test_google_tells_the_delay_among_the_details(
    details: Sequence[object], header: str | None, wanted: float | None
) -> None:
    """A proxy tells it in a header."""
    body = dumped(
        {"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED", "details": details}}
    )
    headers = {} if header is None else {"retry-after": header}
    with pytest.raises(RateLimitError) as caught:
        await frames_of(GOOGLE, body, status=429, headers=headers, content_type="application/json")

    assert caught.value.retry_after == wanted


async def test_openai_tells_the_delay_in_milliseconds() -> None:
    """The finer of the two headers counts."""
    headers = {"retry-after-ms": "250", "retry-after": "1", "x-request-id": "req_7"}
    with pytest.raises(RateLimitError) as caught:
        await frames_of(CHAT, CHAT.fails("Slow.", "rate_limit_exceeded"), status=429, headers=headers)

    assert (caught.value.retry_after, caught.value.request_id) == (0.25, "req_7")


async def test_an_error_of_an_ollama_stream_is_told_in_its_words() -> None:
    """It has no status and no code; its length is known by its words."""
    line = dumped({"error": "the input exceeds the context length"}) + b"\n"

    with pytest.raises(ContextTooLongError, match="exceeds the context length"):
        await frames_of(OLLAMA, line)


async def test_what_is_no_error_of_a_protocol_is_told_by_its_status() -> None:
    """JSON of another shape in an error's body breaks nothing."""
    bodies: list[object] = [[], {"error": []}, {"error": {"message": 5, "details": 5}}, "text", None, 5]
    for dialect in (CHAT, RESPONSES, ANTHROPIC, GOOGLE, OLLAMA):
        for body in bodies:
            with pytest.raises(ProviderError) as caught:
                await frames_of(
                    dialect, json.dumps(body).encode(), status=503, content_type="application/json"
                )
            # Ollama's SDK itself fails over some of these, and forgets the status.
            assert isinstance(caught.value, OverloadedError) or dialect is OLLAMA, (dialect.name, body)
