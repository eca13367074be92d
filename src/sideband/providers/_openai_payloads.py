"""Requests as OpenAI's two protocols write them. May import generation and components; no SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sideband.components import AudioPart, FilePart, ImagePart, Message, Part, TextPart, ToolDefinition
from sideband.generation import Options, Request
from sideband.providers._sdk import base64_of, data_url, refuse_options, unsupported

__all__ = ["REASONING", "chat_request", "responses_request"]

REASONING = "openai_reasoning"
"""What a message's metadata keep OpenAI's reasoning items under: it wants them back."""

_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


def chat_request(provider: str, request: Request, *, limit: str) -> dict[str, Any]:
    """Return what chat completions are asked with, without the model; `limit` is its name for the longest answer."""
    options = request.options
    asked: dict[str, Any] = {
        "messages": [_chat_message(provider, message) for message in request.messages],
        "temperature": options.temperature,
        "top_p": options.top_p,
        limit: options.max_tokens,
        "stop": list(options.stop) or None,
        "seed": options.seed,
        "frequency_penalty": options.frequency_penalty,
        "presence_penalty": options.presence_penalty,
        "reasoning_effort": options.reasoning,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        asked["tools"] = [{"type": "function", "function": _function(tool)} for tool in request.tools]
        asked["parallel_tool_calls"] = options.parallel_tool_calls
        asked["tool_choice"] = _choice(request, lambda name: {"type": "function", "function": {"name": name}})
    if request.response_schema is not None:
        asked["response_format"] = {"type": "json_schema", "json_schema": _format(request.response_schema)}
    return _given(asked, options)


def responses_request(provider: str, request: Request) -> dict[str, Any]:
    """Return what responses are asked with, without the model."""
    options = request.options
    refuse_options(provider, options, "stop", "frequency_penalty", "presence_penalty")
    asked: dict[str, Any] = {
        "input": [item for message in request.messages for item in _items(provider, message)],
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_output_tokens": options.max_tokens,
    }
    if options.reasoning is not None:
        asked["reasoning"] = {"effort": options.reasoning, "summary": "auto"}
    if request.tools:
        asked["tools"] = [{"type": "function", **_function(tool)} for tool in request.tools]
        asked["parallel_tool_calls"] = options.parallel_tool_calls
        asked["tool_choice"] = _choice(request, lambda name: {"type": "function", "name": name})
    if request.response_schema is not None:
        asked["text"] = {"format": {"type": "json_schema", **_format(request.response_schema)}}
    return _given(asked, options)


def _given(asked: dict[str, Any], options: Options) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None} | {**options.extra}


def _function(tool: ToolDefinition) -> dict[str, Any]:
    parameters = {**(tool.parameters or _NO_PARAMETERS)}
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters,
        "strict": tool.strict,
    }


def _choice(request: Request, named: Callable[[str], dict[str, Any]]) -> str | dict[str, Any] | None:
    choice = request.tool_choice
    return named(choice) if choice and choice not in {"auto", "required", "none"} else choice


def _format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": str(schema.get("title", "answer")), "schema": {**schema}, "strict": True}


def _chat_message(provider: str, message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": _chat_content(provider, message)}
    if message.role == "tool":
        said["tool_call_id"] = message.call_id
    elif message.name:
        said["name"] = message.name
    if message.tool_calls:
        said["content"] = said["content"] or None
        said["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments or "{}"},
            }
            for call in message.tool_calls
        ]
    return said


def _chat_content(provider: str, message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [_chat_part(provider, part) for part in message.content]


def _chat_part(provider: str, part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        image = {"url": _address(part), "detail": part.detail}
        return {"type": "image_url", "image_url": {name: value for name, value in image.items() if value}}
    if isinstance(part, AudioPart) and part.data is not None:
        kind = (part.media_type or "audio/wav").partition(";")[0].rpartition("/")[2]
        format = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}.get(kind, kind)  # noqa: A001 - the protocol's word
        return {"type": "input_audio", "input_audio": {"data": base64_of(part.data), "format": format}}
    if isinstance(part, FilePart) and part.data is not None:
        return {
            "type": "file",
            "file": {"filename": part.name or "file", "file_data": data_url(part.data, part.media_type)},
        }
    raise unsupported(provider, part, "chat completions take text, images, and sound or files as bytes")


def _address(part: ImagePart | FilePart) -> str:
    return part.url or "" if part.data is None else data_url(part.data, part.media_type)


def _items(provider: str, message: Message) -> Iterator[dict[str, Any]]:
    """Give the items that one message is."""
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.call_id, "output": message.text}
        return
    yield from message.metadata.get(REASONING, ())
    if message.content and message.role == "assistant":
        yield {"role": "assistant", "content": message.text}
    elif message.content:
        yield {"role": message.role, "content": [_input(provider, part) for part in message.parts]}
    for call in message.tool_calls:
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments or "{}",
        }


def _input(provider: str, part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "input_image", "image_url": _address(part), "detail": part.detail or "auto"}
    if isinstance(part, FilePart) and part.data is None:
        return {"type": "input_file", "file_url": part.url}
    if isinstance(part, FilePart):
        return {"type": "input_file", "filename": part.name or "file", "file_data": _address(part)}
    raise unsupported(provider, part, "responses take text, images and files")
