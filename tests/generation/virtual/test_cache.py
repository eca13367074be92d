"""Answers that are given again."""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
from dataclasses import fields, replace
from typing import Any

import pytest
from tests.generation.helpers import USED, Noting

from sideband.components import ImagePart, Message, ToolCall, ToolDefinition, Usage
from sideband.generation import (
    CACHE,
    CACHED,
    CacheStore,
    CacheUse,
    Frame,
    MemoryStore,
    Options,
    ProviderError,
    Request,
    ResponseMeta,
    Runtime,
    cache,
    retry,
)
from sideband.testing import Recorder, check_lifecycle

from .scripts import ANSWER, DONE, FlakyError, Script, now, read

ASKED = Request.of("go")
PAID = Usage(input_tokens=3, output_tokens=2, cost=0.5)
RICH = [
    Frame.reasoning("hm"),
    Frame.text("a"),
    Frame.image(ImagePart(b"\x00\xff", None, "image/png")),
    Frame.tool_call(ToolCall("c", "look", '{"a": 1}')),
    Frame.custom("mood", {"good": [1, 2]}),
    Frame.usage(PAID),
    Frame.response(ResponseMeta("m", "tool_calls", "r", PAID, {"fingerprint": "f"})),
]


def bare(frames: list[Frame]) -> list[Frame]:
    """Return frames without what marks them as replayed."""
    kept: list[Frame] = []
    for frame in frames:
        content: Any = frame.content
        if frame.kind == "usage":
            content = replace(content, cost=0.5, details={})
        if frame.kind == "response":
            usage = None if content.usage is None else replace(content.usage, cost=0.5, details={})
            told = {name: one for name, one in content.metadata.items() if name != CACHED}
            content = replace(content, usage=usage, metadata=told)
        kept.append(Frame(frame.kind, content))
    return kept


@pytest.mark.parametrize("share", [False, True])
async def test_an_equal_request_gets_the_same_frames(share: bool) -> None:
    """Niro, statement 101: of every kind, with response and usage, as copies of their own; the provider is asked once."""
    provider = Script(RICH)
    cached = cache(provider, scope=None, share=share)

    first, _ = await read(cached.generate(ASKED))
    second, _ = await read(cached.generate(ASKED))

    assert first == RICH
    assert bare(second) == RICH
    assert len(provider.asked) == 1
    assert second[4].content.data is not first[4].content.data


async def test_a_cached_answer_says_so_and_costs_nothing() -> None:
    """Its tokens are those of the answer; the details say how many were not consumed anew."""
    hook, recorder = Noting(), Recorder()
    runtime = Runtime(cache(Script(RICH), scope=None), hooks=[recorder])
    await runtime.generate(ASKED).collect()
    stream = runtime.generate(ASKED, hooks=[hook])
    await stream.collect()

    assert stream.usage == replace(
        PAID, cost=0.0, details={"replayed_input_tokens": 3, "replayed_output_tokens": 2}
    )
    assert stream.response is not None
    assert stream.response.metadata[CACHED] is True
    assert hook.ended.cached
    assert [event.status for event in recorder.events(CACHE)] == ["miss", "hit"]
    assert [run.attributes.get(CACHED, False) for run in recorder.runs()] == [False, True]


CHANGES: dict[str, Any] = {
    "messages": (Message.system("be brief"), Message.user("go")),
    "model": "other",
    "tools": (ToolDefinition("look"),),
    "tool_choice": "none",
    "options": Options(temperature=0.5),
    "response_schema": {"type": "object"},
}


@pytest.mark.parametrize("name", [field.name for field in fields(Request)])
async def test_every_field_that_is_sent_is_in_the_key(name: str) -> None:
    """Niro, statement 102: system prompt, options, schema and tool choice too; what is for hooks alone is not."""
    provider = Script(ANSWER)
    cached = cache(provider, scope=None)
    told: dict[str, Any] = {"request_id": "q", "function_id": "f", "metadata": {"user": "u"}}
    other = replace(ASKED, **{name: told[name] if name in told else CHANGES[name]})

    await read(cached.generate(ASKED))
    await read(cached.generate(other))

    assert len(provider.asked) == (1 if name in told else 2)


