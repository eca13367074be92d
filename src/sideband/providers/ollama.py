"""Models that Ollama runs. The one place that imports ollama.

May import generation, components, errors.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, cast, final

import httpx
import ollama
import pydantic

from sideband.components import ImagePart, Message, TextPart, ToolCall, Usage
from sideband.generation import (
    BadRequestError,
    Frame,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    Request,
)
from sideband.providers._sdk import (
    UNREADABLE,
    SdkProvider,
    base64_of,
    connect_timeout,
    failure,
    response_frame,
    tool_arguments,
    unsupported,
)

__all__ = ["Ollama"]

_FINISH_REASONS: Mapping[str, str] = {"stop": "stop", "length": "length"}


@final
class Ollama(SdkProvider):
    """Models that Ollama runs, on this machine or another, through its own protocol.

    ```python
    async with Ollama("llama3.2") as provider:
        async for frame in provider.generate(Request.of("Why is the sky blue?")):
            ...
    ```

    Ollama forces no call of a tool: of `tool_choice` it can do "auto" and "none". Its SDK tells the model of a
    parameter's type, items, description and allowed values only; where that is not enough, use `OpenAI` with Ollama's
    address and `/v1`.

    Order, cancellation, closing, threads, cost: as `SdkProvider` says.
    """

    name = "ollama"
    _known: ClassVar = (
        ollama.ResponseError,
        ollama.RequestError,
        httpx.HTTPError,
        ConnectionError,
        pydantic.ValidationError,
        *UNREADABLE,
    )
    _unreadable: ClassVar = (pydantic.ValidationError, *UNREADABLE)

    def __init__(
        self,
        model: str = "",
        *,
        base_url: str | None = None,
        timeout: float = 120.0,
        client: ollama.AsyncClient | None = None,
    ) -> None:
        """Make a client, or use one. The SDK does not ask again by itself.

        Args:
            model: which model answers requests that name none.
            base_url: where Ollama is; by default the environment variable OLLAMA_HOST, or port 11434 of this machine.
            timeout: the longest wait, in seconds, for the answer to begin and then for each piece of it; Ollama loads
                a model before it answers.
            client: a client with settings of its own, which stays yours to close; the others are not used then.
        """
        self.model = model
        self._owned = client is None
        self._client = client or ollama.AsyncClient(
            host=base_url, timeout=httpx.Timeout(timeout, connect=connect_timeout(timeout))
        )

    async def aclose(self) -> None:
        if self._owned:
            await cast("Any", self._client).close()

    async def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        chat = cast("Any", self._client).chat
        stream: AsyncGenerator[ollama.ChatResponse, None] = await chat(
            model=self._model(request), stream=True, **_asked(self.name, request)
        )
        answer = _Answer()
        async with aclosing(stream):
            async for chunk in _read(stream):
                for frame in answer.frames(chunk):
                    yield frame

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, httpx.TimeoutException):
            return ProviderTimeoutError(f"no answer, or no piece of it, in time: {error}", provider=self.name)
        if isinstance(error, ConnectionError | httpx.HTTPError):
            return ProviderConnectionError(str(error), provider=self.name)
        if not isinstance(error, ollama.ResponseError):
            return ProviderError(str(error), provider=self.name)
        # An error within a stream has no status of its own.
        status = error.status_code if error.status_code >= 400 else None
        return failure(self.name, error.error, status=status)


async def _read(stream: AsyncIterator[ollama.ChatResponse]) -> AsyncGenerator[ollama.ChatResponse, None]:
    """Give a stream's chunks; where the SDK fails over JSON that is no object, say so."""
    try:
        async for chunk in stream:
            yield chunk
    except AttributeError as error:
        raise ollama.RequestError(f"the server sent what cannot be read ({error})") from error


@final
class _Answer:
    """What is known of one answer."""

    def __init__(self) -> None:
        self._calls = 0

    def frames(self, chunk: ollama.ChatResponse) -> list[Frame]:
        """Take a chunk; return what can go out."""
        frames: list[Frame] = []
        if chunk.message.thinking:
            frames.append(Frame.reasoning(chunk.message.thinking))
        if chunk.message.content:
            frames.append(Frame.text(chunk.message.content))
        for call in chunk.message.tool_calls or ():
            arguments = json.dumps(call.function.arguments, ensure_ascii=False)
            # Ollama knows its calls by their order.
            call_id = f"call_{uuid.uuid4().hex}"
            frames.append(Frame.tool_call(ToolCall(call_id, call.function.name, arguments, self._calls)))
            self._calls += 1
        return frames + self._end(chunk) if chunk.done else frames

    def _end(self, chunk: ollama.ChatResponse) -> list[Frame]:
        usage = Usage(input_tokens=chunk.prompt_eval_count or 0, output_tokens=chunk.eval_count or 0)
        end = response_frame(
            _FINISH_REASONS,
            chunk.done_reason or "stop",
            calls=self._calls > 0,
            model=chunk.model,
            answer_id=None,
            load_duration=chunk.load_duration and chunk.load_duration / 1e9,
        )
        return [Frame.usage(usage), end]


def _asked(provider: str, request: Request) -> dict[str, Any]:
    """Return what a chat is asked with, without the model."""
    options = request.options
    if request.tool_choice not in {None, "auto", "none"}:
        reason = f"it cannot be told to call a tool; leave out tool_choice={request.tool_choice!r}"
        raise BadRequestError(reason, provider=provider)
    settings: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "num_predict": options.max_tokens,
        "stop": list(options.stop) or None,
        "seed": options.seed,
        "frequency_penalty": options.frequency_penalty,
        "presence_penalty": options.presence_penalty,
    }
    asked: dict[str, Any] = {
        "messages": [_said(provider, message, request) for message in request.messages],
        "options": {name: value for name, value in settings.items() if value is not None} or None,
        "format": None if request.response_schema is None else {**request.response_schema},
    }
    if options.reasoning is not None:
        asked["think"] = False if options.reasoning == "none" else options.reasoning
    if request.tools and request.tool_choice != "none":
        asked["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": {**tool.parameters},
                },
            }
            for tool in request.tools
        ]
    return asked | {**options.extra}


def _said(provider: str, message: Message, request: Request) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.text}
    images: list[str] = []
    for part in message.parts:
        if isinstance(part, ImagePart) and part.data is not None:
            images.append(base64_of(part.data))
        elif not isinstance(part, TextPart):
            raise unsupported(provider, part, "Ollama takes text, and images as bytes")
    if images:
        said["images"] = images
    if message.tool_calls:
        said["tool_calls"] = [
            {"function": {"name": call.name, "arguments": tool_arguments(call)}}
            for call in message.tool_calls
        ]
    if message.role == "tool":
        names = {call.id: call.name for earlier in request.messages for call in earlier.tool_calls}
        said["tool_name"] = message.name or names.get(message.call_id, "")
    return said
