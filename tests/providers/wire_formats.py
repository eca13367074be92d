"""How each protocol says one and the same answer, byte for byte, and how it says that something is wrong."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sideband.components import ToolCall

MODEL = "test-model"
ID = "answer-1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says, whatever the protocol."""

    text: Sequence[str] = ()
    reasoning: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    finish: str = "stop"
    """Ours: stop, length, tool_calls or content_filter."""


GREETING = Answer(text=["Hel", "lo ", "wörld"])
"""Of 11 tokens read, 3 of them cached, and 7 written, 2 of them thoughts."""


def dumped(value: object) -> bytes:
    """Return JSON in UTF-8, not escaped, as servers send it."""
    return json.dumps(value, ensure_ascii=False).encode()


def data(value: object) -> bytes:
    """Return a server-sent event without a name."""
    return b"data: " + dumped(value) + b"\n\n"


def event(value: dict[str, Any]) -> bytes:
    """Return a server-sent event with its type as name."""
    return f"event: {value['type']}\n".encode() + data(value)


def halves(text: str) -> list[str]:
    """Cut text in two."""
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def chat_says(answer: Answer) -> list[bytes]:
    """OpenAI's chat completions: the finish reason, then the usage in a chunk without choices, then a marker."""

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return data(base | {"choices": [choice], "usage": None})

    base: dict[str, Any] = {
        "id": ID,
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "system_fingerprint": "fp",
    }
    pieces = [chunk({"role": "assistant", "content": ""})]
    pieces += [chunk({"reasoning_content": text}) for text in answer.reasoning]
    pieces += [chunk({"content": text}) for text in answer.text]
    for index, call in enumerate(answer.calls):
        function = {"name": call.name, "arguments": ""}
        pieces.append(
            chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})
        )
    # The fragments of parallel calls are mixed: the protocol allows it.
    for fragments in zip(*(halves(call.arguments) for call in answer.calls), strict=True):
        for index, fragment in enumerate(fragments):
            pieces.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}))
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    return [
        *pieces,
        chunk({}, answer.finish),
        data(base | {"choices": [], "usage": usage}),
        b"data: [DONE]\n\n",
    ]


RESPONSE: dict[str, Any] = {
    "id": ID,
    "object": "response",
    "created_at": 1,
    "model": MODEL,
    "status": "in_progress",
    "output": [],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "usage": None,
    "error": None,
    "incomplete_details": None,
}
RESPONSE_USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 18,
}


def responses_say(answer: Answer) -> list[bytes]:
    """OpenAI's responses: typed events, numbered."""
    number = itertools.count()

    def typed(kind: str, **more: Any) -> bytes:
        return event({"type": kind, "sequence_number": next(number), **more})

    at = {"item_id": "m", "output_index": 0, "content_index": 0}
    pieces = [typed("response.created", response=RESPONSE), typed("response.in_progress", response=RESPONSE)]
    if answer.reasoning:
        pieces += [
            typed(
                "response.reasoning_summary_text.delta",
                item_id="r",
                output_index=0,
                summary_index=0,
                delta=text,
            )
            for text in answer.reasoning
        ]
        thought = {"type": "reasoning", "id": "r", "encrypted_content": "sealed", "summary": []}
        pieces.append(typed("response.output_item.done", output_index=0, item=thought))
    pieces += [typed("response.output_text.delta", **at, delta=text, logprobs=[]) for text in answer.text]
    for index, call in enumerate(answer.calls, start=1):
        item = {
            "type": "function_call",
            "id": f"fc{index}",
            "call_id": call.id,
            "name": call.name,
            "arguments": "",
        }
        pieces.append(typed("response.output_item.added", output_index=index, item=item))
        pieces += [
            typed(
                "response.function_call_arguments.delta", item_id=f"fc{index}", output_index=index, delta=part
            )
            for part in halves(call.arguments)
        ]
        whole = item | {"arguments": call.arguments, "status": "completed"}
        pieces.append(typed("response.output_item.done", output_index=index, item=whole))
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.finish)
    kind = "incomplete" if reason else "completed"
    details = {"reason": reason} if reason else None
    ended = RESPONSE | {"status": kind, "usage": RESPONSE_USAGE, "incomplete_details": details}
    return [*pieces, typed(f"response.{kind}", response=ended)]


