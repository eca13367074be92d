"""The options and parts that each adapter sends, and those that it refuses because its protocol does not have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import anthropic
import openai
import pytest

from sideband.components import AudioPart, FilePart, ImagePart, Message, Part, TextPart, VideoPart
from sideband.generation import Options, Request

from .dialects import ANTHROPIC, CHAT, DIALECTS, GOOGLE, KEY, OLLAMA, RESPONSES, Dialect
from .sending import SCHEMA, TOOL, refused, sent
from .wire import Reply, WireServer
from .wire_formats import GREETING, MODEL

SETTINGS = Options(temperature=0.0, top_p=0.5, max_tokens=9, seed=3, extra={})
NAMES = {
    "openai-chat": {"temperature": 0.0, "top_p": 0.5, "max_tokens": 9, "seed": 3},
    "openai-responses": {"temperature": 0.0, "top_p": 0.5, "max_output_tokens": 9},
    "anthropic": {"temperature": 0.0, "top_p": 0.5, "max_tokens": 9},
    "google": {"temperature": 0.0, "top_p": 0.5, "max_output_tokens": 9, "seed": 3},
    "ollama": {"temperature": 0.0, "top_p": 0.5, "num_predict": 9, "seed": 3},
}


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_options_go_by_the_names_of_the_protocol(dialect: Dialect) -> None:
    """Zero is a value, and what is not given is not sent."""
    body = await sent(dialect, Request((Message.user("Hi."),), options=SETTINGS))
    settings = body.get("generation_config") or body.get("options") or body

    assert NAMES[dialect.name].items() <= settings.items()
    assert "stop" not in str(settings)


SCHEMAS = {
    "openai-chat": (
        "response_format",
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}},
    ),
    "openai-responses": (
        "text",
        {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}},
    ),
    "anthropic": ("output_config", {"format": {"type": "json_schema", "schema": SCHEMA}}),
    "google": ("response_json_schema", SCHEMA),
    "ollama": ("format", SCHEMA),
}


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_a_schema_for_the_answer_is_sent(dialect: Dialect) -> None:
    """In the protocol's own place."""
    body = await sent(dialect, Request((Message.user("Hi."),), response_schema=SCHEMA))
    place, wanted = SCHEMAS[dialect.name]

    assert (body.get("generation_config") or body)[place] == wanted


REASONING: dict[str, dict[str, Any]] = {
    "openai-chat": {"reasoning_effort": "high"},
    "openai-responses": {"reasoning": {"effort": "high", "summary": "auto"}},
    "anthropic": {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high"},
    },
    "google": {"thinking_config": {"include_thoughts": True, "thinking_level": "HIGH"}},
    "ollama": {"think": "high"},
}


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_reasoning_can_be_asked_for(dialect: Dialect) -> None:
    """Each protocol has a word for it."""
    body = await sent(dialect, Request((Message.user("Hi."),), options=Options(reasoning="high")))

    settings = body.get("generation_config") or body
    assert {name: settings[name] for name in REASONING[dialect.name]} == REASONING[dialect.name]


PARTS: list[tuple[Dialect, Part, str]] = [
    (
        CHAT,
        ImagePart(url="https://example.org/a.png", detail="low"),
        "{'url': 'https://example.org/a.png', 'detail': 'low'}",
    ),
    (CHAT, AudioPart(b"RIFF", media_type="audio/mpeg"), "{'data': 'UklGRg==', 'format': 'mp3'}"),
    (
        CHAT,
        FilePart(b"%PDF", media_type="application/pdf", name="a.pdf"),
        "'data:application/pdf;base64,JVBERg=='",
    ),
    (RESPONSES, FilePart(url="https://example.org/a.pdf"), "'file_url': 'https://example.org/a.pdf'"),
    (RESPONSES, FilePart(b"%PDF", media_type="application/pdf", name="a.pdf"), "'filename': 'a.pdf'"),
    (
        ANTHROPIC,
        ImagePart(url="https://example.org/a.png"),
        "{'type': 'url', 'url': 'https://example.org/a.png'}",
    ),
    (ANTHROPIC, FilePart(b"%PDF", name="a.pdf"), "'media_type': 'application/pdf', 'data': 'JVBERg=='"),
    (ANTHROPIC, FilePart("Grüße".encode(), media_type="text/plain"), "'data': 'Grüße'"),
    (GOOGLE, VideoPart(url="https://example.org/a.mp4"), "'file_uri': 'https://example.org/a.mp4'"),
    (GOOGLE, AudioPart(b"RIFF"), "{'data': 'UklGRg==', 'mime_type': 'audio/wav'}"),
]


