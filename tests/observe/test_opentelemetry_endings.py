"""A handler that opens an OpenTelemetry span around each stream: it is closed in silence, however the stream ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from typing import Any

import pytest

from sideband import Abort, callbacks, component

from .helpers import collected, raising, until
from .tracing import chat, chat_async, every, expire_in_a_body, outer, plain, spans, traced, tracer


@component("ChatModel")
async def stuck(first: bool = False) -> AsyncGenerator[int]:
    """Wait for ever, in a span of its own, before or after the first chunk."""
    if first:
        yield 0
    with tracer.start_as_current_span("request"):
        await asyncio.get_running_loop().create_future()


@plain
def test_a_generator_closed_early_ends_its_span(sort: str) -> None:
    """Once, also where it is closed again."""
    with traced(sort, "chat(request)"), closing(chat()) as stream:
        next(stream)
        stream.close()


@every
async def test_a_stream_closed_early_ends_its_span(sort: str) -> None:
    """Once, with those inside of it, also where it is closed again."""
    with traced(sort, "outer(a(request))") as untouched:
        async with aclosing(outer("a")) as stream:
            await anext(stream)
            await stream.aclose()
            untouched()


@plain
def test_a_generator_that_is_dropped_ends_its_span(sort: str) -> None:
    """As by `break` in a loop."""
    with traced(sort, "chat(request)"):
        for _ in chat():
            break


@pytest.mark.parametrize("sort", ["generator", "class", "async_generator"])
async def test_a_stream_that_is_dropped_ends_its_span_on_the_spot(sort: str) -> None:
    """Handlers that wait cannot be told, but a generator is closed in the run's own context."""
    with traced(sort, "chat_async(request)"):
        stream = chat_async()
        await anext(stream)
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            del stream
        assert len(spans.ended) == 2


@pytest.mark.parametrize("sort", ["generator", "class", "async_generator"])
async def test_a_stream_dropped_in_another_task_ends_its_span_on_the_spot(sort: str) -> None:
    """Whose context has nothing to do with it."""

    async def drop(streams: list[Any]) -> None:
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            streams.clear()

    with traced(sort, "chat_async(request)"):
        stream = chat_async()
        await anext(stream)
        task = asyncio.create_task(drop([stream]))
        del stream
        await task


@pytest.mark.parametrize("sort", ["generator", "class", "async_generator", "async_class"])
def test_a_stream_that_the_loop_closes_at_its_shutdown_ends_its_span(sort: str) -> None:
    """In a task of the loop's own."""
    kept: list[Any] = []

    async def leave() -> None:
        kept.append(outer("a"))
        await anext(kept[0])

    with traced(sort, "outer(a(request))"):
        asyncio.run(leave())


@every
@pytest.mark.parametrize("first", [False, True])
async def test_a_stream_whose_reader_is_cancelled_ends_its_span(sort: str, first: bool) -> None:
    """Before the first chunk, and after it."""
    with traced(sort, "stuck(request)"):
        task = asyncio.create_task(collected(stuck(first)))
        await until(lambda: len(spans.started) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@every
async def test_a_stream_that_times_out_ends_its_span(sort: str) -> None:
    """While its consumer waits for a chunk."""
    with traced(sort, "stuck(request)") as untouched, pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
            group.create_task(expire_in_a_body(limit))
            async with aclosing(stuck(first=True)) as stream:
                async for _ in stream:
                    untouched()


@plain
@pytest.mark.parametrize("at", [0, 1])
def test_a_generator_that_fails_ends_its_span(sort: str, at: int) -> None:
    """Before the first chunk, and in mid-stream."""
    with traced(sort, f"chat({'request ' * (at + 1)})") as untouched, pytest.raises(LookupError):
        for _ in chat(failing_at=at):
            untouched()


@every
@pytest.mark.parametrize("at", [0, 1])
async def test_a_stream_that_fails_ends_its_span(sort: str, at: int) -> None:
    """Before the first chunk, and in mid-stream."""
    with traced(sort, f"chat_async({'request ' * (at + 1)})") as untouched, pytest.raises(LookupError):
        async for _ in chat_async(failing_at=at):
            untouched()


@every
async def test_a_stream_that_an_error_is_thrown_into_ends_its_span(sort: str) -> None:
    """As a framework does that hands its own errors to a generator."""
    with traced(sort, "chat_async(request)") as untouched:
        stream = chat_async()
        await anext(stream)
        with pytest.raises(LookupError):
            await stream.athrow(LookupError())
        untouched()


@every
@pytest.mark.parametrize("timing", ["on_start", "on_chunk"])
async def test_a_stream_that_a_handler_stops_ends_its_span(sort: str, timing: str) -> None:
    """At its start, before anything of it runs, and at its first chunk."""
    tree = "chat_async" if timing == "on_start" else "chat_async(request)"

    with callbacks(raising(timing, Abort())), traced(sort, tree), pytest.raises(Abort):
        await collected(chat_async())
