"""Google's Gemini models, through the Gemini API or Vertex AI. The one place that imports google.genai.

May import generation, components, errors.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar, cast, final

import httpx2
import pydantic
from google.genai import Client, errors, types

from sideband.components import ToolCall, Usage
from sideband.generation import (
    MESSAGE_METADATA,
    AuthenticationError,
    BadRequestError,
    Frame,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    Request,
    seconds_to_wait,
)
from sideband.providers._google_payloads import OWN_ID, SIGNATURES, config, contents
from sideband.providers._sdk import (
    UNREADABLE,
    SdkProvider,
    connect_timeout,
    failure,
    response_frame,
    told,
    within,
)

__all__ = ["Google"]

_FINISH_REASONS: Mapping[str, str] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "JAILBREAK": "content_filter",
}
_opened: ContextVar[list[httpx2.Response]] = ContextVar("sideband_google_response")


@final
class Google(SdkProvider):
    """Gemini models.

    ```python
    async with Google("gemini-2.5-flash") as provider:
        async for frame in provider.generate(Request.of("Why is the sky blue?")):
            ...
    ```

    The signatures of what the model thought go back to it with the next request, in the message's metadata.

    Order, cancellation, closing, threads, cost: as `SdkProvider` says. With a client of your own, closing a stream
    early closes the HTTP response a little later: the SDK leaves it to the garbage collector.
    """

    name = "google"
    _known: ClassVar = (errors.APIError, errors.UnknownApiResponseError, httpx2.HTTPError, *UNREADABLE)
    _unreadable: ClassVar = (errors.UnknownApiResponseError, *UNREADABLE)

    def __init__(
        self,
        model: str = "",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        api_version: str | None = None,
        timeout: float = 120.0,
        max_retries: int = 0,
        client: Client | None = None,
    ) -> None:
        """Make a client for the Gemini API, or use one, which may also be for Vertex AI.

        Args:
            model: which model answers requests that name none.
            api_key: by default that of the environment variable GOOGLE_API_KEY or GEMINI_API_KEY; a server of another
                `base_url` may need none.
            base_url: where another server is that speaks the protocol, without the version.
            api_version: "v1" or "v1beta"; the SDK's default where it is not given.
            timeout: the longest wait, in seconds, for the answer to begin and then for each piece of it.
            max_retries: how often the SDK asks again by itself before an answer has begun; nobody is told.
            client: a client with settings of its own, which stays yours to close; the others are not used then.

        Raises:
            AuthenticationError: no key is given, and none is in the environment.
        """
        self.model = model
        self._http: httpx2.AsyncClient | None = None
        if client is None:
            limits = httpx2.Timeout(timeout, connect=connect_timeout(timeout))
            self._http = httpx2.AsyncClient(timeout=limits, event_hooks={"response": [_remember]})
            options = types.HttpOptions(
                base_url=base_url,
                api_version=api_version,
                # In milliseconds: what the SDK gives to its client with each request.
                timeout=max(1, round(timeout * 1000)),
                httpx_async_client=self._http,
                retry_options=types.HttpRetryOptions(attempts=max_retries + 1) if max_retries else None,
            )
            try:
                client = Client(
                    api_key=api_key or (base_url and "none needed") or None,
                    http_options=options,
                    vertexai=False,
                )
            except ValueError as error:
                raise AuthenticationError(str(error), provider=self.name) from error
        self._client = client

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._client.close()

    async def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        try:
            settings = types.GenerateContentConfig(**config(request))
        except pydantic.ValidationError as error:
            raise BadRequestError(str(error), provider=self.name) from error
        ask = cast("Any", self._client.aio.models).generate_content_stream
        stream = await ask(model=self._model(request), contents=contents(request.messages), config=settings)
        answer = _Answer()
        responses: list[httpx2.Response] = []
        try:
            async for chunk in _chunks(stream, responses):
                for frame in answer.frames(chunk):
                    yield frame
        finally:
            # The SDK's generators hold the response, and none of them closes the next.
            for response in responses:
                await response.aclose()
            await stream.aclose()
        for frame in answer.end():
            yield frame

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, httpx2.TimeoutException):
            return ProviderTimeoutError(f"no answer, or no piece of it, in time: {error}", provider=self.name)
        if isinstance(error, httpx2.HTTPError):
            return ProviderConnectionError(str(error), provider=self.name)
        if not isinstance(error, errors.APIError):
            return ProviderError(str(error), provider=self.name)
        details = cast("object", error.details)
        return failure(
            self.name,
            error.message or str(error),
            status=error.code,
            codes=(_reason(details), error.status),
            retry_after=_delay(details) or _header(error),
        )


async def _remember(response: httpx2.Response) -> None:
    """Keep a response for whoever waits for one."""
    if (waiting := _opened.get(None)) is not None:
        waiting.append(response)


async def _chunks(
    stream: AsyncIterator[types.GenerateContentResponse], responses: list[httpx2.Response]
) -> AsyncGenerator[types.GenerateContentResponse, None]:
    """Give a stream's chunks, and keep the response that the SDK opens for the first one."""
    while True:
        token = _opened.set(responses)
        try:
            chunk = await anext(stream)
        except StopAsyncIteration:
            return
        finally:
            _opened.reset(token)
        yield chunk


