"""What goes wrong between here and a provider. May import errors.

    SidebandError
    └── ProviderError                   the root; `retryable` tells whether the same request may do better
        ├── RateLimitError              too many requests or tokens; has `retry_after`
        ├── OverloadedError             the provider cannot take it now; has `retry_after`
        ├── AuthenticationError         (PermissionError) the key is missing, wrong, or not allowed this
        ├── ModelNotFoundError          (LookupError) no such model, or not for this key
        ├── BadRequestError             (ValueError) the provider refuses the request as it is
        │   └── ContextTooLongError     the conversation does not fit into the model
        ├── ProviderTimeoutError        (TimeoutError) no answer in time
        ├── ProviderConnectionError     (ConnectionError) not reached, or cut off before an answer began
        └── TruncatedStream             (EOFError) the answer broke off; has what came

The error of the SDK is the `__cause__`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

from sideband.components import ChatModelOutput
from sideband.errors import SidebandError
from sideband.generation._frames import Frame
from sideband.generation._join import join_frames

__all__ = [
    "AuthenticationError",
    "BadRequestError",
    "ContextTooLongError",
    "ModelNotFoundError",
    "OverloadedError",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "RateLimitError",
    "TruncatedStream",
    "error_of_status",
    "seconds_to_wait",
]


class ProviderError(SidebandError):
    """A provider gave no answer, or no whole one."""

    retryable: bool = False
    """Whether the same request may succeed later."""

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Say what the provider said.

        Args:
            message: its own words, or what happened.
            provider: its name ("openai").
            status: the HTTP status, where there was one.
            code: its own word for this kind of failure.
            request_id: its name of the request, which its support asks for.
            retry_after: the seconds after which it may be asked again, where it says so.
        """
        said = f"{provider}: {message}" if provider else message
        notes = {"HTTP": status, "code": code, "request": request_id}
        told = ", ".join(f"{name} {note}" for name, note in notes.items() if note is not None)
        super().__init__(f"{said} ({told})" if told else said)
        self.provider = provider
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class RateLimitError(ProviderError):
    """Too many requests or tokens in too short a time; `retry_after` is the delay in seconds, if it is known."""

    retryable = True


class OverloadedError(ProviderError):
    """The provider cannot take the request now, through no fault of the caller's."""

    retryable = True


class AuthenticationError(ProviderError, PermissionError):
    """The key is missing, wrong, or may not do this."""


class ModelNotFoundError(ProviderError, LookupError):
    """The provider has no such model, or not for this key."""


class BadRequestError(ProviderError, ValueError):
    """The provider refuses the request as it is; another attempt would be refused, too."""


class ContextTooLongError(BadRequestError):
    """The conversation, with the answer's room, does not fit into the model."""


class ProviderTimeoutError(ProviderError, TimeoutError):
    """No answer came in time, or none of its pieces."""

    retryable = True


class ProviderConnectionError(ProviderError, ConnectionError):
    """The provider was not reached, or the connection was lost before an answer began."""

    retryable = True


class TruncatedStream(ProviderError, EOFError):  # noqa: N818 - DESIGN names it so
    """An answer broke off without its finish marker; `frames` and `output` are what came of it."""

    retryable = True

    def __init__(self, frames: Iterable[Frame] = (), *, provider: str = "", message: str = "") -> None:
        """Keep what came.

        Args:
            frames: those that came before the stream broke off.
            provider: its name.
            message: how it broke off, where that is known.
        """
        self.frames: tuple[Frame, ...] = tuple(frames)
        self.output: ChatModelOutput = join_frames(self.frames)
        reason = message or "the stream ended without its finish marker"
        super().__init__(
            f"{reason}, after {len(self.frames)} frames and {len(self.output.message.text)} characters of text",
            provider=provider,
        )


_BY_STATUS: dict[int, type[ProviderError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: AuthenticationError,
    404: ModelNotFoundError,
    408: ProviderTimeoutError,
    413: ContextTooLongError,
    422: BadRequestError,
    429: RateLimitError,
    504: ProviderTimeoutError,
}


def error_of_status(
    status: int,
    message: str,
    *,
    provider: str = "",
    code: str | None = None,
    request_id: str | None = None,
    retry_after: float | None = None,
) -> ProviderError:
    """Return the error that an HTTP status stands for; adapters know more, and choose a leaf themselves then."""
    fallback = OverloadedError if status >= 500 else BadRequestError if 400 <= status < 500 else ProviderError
    return _BY_STATUS.get(status, fallback)(
        message, provider=provider, status=status, code=code, request_id=request_id, retry_after=retry_after
    )


def seconds_to_wait(retry_after: str | None, now: dt.datetime | None = None) -> float | None:
    """Return the seconds that an HTTP header `Retry-After` asks for, a number or a date; None where it says neither.

    Args:
        retry_after: the header's text.
        now: what a date is counted from; the present by default.
    """
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        return _seconds_until(retry_after, now or dt.datetime.now(dt.UTC))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: dt.datetime) -> float | None:
    try:
        until = parsedate_to_datetime(date)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max(0.0, (until - now).total_seconds())
