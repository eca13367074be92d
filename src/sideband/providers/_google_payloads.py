"""Requests as Gemini's protocol writes them. May import generation and components; no SDK."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from sideband.components import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    TextPart,
    ToolDefinition,
    VideoPart,
)
from sideband.generation import Request
from sideband.providers._sdk import tool_arguments

__all__ = ["OWN_ID", "SIGNATURES", "config", "contents"]

SIGNATURES = "google_thought_signatures"
"""What a message's metadata keep Gemini's signatures of its thoughts under, by the call's place: it wants them back."""
OWN_ID = "sideband_"
"""How ids of calls begin where the model gives none; they are ours alone and not sent."""

_MEDIA_TYPES = {
    ImagePart: "image/png",
    AudioPart: "audio/wav",
    VideoPart: "video/mp4",
    FilePart: "application/pdf",
}


def config(request: Request) -> dict[str, Any]:
    """Return how contents are to be generated."""
    options = request.options
    asked: dict[str, Any] = {
        "system_instruction": "\n\n".join(m.text for m in request.messages if m.role == "system") or None,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "max_output_tokens": options.max_tokens,
        "stop_sequences": list(options.stop) or None,
        "seed": options.seed,
        "frequency_penalty": options.frequency_penalty,
        "presence_penalty": options.presence_penalty,
        "automatic_function_calling": {"disable": True},
    }
    if options.reasoning == "none":
        asked["thinking_config"] = {"thinking_budget": 0}
    elif options.reasoning is not None:
        asked["thinking_config"] = {"include_thoughts": True, "thinking_level": options.reasoning.upper()}
    if request.tools:
        asked["tools"] = [{"function_declarations": [_function(tool) for tool in request.tools]}]
        asked["tool_config"] = _choice(request.tool_choice)
    if request.response_schema is not None:
        asked["response_mime_type"] = "application/json"
        asked["response_json_schema"] = {**request.response_schema}
    return asked | {**options.extra}


def _function(tool: ToolDefinition) -> dict[str, Any]:
    schema = {**tool.parameters} or None
    return {"name": tool.name, "description": tool.description, "parameters_json_schema": schema}


def _choice(choice: str | None) -> dict[str, Any] | None:
    modes: dict[str, dict[str, Any]] = {
        "auto": {"mode": "AUTO"},
        "required": {"mode": "ANY"},
        "none": {"mode": "NONE"},
    }
    if choice is None:
        return None
    return {
        "function_calling_config": modes.get(choice) or {"mode": "ANY", "allowed_function_names": [choice]}
    }


def contents(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the conversation: results of tools that follow one another are one content of the user's."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    said: list[dict[str, Any]] = []
    previous = None
    for message in messages:
        if message.role == "system":
            continue
        parts = [_result(message, names)] if message.role == "tool" else _parts(message)
        if message.role == "tool" and previous == "tool":
            said[-1]["parts"] += parts
        else:
            said.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
        previous = message.role
    return said


def _result(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    response = {
        "id": _sent_id(message.call_id),
        "name": message.name or names.get(message.call_id, ""),
        "response": {"error" if message.is_error else "output": message.text},
    }
    return {"function_response": response}


def _parts(message: Message) -> list[dict[str, Any]]:
    signatures: Mapping[str, str] = message.metadata.get(SIGNATURES, {})
    parts = [_part(part) for part in message.parts]
    if parts and "text" in signatures:
        parts[-1]["thought_signature"] = base64.b64decode(signatures["text"])
    for place, call in enumerate(message.tool_calls):
        called: dict[str, Any] = {"id": _sent_id(call.id), "name": call.name, "args": tool_arguments(call)}
        part: dict[str, Any] = {"function_call": called}
        if str(place) in signatures:
            part["thought_signature"] = base64.b64decode(signatures[str(place)])
        parts.append(part)
    return parts


def _sent_id(call_id: str) -> str | None:
    return None if not call_id or call_id.startswith(OWN_ID) else call_id


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"text": part.text}
    kind = part.media_type or _MEDIA_TYPES[type(part)]
    if part.data is not None:
        return {"inline_data": {"data": part.data, "mime_type": kind}}
    return {"file_data": {"file_uri": part.url, "mime_type": kind}}
