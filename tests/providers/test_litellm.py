"""LiteLLM, in an environment of its own (`make test-litellm`): it needs older SDKs than the other adapters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

pytest.importorskip("litellm", reason="it has an environment of its own: make test-litellm")

from sideband.components import ToolCall
from sideband.generation import (
    AuthenticationError,
    ContextTooLongError,
    Frame,
    ModelNotFoundError,
    OverloadedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    Request,
    TruncatedStream,
    join_frames,
)
from sideband.providers import load
from sideband.providers.litellm import LiteLLM

from .wire import Reply, WireServer
from .wire_formats import GREETING, ID, Answer, chat_says, messages_say, openai_fails

# It warns of its own types at the first request.
pytestmark = pytest.mark.filterwarnings("default")

CALLS = (
    ToolCall("c1", "get_weather", '{"city": "Zürich"}', 0),
    ToolCall("c2", "get_weather", '{"city": "Rome"}', 1),
)


@pytest.fixture(autouse=True)
def no_blocking_call_on_the_loop() -> None:
    """Let LiteLLM read files on the event loop, as it does when it makes its clients: there is no asking it not to."""


def provider_of(server: WireServer, maker: str = "openai", *, timeout: float = 20.0) -> LiteLLM:
    """Make the adapter for a server that speaks a maker's protocol."""
    url = server.url + ("/v1" if maker == "openai" else "")
    return LiteLLM(f"{maker}/test-model", api_key="sk-test", base_url=url, timeout=timeout)


async def frames_of(reply: Reply, maker: str = "openai", *, timeout: float = 20.0) -> list[Frame]:
    """Serve one reply and return the frames that become of it."""
    async with WireServer(reply) as server, provider_of(server, maker, timeout=timeout) as provider:
        return [frame async for frame in provider.generate(Request.of("Say hello."))]


async def error_of(reply: Reply, *, timeout: float = 20.0) -> ProviderError:
    """Serve one reply and return the error that it is."""
    with pytest.raises(ProviderError) as caught:
        await frames_of(reply, timeout=timeout)
    return caught.value


@pytest.mark.parametrize(("maker", "says"), [("openai", chat_says), ("anthropic", messages_say)])
async def test_an_answer_has_the_form_that_all_providers_have(
    maker: str, says: Callable[[Answer], list[bytes]]
) -> None:
    """Text, usage, finish reason and id, from whichever protocol LiteLLM speaks below."""
    output = join_frames(await frames_of(Reply(says(GREETING)), maker))

    assert output.message.text == "Hello wörld"
    assert output.usage is not None
    assert (output.usage.input_tokens, output.usage.output_tokens) == (11, 7)
    assert output.finish_reason == "stop"
    assert output.id


async def test_calls_of_tools_come_whole() -> None:
    """Also parallel ones whose fragments are mixed."""
    answer = Answer(text=["Let me see."], calls=CALLS, finish="tool_calls")
    output = join_frames(await frames_of(Reply(chat_says(answer))))

    assert [(call.id, call.parsed) for call in output.message.tool_calls] == [
        ("c1", {"city": "Zürich"}),
        ("c2", {"city": "Rome"}),
    ]
    assert output.finish_reason == "tool_calls"


@pytest.mark.parametrize("end", ["whole", "cut"])
async def test_a_stream_that_stops_midway_is_truncated(end: str) -> None:
    """Although LiteLLM makes up a finish reason for it."""
    error = await error_of(Reply(chat_says(GREETING)[:3], end=end))  # type: ignore[arg-type]

    assert isinstance(error, TruncatedStream)
    assert error.output.message.text == "Hello "


@pytest.mark.parametrize(
    ("status", "word", "message", "wanted"),
    [
        (429, "rate_limit_exceeded", "Slow down.", RateLimitError),
        (401, "invalid_api_key", "Wrong key.", AuthenticationError),
        (404, "model_not_found", "No such model.", ModelNotFoundError),
        (
            400,
            "context_length_exceeded",
            "This model's maximum context length is 8192 tokens.",
            ContextTooLongError,
        ),
        (503, "server_error", "Overloaded.", OverloadedError),
    ],
)
async def test_http_errors_are_of_the_kind_that_they_are(
    status: int, word: str, message: str, wanted: type[ProviderError]
) -> None:
    """With the delay where there is one, and asked once."""
    reply = Reply([openai_fails(message, word)], status, {"retry-after": "7"}, "application/json")
    async with WireServer(reply) as server, provider_of(server) as provider:
        with pytest.raises(wanted, match=message) as caught:
            await anext(provider.generate(Request.of("Say hello.")))

        assert len(server.requests) == 1
    assert caught.value.__cause__ is not None


async def test_a_server_that_is_too_slow_is_a_timeout() -> None:
    """Between two pieces as before the first."""
    assert isinstance(await error_of(Reply(silent=True), timeout=0.5), ProviderTimeoutError)


async def test_nobody_listening_is_a_connection_error() -> None:
    """The error is worth another try."""
    provider = LiteLLM("openai/test-model", api_key="sk-test", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(ProviderConnectionError):
        await anext(provider.generate(Request.of("Say hello.")))


async def test_a_stream_closed_early_closes_the_connection() -> None:
    """The server sees that nobody listens any more."""
    async with WireServer(Reply(chat_says(GREETING)[:-2], end="hold")) as server:
        provider = provider_of(server)
        async with aclosing(provider.generate(Request.of("Say hello."))) as frames:
            async for frame in frames:
                if frame.kind == "text":
                    break

        await server.disconnected()


async def test_it_is_loaded_by_its_name() -> None:
    """As all providers are."""
    provider = await asyncio.to_thread(load, "litellm", "openai/test-model")

    assert isinstance(provider, LiteLLM)
    assert (provider.name, provider.model, ID in repr(provider)) == ("litellm", "openai/test-model", False)
