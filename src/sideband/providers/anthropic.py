"""Anthropic, and every server that speaks its messages. The one place that imports anthropic.

May import generation, components, errors.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar, final

import anthropic
import httpx2
from anthropic import AsyncAnthropic, AsyncStream
from anthropic.types import MessageDeltaUsage, RawMessageStreamEvent
from anthropic.types import Usage as InputUsage

from sideband.components import FilePart, ImagePart, Message, Part, TextPart, ToolCall, ToolDefinition, Usage
from sideband.generation import (
    MESSAGE_METADATA,
    AuthenticationError,
    Frame,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    Request,
    seconds_to_wait,
)
from sideband.providers._sdk import (
    UNREADABLE,
    SdkProvider,
    base64_of,
    connect_timeout,
    connection_headers,
    failure,
    refuse_options,
    response_frame,
    told,
    tool_arguments,
    unsupported,
)

__all__ = ["Anthropic"]

_THINKING = "anthropic_thinking"
_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


@final
class Anthropic(SdkProvider):
    """Anthropic's messages, and those of every server with this protocol.

    ```python
    async with Anthropic("claude-sonnet-4-5") as provider:
        async for frame in provider.generate(Request.of("Why is the sky blue?")):
            ...
    ```

    What the model thought, with its signature, goes back to it with the next request, in the message's metadata.

    Order, cancellation, closing, threads, cost: as `SdkProvider` says.
    """

    name = "anthropic"
    _known: ClassVar = (anthropic.AnthropicError, httpx2.HTTPError, *UNREADABLE)

    def __init__(
        self,
        model: str = "",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        max_tokens: int = 4096,
        timeout: float = 120.0,
        max_retries: int = 0,
        client: AsyncAnthropic | None = None,
    ) -> None:
        """Make a client, or use one.

        Args:
            model: which model answers requests that name none.
            api_key: by default what the SDK finds, in the environment variable ANTHROPIC_API_KEY first; a server of
                another `base_url` may need none.
            base_url: where another server is that speaks the protocol, without `/v1`.
            max_tokens: how long an answer may get where the request does not say; the protocol has no default.
            timeout: the longest wait, in seconds, for the answer to begin and then for each piece of it.
            max_retries: how often the SDK asks again by itself before an answer has begun; nobody is told.
            client: a client with settings of its own, which stays yours to close; the others are not used then.

        Raises:
            AuthenticationError: no key is given, and the SDK finds none.
        """
        self.model = model
        self._max_tokens = max_tokens
        self._owned = client is None
        self._client = client or AsyncAnthropic(
            api_key=api_key or (base_url and "none needed") or None,
            base_url=base_url,
            default_headers=connection_headers(base_url or os.environ.get("ANTHROPIC_BASE_URL")),
            timeout=httpx2.Timeout(timeout, connect=connect_timeout(timeout)),
            max_retries=max_retries,
        )
        client = self._client
        if self._owned and not (client.api_key or client.auth_token or client.credentials):
            raise AuthenticationError("no key; give api_key, or set ANTHROPIC_API_KEY", provider=self.name)

    async def aclose(self) -> None:
        if self._owned:
            await self._client.close()

    async def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        asked = _asked(self.name, request, self._max_tokens)
        create: Any = self._client.messages.create
        stream: AsyncStream[RawMessageStreamEvent] = await create(
            model=self._model(request), stream=True, **asked
        )
        answer = _Answer()
        async with stream:
            async for event in stream:
                for frame in answer.frames(event):
                    yield frame

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
            return ProviderTimeoutError(f"no answer, or no piece of it, in time: {error}", provider=self.name)
        if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):
            return ProviderConnectionError(f"{error} {error.__cause__ or ''}".strip(), provider=self.name)
        if not isinstance(error, anthropic.APIStatusError):
            return ProviderError(str(error), provider=self.name)
        return failure(
            self.name,
            told(error.body, "error", "message") or error.message,
            status=error.status_code,
            codes=(told(error.body, "error", "type"),),
            request_id=error.request_id,
            retry_after=seconds_to_wait(error.response.headers.get("retry-after")),
        )


@final
class _Answer:
    """What is known of one answer."""

    def __init__(self) -> None:
        self._blocks: dict[int, dict[str, Any]] = {}
        self._thoughts: list[dict[str, Any]] = []
        self._calls = 0
        self._finish: str | None = None
        self._input: InputUsage | None = None
        self._said = Usage()
        self._output: MessageDeltaUsage | None = None
        self._model: str | None = None
        self._id: str | None = None

    def frames(self, event: RawMessageStreamEvent) -> list[Frame]:
        """Take an event; return what can go out."""
        match event.type:
            case "message_start":
                self._id, self._model = event.message.id, event.message.model
                self._input = event.message.usage
                self._said = _usage(self._input, None)
                return [Frame.usage(self._said)]
            case "content_block_start":
                self._blocks[event.index] = event.content_block.model_dump(mode="json", exclude_none=True)
            case "content_block_delta":
                return self._delta(self._blocks.setdefault(event.index, {}), event.delta)
            case "content_block_stop":
                return self._block(self._blocks.pop(event.index, {}))
            case "message_delta":
                self._finish = event.delta.stop_reason or self._finish
                self._output = event.usage
            case "message_stop":
                return self._end()
        return []

    def _delta(self, block: dict[str, Any], delta: Any) -> list[Frame]:
        match delta.type:
            case "text_delta" if delta.text:
                return [Frame.text(delta.text)]
            case "thinking_delta" if delta.thinking:
                block["thinking"] = block.get("thinking", "") + delta.thinking
                return [Frame.reasoning(delta.thinking)]
            case "signature_delta":
                block["signature"] = block.get("signature", "") + delta.signature
            case "input_json_delta":
                block["json"] = block.get("json", "") + delta.partial_json
            case _:
                pass
        return []

    def _block(self, block: dict[str, Any]) -> list[Frame]:
        """Take a whole block: a call goes out only now."""
        if block.get("type") in {"thinking", "redacted_thinking"}:
            self._thoughts.append(block)
        if block.get("type") != "tool_use":
            return []
        self._calls += 1
        return [Frame.tool_call(ToolCall(block["id"], block["name"], block.get("json", ""), self._calls - 1))]

    def _end(self) -> list[Frame]:
        if self._finish is None:
            return []
        frames = [Frame.custom(MESSAGE_METADATA, {_THINKING: self._thoughts})] if self._thoughts else []
        end = response_frame(
            _FINISH_REASONS, self._finish, calls=self._calls > 0, model=self._model, answer_id=self._id
        )
        return [*frames, Frame.usage(_rest(_usage(self._input, self._output), self._said)), end]


def _usage(start: InputUsage | None, end: MessageDeltaUsage | None) -> Usage:
    """Return what was consumed; here cached tokens are not among the input's, and the end has the later counts."""

    def count(name: str) -> int:
        return getattr(end, name, None) or getattr(start, name, None) or 0

    cached, written = count("cache_read_input_tokens"), count("cache_creation_input_tokens")
    details = getattr(end, "output_tokens_details", None)
    return Usage(
        input_tokens=count("input_tokens") + cached + written,
        # What the start tells is a beginning, of which nobody can be sure.
        output_tokens=0 if end is None else end.output_tokens,
        cached_tokens=cached,
        reasoning_tokens=getattr(details, "thinking_tokens", None) or 0,
        details={"cache_creation_input_tokens": written} if written else {},
    )


