"""What LiteLLM reaches: a hundred providers by names such as "bedrock/…". The one place that imports litellm.

May import generation, components, errors. LiteLLM needs older versions of the other SDKs than the other adapters do, so it
lives in an environment without them.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, final

# Without this its import asks the network for a list of prices.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import httpx
import litellm as _litellm  # type: ignore[import-not-found, unused-ignore]  # pyright: ignore[reportMissingImports]
import openai

from sideband.generation import (
    ContextTooLongError,
    Frame,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    Request,
    seconds_to_wait,
)
from sideband.providers._chat_answer import ChatAnswer
from sideband.providers._openai_payloads import chat_request
from sideband.providers._sdk import UNREADABLE, SdkProvider, failure

__all__ = ["LiteLLM"]

# Nothing of it is typed here: it is not installed where types are checked.
litellm: Any = _litellm
# It prints to the standard output where something fails.
litellm.suppress_debug_info = True


@final
class LiteLLM(SdkProvider):
    """Any provider that LiteLLM knows, by its names: "bedrock/…", "mistral/…".

    ```python
    async with LiteLLM("mistral/mistral-small-latest") as provider:
        async for frame in provider.generate(Request.of("Why is the sky blue?")):
            ...
    ```

    Order, cancellation, closing, threads, cost: as `SdkProvider` says. LiteLLM has clients of its own, which it
    keeps; importing it takes several seconds.
    """

    name = "litellm"
    _known: ClassVar = (openai.OpenAIError, httpx.HTTPError, *UNREADABLE)

    def __init__(
        self,
        model: str = "",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 120.0,
        max_retries: int = 0,
    ) -> None:
        """Say what LiteLLM is to be told with each request.

        Args:
            model: which model answers requests that name none, with its provider: "provider/model".
            api_key: by default what LiteLLM finds in the provider's environment variable.
            base_url: where another server is.
            timeout: the longest wait, in seconds, for the answer to begin and then for each piece of it.
            max_retries: how often LiteLLM asks again by itself before an answer has begun; nobody is told.
        """
        self.model = model
        self._settings = {
            "api_key": api_key,
            "base_url": base_url,
            "timeout": timeout,
            "max_retries": max_retries,
            "num_retries": 0,
        }

    async def aclose(self) -> None:
        """Nothing is to be closed."""

    async def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        asked = chat_request(self.name, request, limit="max_tokens")
        stream = await litellm.acompletion(
            model=self._model(request), stream=True, **{**self._settings, **asked}
        )
        answer = ChatAnswer()
        async with aclosing(stream):
            async for chunk in stream:
                for frame in answer.frames(chunk):
                    yield frame
            # It makes up a finish reason for a stream that was cut.
            ended = stream.received_finish_reason is not None
        for frame in answer.end() if ended else ():
            yield frame

    def _failure(self, error: Exception) -> ProviderError:
        # It says of many an error that the server failed, whatever was the matter below.
        below = list(_chain(error))
        if any(isinstance(one, openai.APITimeoutError | httpx.TimeoutException) for one in below):
            return ProviderTimeoutError(f"no answer, or no piece of it, in time: {error}", provider=self.name)
        if any(isinstance(one, openai.APIConnectionError | httpx.TransportError) for one in below):
            return ProviderConnectionError(str(error), provider=self.name)
        status = getattr(error, "status_code", None)
        if isinstance(error, litellm.ContextWindowExceededError):
            return ContextTooLongError(str(error), provider=self.name, status=status)
        headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", None) or {}
        return failure(
            self.name,
            str(error),
            status=status,
            codes=(getattr(error, "code", None),),
            retry_after=seconds_to_wait(headers.get("retry-after")),
        )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error, and those that it was raised because of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
