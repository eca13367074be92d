"""What the adapters of SDKs have in common. May import generation, components, errors; no SDK."""

from __future__ import annotations

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, ClassVar, Self, cast

from sideband.components import Part, ToolCall
from sideband.generation import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    Frame,
    ModelNotFoundError,
    Options,
    OverloadedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    Request,
    ResponseMeta,
    TruncatedStream,
    error_of_status,
)

__all__ = [
    "SdkProvider",
    "base64_of",
    "connect_timeout",
    "connection_headers",
    "data_url",
    "failure",
    "refuse_options",
    "response_frame",
    "told",
    "tool_arguments",
    "unsupported",
    "within",
]

UNREADABLE: tuple[type[Exception], ...] = (json.JSONDecodeError, UnicodeDecodeError)
"""What SDKs let pass where a server sends something else than its protocol."""

_BY_CODE: Mapping[str, type[ProviderError]] = {
    "api_error": OverloadedError,
    "authentication_error": AuthenticationError,
    "context_length_exceeded": ContextTooLongError,
    "exceed_context_size_error": ContextTooLongError,
    "insufficient_quota": RateLimitError,
    "internal": OverloadedError,
    "invalid_api_key": AuthenticationError,
    "invalid_request_error": BadRequestError,
    "model_not_found": ModelNotFoundError,
    "not_found_error": ModelNotFoundError,
    "overloaded_error": OverloadedError,
    "permission_error": AuthenticationError,
    "rate_limit_error": RateLimitError,
    "rate_limit_exceeded": RateLimitError,
    "resource_exhausted": RateLimitError,
    "server_error": OverloadedError,
    "timeout_error": ProviderTimeoutError,
    "unavailable": OverloadedError,
}
_TOO_LONG = re.compile(
    r"context (length|size|window)|maximum context|prompt is too long|input token count .*exceeds|too many tokens",
    re.IGNORECASE,
)
_CONNECT_TIMEOUT = 10.0


class SdkProvider(ABC):
    """A provider that stands on its maker's SDK.

    Order: text and reasoning as they come; calls of tools whole, in the order in which they began, once the model
        has written them; usage; last the response.
    Cancellation: of the consumer closes the HTTP response, so that the server stops.
    Closing: closing the stream early does so, too. `aclose`, or leaving the block, closes the SDK's client, unless it
        was given one.
    Threads: one event loop, as the SDK's client; any number of streams at a time.
    Cost: keeps the frames of an open stream, for `TruncatedStream`. Importing an SDK takes a second or two.
    """

    name: str
    """What runs, hooks and errors call it."""
    model: str
    """Which model answers requests that name none."""
    _known: ClassVar[tuple[type[Exception], ...]]
    """The errors that the SDK raises, and those that it lets pass."""
    _unreadable: ClassVar[tuple[type[Exception], ...]] = UNREADABLE
    """Those of them that say that the server sent something else than its protocol."""

    def generate(self, request: Request, /) -> AsyncGenerator[Frame, None]:
        """Answer a request with a stream of frames; nothing is sent before its first pull.

        Raises:
            ProviderError: from the stream, one of its leaves, with the SDK's own error as `__cause__`;
                `TruncatedStream` where the answer stops without the model having said so.
        """
        return self._whole(request)

    @abstractmethod
    async def aclose(self) -> None:
        """Close the SDK's client, unless it was given; may be called again."""

    @abstractmethod
    def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        """Ask and give frames, the response last where the model has said that it is through."""

    @abstractmethod
    def _failure(self, error: Exception) -> ProviderError:
        """Say in our words what one of the known errors says."""

    async def _whole(self, request: Request) -> AsyncGenerator[Frame, None]:
        """Give the frames; raise ours for the SDK's errors, and an error of our own where the end is missing."""
        came: list[Frame] = []
        async with aclosing(self._frames(request)) as frames:
            while True:
                try:
                    frame = await anext(frames)
                except StopAsyncIteration:
                    break
                except self._known as error:
                    raise self._told(error, came) from error
                came.append(frame)
                yield frame
        if not came or came[-1].kind != "response":
            raise TruncatedStream(came, provider=self.name)

    def _told(self, error: Exception, came: list[Frame]) -> ProviderError:
        if isinstance(error, self._unreadable):
            unreadable = f"the stream holds what cannot be read ({error})"
            return TruncatedStream(came, provider=self.name, message=unreadable)
        failed = self._failure(error)
        if came and isinstance(failed, ProviderConnectionError):
            return TruncatedStream(came, provider=self.name, message="the connection was lost")
        return failed

    def _model(self, request: Request) -> str:
        model = request.model or self.model
        if not model:
            raise BadRequestError(
                "no model is named; give the provider or the request one", provider=self.name
            )
        return model

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"


