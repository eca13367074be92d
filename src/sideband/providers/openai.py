"""OpenAI, and every server that speaks one of its protocols. The one place that imports openai.

May import generation, components, errors.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar, final

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent, ResponseUsage

from sideband.components import ToolCall, Usage
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
from sideband.providers._chat_answer import FINISH_REASONS, ChatAnswer
from sideband.providers._openai_payloads import REASONING, chat_request, responses_request
from sideband.providers._sdk import (
    UNREADABLE,
    SdkProvider,
    connect_timeout,
    connection_headers,
    failure,
    response_frame,
    told,
)

__all__ = ["OpenAI", "OpenAIResponses"]


class _OpenAIProvider(SdkProvider):
    """What chat completions and responses have in common: the client and its errors."""

    name = "openai"
    _known: ClassVar = (openai.OpenAIError, httpx2.HTTPError, *UNREADABLE)

    def __init__(
        self,
        model: str = "",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 120.0,
        max_retries: int = 0,
        client: AsyncOpenAI | None = None,
    ) -> None:
        """Make a client, or use one.

        Args:
            model: which model answers requests that name none.
            api_key: by default that of the environment variable OPENAI_API_KEY; a server of another
                `base_url` may need none.
            base_url: where another server is that speaks the protocol, with the `/v1` that most have; by default
                that of OPENAI_BASE_URL, or OpenAI's own.
            timeout: the longest wait, in seconds, for the answer to begin and then for each piece of it.
            max_retries: how often the SDK asks again by itself before an answer has begun; nobody is told.
            client: a client with settings of its own, which stays yours to close; the others are not used then.

        Raises:
            AuthenticationError: no key is given, and none is in the environment.
        """
        self.model = model
        self._owned = client is None
        try:
            self._client = client or AsyncOpenAI(
                api_key=api_key or os.environ.get("OPENAI_API_KEY") or (base_url and "none needed") or None,
                base_url=base_url,
                default_headers=connection_headers(base_url or os.environ.get("OPENAI_BASE_URL")),
                timeout=httpx2.Timeout(timeout, connect=connect_timeout(timeout)),
                max_retries=max_retries,
            )
        except openai.OpenAIError as error:
            raise AuthenticationError(str(error), provider=self.name) from error

    async def aclose(self) -> None:
        if self._owned:
            await self._client.close()

    @abstractmethod
    def _frames(self, request: Request) -> AsyncGenerator[Frame, None]: ...

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            return ProviderTimeoutError(f"no answer, or no piece of it, in time: {error}", provider=self.name)
        if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
            return ProviderConnectionError(f"{error} {error.__cause__ or ''}".strip(), provider=self.name)
        if not isinstance(error, openai.APIError):
            return ProviderError(str(error), provider=self.name)
        response = error.response if isinstance(error, openai.APIStatusError) else None
        headers: Mapping[str, str] = {} if response is None else response.headers
        return failure(
            self.name,
            # The server's own words, without the SDK's around them.
            told(error.body, "message") or error.message,
            status=None if response is None else response.status_code,
            codes=(error.code, error.type),
            request_id=headers.get("x-request-id"),
            retry_after=_retry_after(headers),
        )


@final
class OpenAI(_OpenAIProvider):
    """OpenAI's chat completions, and those of every server with this protocol.

    ```python
    async with OpenAI("gpt-5-mini") as provider:
        async for frame in provider.generate(Request.of("Why is the sky blue?")):
            ...
    ```

    Order, cancellation, closing, threads, cost: as `SdkProvider` says.
    """

    async def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        limit = "max_completion_tokens" if self._client.base_url.host == "api.openai.com" else "max_tokens"
        asked = chat_request(self.name, request, limit=limit)
        create: Any = self._client.chat.completions.create
        stream: AsyncStream[ChatCompletionChunk] = await create(
            model=self._model(request), stream=True, **asked
        )
        answer = ChatAnswer()
        async with stream:
            async for chunk in stream:
                for frame in answer.frames(chunk):
                    yield frame
        for frame in answer.end():
            yield frame


@final
class OpenAIResponses(_OpenAIProvider):
    """OpenAI's responses: its newer protocol, with reasoning summaries.

    What the model thought goes back to it with the next request, in the message's metadata.

    Order, cancellation, closing, threads, cost: as `SdkProvider` says.
    """

    async def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        asked = responses_request(self.name, request)
        create: Any = self._client.responses.create
        stream: AsyncStream[ResponseStreamEvent] = await create(
            model=self._model(request), stream=True, **asked
        )
        answer = _ResponsesAnswer()
        async with stream:
            async for event in stream:
                for frame in answer.frames(event):
                    yield frame


@final
class _ResponsesAnswer:
    """What is known of one answer of responses."""

    def __init__(self) -> None:
        self._calls = 0
        self._refused = False
        self._thoughts: list[dict[str, Any]] = []

    def frames(self, event: ResponseStreamEvent) -> list[Frame]:
        """Take an event; return what can go out.

        Raises:
            ProviderError: the event says that the answer failed.
        """
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                self._refused = self._refused or event.type == "response.refusal.delta"
                return [Frame.text(event.delta)] if event.delta else []
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return [Frame.reasoning(event.delta)] if event.delta else []
            case "response.output_item.done":
                return self._item(event.item)
            case "response.completed" | "response.incomplete":
                return self._end(event.response)
            case "response.failed":
                error = event.response.error
                code = None if error is None else error.code
                raise failure("openai", error.message if error else "the answer failed", codes=(code,))
            case "error":
                raise failure("openai", event.message, codes=(event.code,))
            case _:
                return []

    def _item(self, item: Any) -> list[Frame]:
        if item.type == "reasoning":
            self._thoughts.append(item.model_dump(mode="json", exclude_none=True))
        if item.type != "function_call":
            return []
        self._calls += 1
        return [Frame.tool_call(ToolCall(item.call_id, item.name, item.arguments, self._calls - 1))]

    def _end(self, response: Response) -> list[Frame]:
        incomplete = response.incomplete_details
        reason = (incomplete and incomplete.reason) or response.status or "completed"
        frames = [Frame.custom(MESSAGE_METADATA, {REASONING: self._thoughts})] if self._thoughts else []
        if response.usage is not None:
            frames.append(Frame.usage(_responses_usage(response.usage)))
        end = response_frame(
            FINISH_REASONS,
            reason,
            calls=self._calls > 0,
            refused=self._refused,
            model=response.model,
            answer_id=response.id,
        )
        return [*frames, end]


def _responses_usage(usage: ResponseUsage) -> Usage:
    # Servers other than OpenAI's leave the details out.
    read: Any = usage.input_tokens_details
    written: Any = usage.output_tokens_details
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens or 0,
        cached_tokens=(read and read.cached_tokens) or 0,
        reasoning_tokens=(written and written.reasoning_tokens) or 0,
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    milliseconds = headers.get("retry-after-ms")
    if milliseconds is not None and milliseconds.isdecimal():
        return int(milliseconds) / 1000
    return seconds_to_wait(headers.get("retry-after"))