def messages_say(answer: Answer) -> list[bytes]:
    """Anthropic's messages: blocks that begin, go on and end."""
    index = itertools.count()
    pieces: list[bytes] = []

    def block(start: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
        at = next(index)
        pieces.append(event({"type": "content_block_start", "index": at, "content_block": start}))
        pieces.extend(event({"type": "content_block_delta", "index": at, "delta": delta}) for delta in deltas)
        pieces.append(event({"type": "content_block_stop", "index": at}))

    started: dict[str, Any] = {
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 8,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 0,
            "output_tokens": 1,
        },
    }
    pieces += [event({"type": "message_start", "message": started}), event({"type": "ping"})]
    if answer.reasoning:
        thoughts: list[dict[str, Any]] = [
            {"type": "thinking_delta", "thinking": text} for text in answer.reasoning
        ]
        thoughts.append({"type": "signature_delta", "signature": "signed"})
        block({"type": "thinking", "thinking": "", "signature": ""}, thoughts)
    if answer.text:
        block({"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in answer.text])
    for call in answer.calls:
        parts = ["", *halves(call.arguments)]
        start: dict[str, Any] = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        block(start, [{"type": "input_json_delta", "partial_json": part} for part in parts])
    word = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
    usage = {"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 2}}
    delta = {"stop_reason": word[answer.finish], "stop_sequence": None}
    end = event({"type": "message_delta", "delta": delta, "usage": usage})
    return [*pieces, end, event({"type": "message_stop"})]


def gemini_says(answer: Answer) -> list[bytes]:
    """Gemini's contents: whole parts, and the usage so far with each chunk."""

    def chunk(parts: list[dict[str, Any]], finish: str | None = None) -> bytes:
        candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
        usage: dict[str, Any] = {"promptTokenCount": 11, "totalTokenCount": 11}
        if finish:
            candidate["finishReason"] = finish
            usage |= {
                "cachedContentTokenCount": 3,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 2,
                "totalTokenCount": 18,
            }
        return data(
            {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": ID}
        )

    pieces = [chunk([{"text": text, "thought": True}]) for text in answer.reasoning]
    pieces += [chunk([{"text": text}]) for text in answer.text]
    signed = {"thoughtSignature": "c2lnbmVk"} if answer.reasoning else {}
    for call in answer.calls:
        called = {"name": call.name, "args": json.loads(call.arguments)}
        pieces.append(chunk([{"functionCall": called, **signed}]))
    word = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
    return [*pieces, chunk([{"text": ""}], word[answer.finish])]


def ollama_says(answer: Answer) -> list[bytes]:
    """Ollama's chat: one JSON object a line."""

    def line(message: dict[str, Any], **more: Any) -> bytes:
        said = {"role": "assistant", "content": "", **message}
        return (
            dumped(
                {"model": MODEL, "created_at": "2025-01-01T00:00:00Z", "message": said, "done": False, **more}
            )
            + b"\n"
        )

    pieces = [line({"thinking": text}) for text in answer.reasoning]
    pieces += [line({"content": text}) for text in answer.text]
    for call in answer.calls:
        function = {"name": call.name, "arguments": json.loads(call.arguments)}
        pieces.append(line({"tool_calls": [{"function": function}]}))
    word = {"stop": "stop", "length": "length", "tool_calls": "stop", "content_filter": "filtered"}
    counts = {
        "prompt_eval_count": 11,
        "eval_count": 7,
        "load_duration": 1_000_000,
        "total_duration": 2_000_000,
    }
    return [*pieces, line({}, done=True, done_reason=word[answer.finish], **counts)]


def openai_fails(message: str, word: str) -> bytes:
    """OpenAI's errors."""
    return dumped({"error": {"message": message, "type": word, "param": None, "code": word}})


def anthropic_fails(message: str, word: str) -> bytes:
    """Anthropic's errors."""
    return dumped({"type": "error", "error": {"type": word, "message": message}, "request_id": "req_1"})


def google_fails(message: str, word: str) -> bytes:
    """Google's errors, with the delay in their details."""
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
    ]
    if word == "UNAUTHENTICATED":
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    code = {"RESOURCE_EXHAUSTED": 429, "UNAVAILABLE": 503, "NOT_FOUND": 404}.get(word, 400)
    return dumped({"error": {"code": code, "message": message, "status": word, "details": details}})


def ollama_fails(message: str, word: str) -> bytes:
    """Ollama's errors: a message alone."""
    return dumped({"error": message})
