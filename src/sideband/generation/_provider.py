"""Where generations come from. May import nothing but this package's values."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from sideband.generation._frames import Frame
from sideband.generation._request import Request

__all__ = ["Provider", "makes_runs", "provider_name"]


@runtime_checkable
class Provider(Protocol):
    """Whoever answers requests with streams of frames: an adapter of an SDK, or a model in this process.

    A provider may have an attribute `name` ("openai"), by which runs, hooks and errors call it. One with an
    attribute `makes_runs` that is true calls components on its way, which the hooks of a `Runtime` are to see, too.

    Order: frames come as the model gives them: text as it is written, each call of a tool whole, usage
        as it is told. The last one is `Frame.response(ResponseMeta(…))`, the finish marker.
    Cancellation: of the consumer ends the stream, and the request to the model with it.
    Closing: an asynchronous generator is the form to choose, with the SDK's stream in an `async with`
        or a `try … finally`: closed at any frame, it closes the response. A stream that is never pulled
        asks nothing.
    Threads: several streams of one provider may be open at a time.
    """

    def generate(self, request: Request, /) -> AsyncIterator[Frame]:
        """Return the answer as a stream; nothing is sent before its first pull.

        Raises:
            ProviderError: from the stream, one of its leaves, with the SDK's own error as `__cause__`;
                `TruncatedStream` where the answer stops without the model having said so.
        """
        ...


def provider_name(provider: object) -> str:
    """Return what a provider calls itself; the name of its class where it says nothing."""
    name = getattr(provider, "name", None)
    return name if isinstance(name, str) and name else type(provider).__name__


def makes_runs(provider: object) -> bool:
    """Tell whether a provider says that it calls components, or other providers, on its way."""
    return getattr(provider, "makes_runs", False) is True