def _rest(usage: Usage, said: Usage) -> Usage:
    """Return what of a usage was not told before."""
    details = {name: count - said.details.get(name, 0) for name, count in usage.details.items()}
    return Usage(
        input_tokens=usage.input_tokens - said.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens - said.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        details=details,
    )


def _asked(provider: str, request: Request, max_tokens: int) -> dict[str, Any]:
    """Return what messages are asked with, without the model."""
    options = request.options
    refuse_options(provider, options, "frequency_penalty", "presence_penalty")
    asked: dict[str, Any] = {
        "messages": _messages(provider, request.messages),
        "system": "\n\n".join(m.text for m in request.messages if m.role == "system") or None,
        "max_tokens": options.max_tokens or max_tokens,
        "stop_sequences": list(options.stop) or None,
    }
    if options.reasoning == "none":
        asked["thinking"] = {"type": "disabled"}
    elif options.reasoning is not None:
        asked["thinking"] = {"type": "adaptive", "display": "summarized"}
        asked["output_config"] = {"effort": options.reasoning}
    if request.tools:
        asked["tools"] = [_tool(tool) for tool in request.tools]
        asked["tool_choice"] = _choice(request)
    if request.response_schema is not None:
        wanted = {"format": {"type": "json_schema", "schema": {**request.response_schema}}}
        asked["output_config"] = asked.get("output_config", {}) | wanted
    # The SDK's call has no parameters for these, the protocol has them.
    more = {"temperature": options.temperature, "top_p": options.top_p, "top_k": options.top_k}
    if more := {name: value for name, value in more.items() if value is not None}:
        asked["extra_body"] = more
    return {name: value for name, value in asked.items() if value is not None} | {**options.extra}


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    schema = {"type": "object", **tool.parameters}
    offered = {"name": tool.name, "description": tool.description, "input_schema": schema}
    return offered | {"strict": True} if tool.strict else offered


def _choice(request: Request) -> dict[str, Any] | None:
    one_at_a_time = request.options.parallel_tool_calls is False
    chosen: dict[str, Any]
    match request.tool_choice:
        case None if not one_at_a_time:
            return None
        case None | "auto":
            chosen = {"type": "auto"}
        case "required":
            chosen = {"type": "any"}
        case "none":
            return {"type": "none"}
        case name:
            chosen = {"type": "tool", "name": name}
    return chosen | {"disable_parallel_tool_use": True} if one_at_a_time else chosen


def _messages(provider: str, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the conversation: results of tools that follow one another are one message of the user's."""
    said: list[dict[str, Any]] = []
    previous = None
    for message in messages:
        if message.role == "system":
            continue
        content = _content(provider, message)
        if message.role == "tool" and previous == "tool":
            said[-1]["content"] += content
        else:
            role = "assistant" if message.role == "assistant" else "user"
            said.append({"role": role, "content": content})
        previous = message.role
    return said


def _content(provider: str, message: Message) -> list[dict[str, Any]]:
    parts = [_part(provider, part) for part in message.parts if part != TextPart("")]
    if message.role == "tool":
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": message.call_id, "content": parts}
        return [result | {"is_error": True} if message.is_error else result]
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": tool_arguments(call)}
        for call in message.tool_calls
    ]
    return [*message.metadata.get(_THINKING, ()), *parts, *calls]


def _part(provider: str, part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if not isinstance(part, ImagePart | FilePart):
        raise unsupported(provider, part, "messages take text, images and files")
    source: dict[str, Any] = {"type": "url", "url": part.url}
    if part.data is not None:
        default = "image/png" if isinstance(part, ImagePart) else "application/pdf"
        source = {"type": "base64", "media_type": part.media_type or default, "data": base64_of(part.data)}
    if isinstance(part, ImagePart):
        return {"type": "image", "source": source}
    if part.data is not None and (part.media_type or "").startswith("text/"):
        text = part.data.decode(errors="replace")
        source = {"type": "text", "media_type": "text/plain", "data": text}
    named = {"title": part.name} if part.name else {}
    return {"type": "document", "source": source, **named}