def failure(
    provider: str,
    message: object,
    *,
    status: int | None = None,
    codes: tuple[object, ...] = (),
    request_id: str | None = None,
    retry_after: float | None = None,
) -> ProviderError:
    """Return the error that says what a provider said.

    Args:
        provider: its name.
        message: its words; what is no text, as servers may send anything, is told as Python writes it.
        status: the HTTP status, if it is one of failure.
        codes: its own words for the kind of failure, the most exact one first; what is no text is passed over.
        request_id: its name of the request.
        retry_after: the seconds after which it may be asked again.
    """
    words = str(message)
    given = [code for code in codes if isinstance(code, str) and code]
    chosen = next((_BY_CODE[code.lower()] for code in given if code.lower() in _BY_CODE), None)
    if (chosen is None or chosen is BadRequestError) and _TOO_LONG.search(words):
        chosen = ContextTooLongError
    code = given[0] if given else None
    if chosen is None and status is not None and status >= 400:
        return error_of_status(
            status, words, provider=provider, code=code, request_id=request_id, retry_after=retry_after
        )
    return (chosen or ProviderError)(
        words, provider=provider, status=status, code=code, request_id=request_id, retry_after=retry_after
    )


def response_frame(
    finish_reasons: Mapping[str, str],
    reason: str,
    *,
    calls: bool,
    refused: bool = False,
    model: str | None,
    answer_id: str | None,
    **more: Any,
) -> Frame:
    """Make the last frame of a stream.

    Args:
        finish_reasons: ours, by the provider's.
        reason: the provider's own; kept as `finish_reason` in the metadata.
        calls: whether the answer has calls of tools: some servers stop with "stop" for them, too.
        refused: whether its text is a refusal, for which OpenAI's stop with "stop", too.
        model: which one answered.
        answer_id: the provider's name of the answer.
        more: what else it said; what is None is left out.
    """
    ours = finish_reasons.get(reason, "other")
    if ours == "stop":
        ours = "tool_calls" if calls else "content_filter" if refused else ours
    said = {name: value for name, value in more.items() if value is not None}
    return Frame.response(ResponseMeta(model, ours, answer_id, metadata={"finish_reason": reason, **said}))


def within(body: object, *path: str) -> object:
    """Return what is at the end of a path through an error's body, whatever the server sent; None where nothing is."""
    for name in path:
        body = cast("Mapping[str, object]", body).get(name) if isinstance(body, Mapping) else None
    return body


def told(body: object, *path: str) -> str | None:
    """Return the text at the end of a path through an error's body; None where there is none."""
    found = within(body, *path)
    return found if isinstance(found, str) and found else None


def unsupported(provider: str, part: Part, reason: str) -> BadRequestError:
    """Return the error for a part of a message that the provider cannot be given."""
    return BadRequestError(f"{part!r} cannot be sent: {reason}", provider=provider)


def base64_of(data: bytes) -> str:
    """Return bytes as text."""
    return base64.b64encode(data).decode("ascii")


def data_url(data: bytes, media_type: str | None) -> str:
    """Return bytes as an address that holds them."""
    return f"data:{media_type or 'application/octet-stream'};base64,{base64_of(data)}"


def tool_arguments(call: ToolCall) -> dict[str, Any]:
    """Return a call's arguments for a provider that wants them parsed.

    What a model wrote that is no JSON object is given back to it under a name, so that it sees what it did.
    """
    try:
        return call.parsed
    except ValueError:
        return {"arguments": call.arguments}


def connection_headers(base_url: str | None) -> dict[str, str]:
    """Return the headers that keep a connection to a server of one's own from being used twice.

    Some such servers, llama.cpp's among them, close a connection after an answer without saying so, and a request
    that is sent at that moment is lost. Over plain HTTP a new one costs next to nothing.
    """
    return {"Connection": "close"} if base_url is not None and base_url.startswith("http://") else {}


def connect_timeout(timeout: float) -> float:
    """Return how long, in seconds, connecting may take: no longer than anything else."""
    return min(timeout, _CONNECT_TIMEOUT)


def refuse_options(provider: str, options: Options, *names: str) -> None:
    """Refuse what a protocol does not have and what cannot be left out without a change of the answer's meaning.

    Raises:
        BadRequestError: one of the named options is given.
    """
    for name in names:
        if getattr(options, name) not in (None, ()):
            raise BadRequestError(
                f"it has no option {name!r}; leave it out for this provider", provider=provider
            )