async def test_tenants_do_not_share_answers() -> None:
    """Niro, statement 102 and flaw 14: the scope is a part of the key, and has to be given."""
    provider = Script(ANSWER)
    cached = cache(provider, scope=lambda request: request.metadata["tenant"])
    for tenant in ("a", "b", "a"):
        await read(cached.generate(replace(ASKED, metadata={"tenant": tenant})))

    assert len(provider.asked) == 2
    with pytest.raises(TypeError):
        cache(provider)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="got 3"):
        cache(provider, scope=3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def test_one_store_serves_several_providers() -> None:
    """Their names are in the key."""
    store = MemoryStore()
    one, other = Script(ANSWER, name="one"), Script(ANSWER, name="other")
    for provider in (one, other, one, other):
        await read(cache(provider, scope=None, store=store).generate(ASKED))

    assert (len(one.asked), len(other.asked)) == (1, 1)
    assert isinstance(store, CacheStore)


@pytest.mark.parametrize(
    "script",
    [
        [*ANSWER[:2], ProviderError("cut")],
        ANSWER[:3],
        [Frame.text("no"), Frame.response(ResponseMeta("m", "content_filter"))],
        [Frame.custom("mine", object()), DONE],
        [Frame.custom("mine", (1, 2)), DONE],
    ],
)
@pytest.mark.parametrize("share", [False, True])
async def test_only_a_whole_answer_is_kept(script: list[Any], share: bool) -> None:
    """Niro, statement 101: not one that failed, has no finish marker, or was refused; nor what would come back otherwise."""
    provider = Script(script)
    cached = cache(provider, scope=None, share=share)
    first = await read(cached.generate(ASKED))

    assert await read(cached.generate(ASKED)) == first
    assert len(provider.asked) == 2


async def test_an_answer_that_was_closed_early_is_not_kept() -> None:
    """And the call ends with its only reader."""
    provider = Script([*ANSWER[:2], 5, *ANSWER[2:]])
    cached = cache(provider, scope=None)
    stream = cached.generate(ASKED)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]

    assert (provider.open, now()) == (0, 0.0)
    await read(cached.generate(ASKED))
    assert len(provider.asked) == 2


async def test_a_request_without_a_form_in_json_goes_through() -> None:
    """It is asked each time, and the run is told."""
    provider, recorder = Script(ANSWER), Recorder()
    asked = Request((Message.user("go"),), options=Options(extra={"hook": object()}))
    runtime = Runtime(cache(provider, scope=None), hooks=[recorder])
    for _ in range(2):
        assert await runtime.generate(asked).collect() == ANSWER

    assert recorder.events(CACHE) == [CacheUse("skipped", "")] * 2


# -- shared calls -------------------------------------------------------------------------------------


async def test_equal_requests_at_the_same_time_are_one_call() -> None:
    """Each reader gets all frames; what was consumed counts once."""
    provider, recorder = Script([1, *RICH[:3], 1, *RICH[3:]]), Recorder()
    runtime = Runtime(cache(provider, scope=None), hooks=[recorder])
    streams = [runtime.generate(ASKED) for _ in range(3)]
    answers = await asyncio.gather(*(stream.collect() for stream in streams))

    assert len(provider.asked) == 1
    assert [bare(answer) for answer in answers] == [RICH] * 3
    assert sum(stream.usage.cost or 0 for stream in streams) == 0.5
    assert sorted(event.status for event in recorder.events(CACHE)) == ["miss", "shared", "shared"]
    check_lifecycle(recorder)


async def test_requests_are_not_shared_where_that_is_not_wanted() -> None:
    """Each one is a call."""
    provider = Script([1, *ANSWER])
    cached = cache(provider, scope=None, share=False)
    await asyncio.gather(*(read(cached.generate(ASKED)) for _ in range(3)))

    assert len(provider.asked) == 3