@pytest.mark.parametrize(("dialect", "part", "wanted"), PARTS, ids=lambda value: type(value).__name__)
async def test_parts_go_as_the_protocol_has_them(dialect: Dialect, part: Part, wanted: str) -> None:
    """By their address, or by their bytes."""
    body = await sent(dialect, Request((Message.user("Look:", part),)))

    assert wanted in str(body)


@pytest.mark.parametrize(
    ("dialect", "part"),
    [
        (CHAT, VideoPart(b"....")),
        (RESPONSES, AudioPart(b"RIFF")),
        (ANTHROPIC, AudioPart(b"RIFF")),
        (OLLAMA, ImagePart(url="https://example.org/a.png")),
    ],
    ids=["chat", "responses", "anthropic", "ollama"],
)
async def test_a_part_that_a_protocol_does_not_have_is_refused(dialect: Dialect, part: Part) -> None:
    """Nothing is sent, and nothing left out in silence."""
    async with WireServer(Reply()) as server, dialect.provider(server.url) as provider:
        message = await refused(provider, Request((Message.user(TextPart("Look:"), part),)))

        assert type(part).__name__ in message
        assert server.requests == []


@pytest.mark.parametrize(
    ("dialect", "request_", "name"),
    [
        (RESPONSES, Request((Message.user("Hi."),), options=Options(stop=["."])), "stop"),
        (
            ANTHROPIC,
            Request((Message.user("Hi."),), options=Options(presence_penalty=0.5)),
            "presence_penalty",
        ),
        (
            OLLAMA,
            Request((Message.user("Hi."),), tools=(TOOL,), tool_choice="required"),
            "tool_choice='required'",
        ),
        (
            GOOGLE,
            Request((Message.user("Hi."),), options=Options(extra={"no_such_option": 1})),
            "no_such_option",
        ),
    ],
    ids=["responses", "anthropic", "ollama", "google"],
)
async def test_what_a_protocol_cannot_do_is_refused(dialect: Dialect, request_: Request, name: str) -> None:
    """An option that changes what the answer means is not left out in silence."""
    async with WireServer(Reply()) as server, dialect.provider(server.url) as provider:
        assert name in await refused(provider, request_)
        assert server.requests == []


async def test_extra_options_go_to_the_sdk_as_they_are() -> None:
    """They come last, so they also replace what the adapter would send. Niro, statement 129."""
    body = await sent(
        CHAT, Request((Message.user("Hi."),), options=Options(top_p=0.5, extra={"top_p": 0.25, "n": 1}))
    )

    assert (body["top_p"], body["n"]) == (0.25, 1)


@pytest.mark.parametrize(
    ("dialect", "make"), [(CHAT, openai.AsyncOpenAI), (ANTHROPIC, anthropic.AsyncAnthropic)], ids=str
)
async def test_a_client_of_ones_own_is_used_and_stays_open(
    dialect: Dialect, make: Callable[..., openai.AsyncOpenAI | anthropic.AsyncAnthropic]
) -> None:
    """With all that its maker set, and whoever gave it closes it. Niro, statement 129."""
    reply = Reply(dialect.says(GREETING), content_type=dialect.content_type)
    async with WireServer(reply) as server:
        settings = {
            "base_url": server.url + dialect.prefix,
            "api_key": KEY,
            "default_headers": {"X-Team": "a"},
        }
        client = await asyncio.to_thread(partial(make, **settings))
        async with client:
            async with dialect.make(MODEL, client=client) as provider:
                assert [frame async for frame in provider.generate(Request.of("Hi."))]
            assert not client.is_closed()

    assert server.requests[0].headers["x-team"] == "a"


async def test_anthropic_is_told_how_long_an_answer_may_get() -> None:
    """Its protocol has no default, and none of its own for calling one tool at a time."""
    options = Options(parallel_tool_calls=False, top_k=5)
    body = await sent(ANTHROPIC, Request((Message.user("Hi."),), tools=(TOOL,), options=options))

    assert (body["max_tokens"], body["top_k"]) == (4096, 5)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
