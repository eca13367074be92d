"""Watched generators keep the whole protocol of generators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from sideband import Outcome, callbacks, component
from sideband.testing import Recorder

from .helpers import collected, until, watched


def letters(log: list[str]) -> Generator[str]:
    """Give two letters and write down the cleanup."""
    try:
        yield "a"
        yield "b"
    finally:
        log.append("closed")


async def letters_async(log: list[str]) -> AsyncGenerator[str]:
    """Give two letters and write down the cleanup."""
    try:
        yield "a"
        await asyncio.sleep(0)
        yield "b"
    finally:
        await asyncio.sleep(0)
        log.append("closed")


plain = component("ChatModel")(letters)
asynchronous = component("ChatModel")(letters_async)


async def test_a_stream_may_be_read_in_another_task_than_it_was_opened_in() -> None:
    """Each step runs in the context of the task that pulls."""
    with watched() as recorder:
        stream = asynchronous([])
        first = await asyncio.create_task(anext_of(stream))
        rest = await asyncio.create_task(collected(stream))

    assert [first, *rest] == ["a", "b"]
    assert recorder.run().outcome is Outcome.OK


async def anext_of(stream: AsyncGenerator[str]) -> str:
    """Pull once."""
    return await anext(stream)


async def test_a_second_reader_is_refused_as_by_a_bare_generator_and_changes_nothing() -> None:
    """Pulling or closing a stream while another task pulls raises what Python raises, and the run goes on."""
    go = asyncio.Event()

    @component("Lambda")
    async def body() -> AsyncGenerator[int]:
        await go.wait()
        yield 1

    with watched() as recorder:
        stream = body()
        task = asyncio.ensure_future(collected(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already running"):
            await anext(stream)
        with pytest.raises(RuntimeError, match="already running"):
            await stream.aclose()
        go.set()
        assert await task == [1]

    assert recorder.run().outcome is Outcome.OK


def talk() -> Generator[Any, Any, str]:
    """Answer what is sent and thrown."""
    got = yield "ready"
    while got != "stop":
        try:
            got = yield f"got {got}"
        except KeyError as error:
            got = yield f"caught {error.args[0]}"
    return "bye"


async def talk_async() -> AsyncGenerator[Any, Any]:
    """Answer what is sent and thrown."""
    got = yield "ready"
    while got != "stop":
        try:
            got = yield f"got {got}"
        except KeyError as error:
            got = yield f"caught {error.args[0]}"


@pytest.mark.parametrize("handlers", [[], [Recorder()], [Recorder(), Recorder()]])
def test_send_throw_and_return_work_as_unwatched(handlers: list[Recorder]) -> None:
    """A generator keeps its whole protocol, its return value included."""
    with callbacks(*handlers):
        stream = component("Lambda")(talk)()
        answers = [next(stream), stream.send(1), stream.throw(KeyError("k")), stream.send(2)]
        with pytest.raises(StopIteration) as stop:
            stream.send("stop")

    assert answers == ["ready", "got 1", "caught k", "got 2"]
    assert stop.value.value == "bye"
    assert all(recorder.run().chunks == 4 for recorder in handlers)


@pytest.mark.parametrize("handlers", [[], [Recorder()], [Recorder(), Recorder()]])
async def test_asend_and_athrow_work_as_unwatched(handlers: list[Recorder]) -> None:
    """An asynchronous generator keeps its whole protocol."""
    with callbacks(*handlers):
        stream = component("Lambda")(talk_async)()
        answers = [
            await anext(stream),
            await stream.asend(1),
            await stream.athrow(KeyError("k")),
            await stream.asend(2),
        ]
        with pytest.raises(StopAsyncIteration):
            await stream.asend("stop")
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    assert answers == ["ready", "got 1", "caught k", "got 2"]
    assert all(recorder.run().chunks == 4 for recorder in handlers)


async def test_an_error_thrown_in_comes_back_as_the_same_object() -> None:
    """A body that does not catch what is thrown into it fails with it."""
    error = LookupError()

    with watched() as recorder:
        stream, other = asynchronous([]), plain([])
        await anext(stream)
        next(other)
        with pytest.raises(LookupError) as caught:
            await stream.athrow(error)
        with pytest.raises(LookupError) as caught_plain:
            other.throw(error)

    assert caught.value is caught_plain.value is error
    assert [run.error for run in recorder.runs()] == [error, error]


async def test_a_stream_of_which_only_a_pull_is_kept_is_not_ended_before_that() -> None:
    """`await anext(f())` keeps no stream: its run lives until the pull is done, and is closed then."""
    log: list[str] = []

    async def first_only() -> None:
        assert await anext(asynchronous(log)) == "a"
        await until(lambda: recorder.run().outcome is not None)

    with watched() as recorder, pytest.warns(ResourceWarning, match="dropped half-read"):
        await first_only()

    assert recorder.timings() == ["on_start", "on_chunk", "on_end"]
    assert log == ["closed"]


async def test_a_stream_dropped_while_it_is_read_gives_its_chunk_without_events_after_its_end() -> None:
    """A pull outlives the stream: the consumer gets its chunk, the handlers nothing after the ending."""
    with watched() as recorder:
        stream = asynchronous([])
        await anext(stream)
        step = anext(stream)
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            del stream
        assert await step == "b"

    assert recorder.timings() == ["on_start", "on_chunk", "on_end"]