@pytest.mark.parametrize("leaving", [[0], [1], [0, 1], [0, 1, 2]])
async def test_a_reader_that_is_cancelled_takes_nothing_from_the_others(leaving: list[int]) -> None:
    """Not even the one who began; the call ends when the last one has left."""
    provider, recorder = Script([1, ANSWER[0], 1, *ANSWER[1:]]), Recorder()
    runtime = Runtime(cache(retry(provider), scope=None), hooks=[recorder])
    tasks = [asyncio.create_task(runtime.generate(ASKED).collect()) for _ in range(3)]
    await asyncio.sleep(1.5)
    for place in leaving:
        tasks[place].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    for place, result in enumerate(results):
        if place in leaving:
            assert isinstance(result, asyncio.CancelledError)
        else:
            assert isinstance(result, list)
            assert [frame.content for frame in result][:2] == ["a", "b"]
    assert len(provider.asked) == 1
    assert provider.open == 0
    check_lifecycle(recorder)


async def test_a_slow_reader_holds_nobody_back_and_nothing_is_read_ahead() -> None:
    """The call goes as far as its quickest reader."""
    provider = Script(ANSWER)
    cached = cache(provider, scope=None)
    slow, quick = cached.generate(ASKED), cached.generate(ASKED)
    await anext(slow)
    await asyncio.sleep(1)
    assert provider.given == 1

    assert len([frame async for frame in quick]) == 4
    assert len([frame async for frame in slow]) == 3


async def test_all_readers_get_the_error_of_a_call() -> None:
    """The same one; and the next request is a new call."""
    error = FlakyError("cut")
    provider = Script([1, ANSWER[0], 1, error], ANSWER)
    cached = cache(provider, scope=None)
    results = await asyncio.gather(*(read(cached.generate(ASKED)) for _ in range(3)))

    assert results == [([ANSWER[0]], error)] * 3
    assert await read(cached.generate(ASKED)) == (ANSWER, None)


# -- stores -------------------------------------------------------------------------------------------


async def test_an_answer_is_forgotten_in_time() -> None:
    """By the clock of the loop."""
    provider = Script(ANSWER)
    cached = cache(provider, scope=None, store=MemoryStore(ttl=60))
    for seconds in (0, 59.5, 1):
        await asyncio.sleep(seconds)
        await read(cached.generate(ASKED))

    assert len(provider.asked) == 2


async def test_a_store_is_bounded_by_entries_and_bytes() -> None:
    """What was used longest ago goes first."""
    store = MemoryStore(max_entries=3, max_bytes=10)
    for key in "abc":
        await store.put(key, b"12")
    assert await store.get("a") == b"12"
    await store.put("d", b"1234")
    assert [await store.get(key) for key in "abcd"] == [b"12", None, b"12", b"1234"]
    await store.put("e", b"12345678")
    assert [await store.get(key) for key in "acde"] == [None, None, None, b"12345678"]
    await store.put("e", b"1")
    await store.put("f", b"12345678901")
    assert (len(store), store.bytes) == (1, 1)


@pytest.mark.parametrize("limits", [{"max_entries": 0}, {"max_bytes": 0}, {"ttl": 0}])
def test_limits_of_a_store_are_positive(limits: dict[str, Any]) -> None:
    """With the values."""
    with pytest.raises(ValueError, match="must be positive"):
        MemoryStore(**limits)


@pytest.mark.parametrize("broken", ["get", "put", "{", "{}", "[1]"])
async def test_a_store_that_fails_does_not_fail_the_answer(broken: str) -> None:
    """It is logged, and the model is asked."""

    class Broken:
        async def get(self, key: str) -> bytes | None:
            if broken == "get":
                raise OSError("away")
            return None if broken == "put" else broken.encode()

        async def put(self, key: str, value: bytes) -> None:
            if broken == "put":
                raise OSError("full")

    handler = logging.handlers.BufferingHandler(10)
    logger = logging.getLogger("sideband")
    logger.addHandler(handler)
    try:
        cached = cache(Script(ANSWER), scope=None, store=Broken())
        assert await read(cached.generate(ASKED)) == (ANSWER, None)
    finally:
        logger.removeHandler(handler)

    assert len(handler.buffer) == 1
    assert ANSWER[2].content == USED
