"""The protocols: for each its adapter, how its server says things, and in what it differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sideband.providers._sdk import SdkProvider
from sideband.providers.anthropic import Anthropic
from sideband.providers.google import Google
from sideband.providers.ollama import Ollama
from sideband.providers.openai import OpenAI, OpenAIResponses

from .wire_formats import (
    ID,
    MODEL,
    Answer,
    anthropic_fails,
    chat_says,
    data,
    dumped,
    event,
    gemini_says,
    google_fails,
    messages_say,
    ollama_fails,
    ollama_says,
    openai_fails,
    responses_say,
)

KEY = "sk-test-secret"


@dataclass(frozen=True)
class Dialect:
    """One protocol."""

    name: str
    make: Callable[..., SdkProvider]
    says: Callable[[Answer], list[bytes]]
    """The pieces of an answer, one chunk or event each; the last of them, or the one before, has the finish marker."""
    fails: Callable[[str, str], bytes]
    """The body of an error, of a message and the protocol's own word for its kind."""
    fails_midway: Callable[[], bytes]
    """An error inside of a stream: the server is overloaded."""
    words: dict[str, str]
    """The protocol's words for kinds of error."""
    prefix: str = ""
    content_type: str = "text/event-stream"
    empty: bytes = b""
    """A chunk that says nothing."""
    counts_details: bool = True
    """Whether it tells cached and reasoning tokens."""
    has_ids: bool = True
    """Whether it has a name for an answer."""
    hides_bad_bytes: bool = False
    """Whether its SDK replaces what is no UTF-8."""

    @asynccontextmanager
    async def provider(self, url: str, *, timeout: float = 20.0) -> AsyncGenerator[SdkProvider]:
        """Make the adapter for a server, and close it; a client reads certificates from files when it is made."""
        more = {} if self.make is Ollama else {"api_key": KEY}
        provider = await asyncio.to_thread(
            partial(self.make, MODEL, base_url=url + self.prefix, timeout=timeout, **more)
        )
        async with provider:
            yield provider

    def __str__(self) -> str:
        return self.name


OPENAI_WORDS = {
    "rate_limit": "rate_limit_exceeded",
    "authentication": "invalid_api_key",
    "not_found": "model_not_found",
    "too_long": "context_length_exceeded",
    "overloaded": "server_error",
    "bad_request": "invalid_value",
}

CHAT = Dialect(
    "openai-chat",
    OpenAI,
    chat_says,
    openai_fails,
    lambda: data({"error": {"message": "Overloaded", "type": "server_error", "code": None}}),
    OPENAI_WORDS,
    prefix="/v1",
    empty=data({"id": ID, "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": []}),
)
RESPONSES = Dialect(
    "openai-responses",
    OpenAIResponses,
    responses_say,
    openai_fails,
    lambda: event(
        {
            "type": "error",
            "code": "server_error",
            "message": "Overloaded",
            "param": None,
            "sequence_number": 9,
        }
    ),
    OPENAI_WORDS,
    prefix="/v1",
    empty=event(
        {
            "type": "response.output_text.delta",
            "item_id": "m",
            "output_index": 0,
            "content_index": 0,
            "delta": "",
        }
    ),
)
ANTHROPIC = Dialect(
    "anthropic",
    Anthropic,
    messages_say,
    anthropic_fails,
    lambda: event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    {
        "rate_limit": "rate_limit_error",
        "authentication": "authentication_error",
        "not_found": "not_found_error",
        "too_long": "invalid_request_error",
        "overloaded": "overloaded_error",
        "bad_request": "invalid_request_error",
    },
    empty=event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ""}}),
)
GOOGLE = Dialect(
    "google",
    Google,
    gemini_says,
    google_fails,
    lambda: data({"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}),
    {
        "rate_limit": "RESOURCE_EXHAUSTED",
        "authentication": "UNAUTHENTICATED",
        "not_found": "NOT_FOUND",
        "too_long": "INVALID_ARGUMENT",
        "overloaded": "UNAVAILABLE",
        "bad_request": "INVALID_ARGUMENT",
    },
    empty=data(
        {"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}}], "modelVersion": MODEL}
    ),
    hides_bad_bytes=True,
)
OLLAMA = Dialect(
    "ollama",
    Ollama,
    ollama_says,
    ollama_fails,
    lambda: dumped({"error": "Overloaded"}) + b"\n",
    dict.fromkeys(OPENAI_WORDS, ""),
    content_type="application/x-ndjson",
    empty=dumped({"model": MODEL, "message": {"role": "assistant", "content": ""}, "done": False}) + b"\n",
    counts_details=False,
    has_ids=False,
    hides_bad_bytes=True,
)

DIALECTS = (CHAT, RESPONSES, ANTHROPIC, GOOGLE, OLLAMA)