@final
class _Answer:
    """What is known of one answer."""

    def __init__(self) -> None:
        self._calls = 0
        self._signatures: dict[str, str] = {}
        self._finish: str | None = None
        self._usage: types.GenerateContentResponseUsageMetadata | None = None
        self._model: str | None = None
        self._id: str | None = None

    def frames(self, chunk: types.GenerateContentResponse) -> list[Frame]:
        """Take a chunk; return what can go out."""
        # Each chunk tells the usage so far.
        self._usage = chunk.usage_metadata or self._usage
        self._model = chunk.model_version or self._model
        self._id = chunk.response_id or self._id
        blocked = chunk.prompt_feedback and chunk.prompt_feedback.block_reason
        if blocked:
            self._finish = str(blocked.value)
        frames: list[Frame] = []
        for candidate in (chunk.candidates or ())[:1]:
            if candidate.finish_reason:
                self._finish = str(candidate.finish_reason.value)
            for part in (candidate.content and candidate.content.parts) or ():
                frames += self._part(part)
        return frames

    def _part(self, part: types.Part) -> list[Frame]:
        if part.thought_signature:
            place = "text" if part.function_call is None else str(self._calls)
            self._signatures[place] = base64.b64encode(part.thought_signature).decode("ascii")
        if part.text:
            return [Frame.reasoning(part.text) if part.thought else Frame.text(part.text)]
        if part.function_call is not None:
            called = part.function_call
            self._calls += 1
            call_id = called.id or f"{OWN_ID}{uuid.uuid4().hex}"
            arguments = json.dumps(called.args or {}, ensure_ascii=False)
            return [Frame.tool_call(ToolCall(call_id, called.name or "", arguments, self._calls - 1))]
        if part.inline_data is not None and part.inline_data.data:
            media, kind = part.inline_data.data, part.inline_data.mime_type or ""
            make = {"image": Frame.image, "audio": Frame.audio, "video": Frame.video}.get(
                kind.partition("/")[0]
            )
            return [make(media, kind)] if make else [Frame.custom("inline_data", part.inline_data)]
        return []

    def end(self) -> list[Frame]:
        """Return what can be said only when the stream has ended; no response where the model was not through."""
        frames = [] if self._usage is None else [Frame.usage(_usage(self._usage))]
        if self._finish is None or self._finish == "FINISH_REASON_UNSPECIFIED":
            return frames
        if self._signatures:
            frames.insert(0, Frame.custom(MESSAGE_METADATA, {SIGNATURES: self._signatures}))
        end = response_frame(
            _FINISH_REASONS, self._finish, calls=self._calls > 0, model=self._model, answer_id=self._id
        )
        return [*frames, end]


def _usage(usage: types.GenerateContentResponseUsageMetadata) -> Usage:
    """Return what was consumed; here what was thought is not among the output, nor tools' results among the input."""
    thought = usage.thoughts_token_count or 0
    return Usage(
        input_tokens=(usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
        output_tokens=(usage.candidates_token_count or 0) + thought,
        total_tokens=usage.total_token_count or 0,
        cached_tokens=usage.cached_content_token_count or 0,
        reasoning_tokens=thought,
    )


def _reason(body: object) -> str | None:
    """Return the exact reason of an error, which is among its details."""
    found = {told(detail, "reason") for detail in _details(body)}
    return "invalid_api_key" if "API_KEY_INVALID" in found else None


def _delay(body: object) -> float | None:
    """Return the seconds after which the request may be repeated: the error's details have them as "34.5s"."""
    for detail in _details(body):
        delay = told(detail, "retryDelay") or ""
        if delay.endswith("s") and delay[:-1].replace(".", "", 1).isdecimal():
            return float(delay[:-1])
    return None


def _header(error: errors.APIError) -> float | None:
    """Return what a server in between says of the delay."""
    response = cast("object", error.response)
    return (
        seconds_to_wait(response.headers.get("retry-after"))
        if isinstance(response, httpx2.Response)
        else None
    )


def _details(body: object) -> Sequence[object]:
    found = within(body, "error", "details") or within(body, "details")
    return cast("list[object]", found) if isinstance(found, list) else ()
