"""What goes wrong between here and a provider."""

from __future__ import annotations

import datetime as dt

import pytest

from sideband import SidebandError
from sideband.components import Usage
from sideband.generation import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    Frame,
    ModelNotFoundError,
    OverloadedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    TruncatedStream,
    error_of_status,
    seconds_to_wait,
)


@pytest.mark.parametrize(
    ("status", "kind", "builtin", "retryable"),
    [
        (401, AuthenticationError, PermissionError, False),
        (403, AuthenticationError, PermissionError, False),
        (404, ModelNotFoundError, LookupError, False),
        (400, BadRequestError, ValueError, False),
        (418, BadRequestError, ValueError, False),
        (413, ContextTooLongError, ValueError, False),
        (429, RateLimitError, SidebandError, True),
        (503, OverloadedError, SidebandError, True),
        (529, OverloadedError, SidebandError, True),
        (500, OverloadedError, SidebandError, True),
        (504, ProviderTimeoutError, TimeoutError, True),
        (302, ProviderError, SidebandError, False),
    ],
)
def test_each_status_has_its_error(status: int, kind: type, builtin: type, retryable: bool) -> None:
    """Niro, statement 132: who asks for the built-in gets it, too, and it says whether to try again."""
    error = error_of_status(status, "no", provider="openai")

    assert type(error) is kind
    assert isinstance(error, builtin)
    assert error.retryable is retryable
    assert str(error) == f"openai: no (HTTP {status})"


def test_an_error_tells_what_the_provider_told() -> None:
    """In its attributes and in its text."""
    error = RateLimitError(
        "slow down", provider="openai", status=429, code="rpm", request_id="r-1", retry_after=2.5
    )

    assert str(error) == "openai: slow down (HTTP 429, code rpm, request r-1)"
    assert (error.provider, error.status, error.code, error.request_id, error.retry_after) == (
        "openai", 429, "rpm", "r-1", 2.5,
    )  # fmt: skip
    assert str(ProviderConnectionError("gone")) == "gone"


def test_a_truncated_stream_has_what_came() -> None:
    """Nothing of the answer is lost by its breaking off."""
    frames = [Frame.text("Hel"), Frame.usage(Usage(input_tokens=3))]

    error = TruncatedStream(frames, provider="openai")
    assert error.frames == tuple(frames)
    assert error.output.message.text == "Hel"
    assert error.output.usage == Usage(input_tokens=3)
    assert isinstance(error, EOFError)
    assert str(error) == (
        "openai: the stream ended without its finish marker, after 2 frames and 3 characters of text"
    )
    assert str(TruncatedStream(message="reset by peer")).startswith("reset by peer, after 0 frames")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("2.5", 2.5),
        ("-1", 0.0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:28:30 -0000", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
    ],
)
def test_the_delay_of_a_header_is_read(header: str | None, seconds: float | None) -> None:
    """As a number or a date; nonsense, or a delay without end, is no delay."""
    assert seconds_to_wait(header, dt.datetime(2026, 10, 21, 7, 28, tzinfo=dt.UTC)) == seconds
