"""Generators as runs: from the first pull to exactly one ending, read as if nobody watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any

import pytest

from sideband import Outcome, callbacks, component
from sideband.testing import Recorder

from .helpers import Log, collected, watched


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


async def test_chunks_are_told_before_the_consumer_has_them_and_the_end_before_it_learns() -> None:
    """Start at the first pull, then each chunk, then the ending with the chunks put together."""
    calls: list[str] = []

    with watched(Log("h", calls)) as recorder:
        stream = asynchronous([])
        calls.append("made")
        async for chunk in stream:
            calls.append(f"got {chunk}")
        calls.append("over")
        for chunk in plain([]):
            calls.append(f"got {chunk}")
        calls.append("over")

    once = ["h start", "h chunk", "got a", "h chunk", "got b", "h end", "over"]
    assert calls == ["made", *once, *once]
    for run in recorder.runs():
        assert (run.streamed, run.chunks, run.output, run.outcome) == (True, 2, "ab", Outcome.OK)
        assert run.time_to_first_chunk is not None


async def test_a_stream_never_pulled_is_no_run() -> None:
    """Made and dropped, closed or thrown into, a generator that was not pulled has not started."""
    log: list[str] = []

    with watched() as recorder:
        plain(log)
        asynchronous(log)
        plain(log).close()
        await asynchronous(log).aclose()
        with pytest.raises(LookupError):
            plain(log).throw(LookupError())
        with pytest.raises(LookupError):
            await asynchronous(log).athrow(LookupError())
        stream = asynchronous(log)
        async with aclosing(stream):
            pass
        assert await collected(stream) == []

    assert recorder.records == []
    assert log == []


async def test_listeners_are_looked_for_at_the_first_pull() -> None:
    """The scope that counts is that of the consumer who starts the stream, for its whole life."""
    recorder = Recorder()
    before = asynchronous([])
    with callbacks(recorder):
        after = asynchronous([])
        assert await anext(before) == "a"

    assert await collected(before) == ["b"]
    assert await collected(after) == ["a", "b"]
    assert [run.chunks for run in recorder.runs()] == [2]


async def test_a_stream_read_unwatched_stays_unwatched() -> None:
    """Handlers attached in mid-stream do not see the second half of a run."""
    recorder = Recorder()
    stream = asynchronous([])

    assert await anext(stream) == "a"
    with callbacks(recorder):
        assert await collected(stream) == ["b"]

    assert recorder.records == []


async def test_unwatched_an_asynchronous_stream_is_read_bare() -> None:
    """`async for` gets the function's own generator, so that a chunk costs what it cost."""
    stream = asynchronous([])

    bare: Any = aiter(stream)

    assert type(bare).__name__ == "async_generator"
    assert aiter(stream) is bare
    await stream.aclose()


async def test_a_stream_closed_early_ends_its_run_once() -> None:
    """After `aclose`, `close` or `break`, the run is closed with what its consumer had."""
    log: list[str] = []

    with watched() as recorder:
        stream: Any = asynchronous(log)
        async with aclosing(stream):
            async for _ in stream:
                break
        await stream.aclose()
        with closing(plain(log)) as source:
            next(source)
        for _ in plain(log):
            break

    assert log == ["closed"] * 3
    assert [(run.outcome, run.output) for run in recorder.runs()] == [(Outcome.CLOSED, "a")] * 3


async def test_async_with_closes_a_stream() -> None:
    """A watched stream is its own context manager."""
    with watched() as recorder:
        async with asynchronous([]) as stream:  # type: ignore[attr-defined] # pyright: ignore[reportGeneralTypeIssues]
            await anext(stream)

    assert recorder.run().outcome is Outcome.CLOSED


async def test_a_dropped_stream_is_ended_on_the_spot_and_warned_about() -> None:
    """Its finalizer tells plain handlers; the body is closed by the loop."""
    log: list[str] = []

    with watched() as recorder:
        stream = asynchronous(log)
        await anext(stream)
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            del stream
        assert recorder.run().outcome is Outcome.CLOSED
        while not log:
            await asyncio.sleep(0)

    assert recorder.run().output == "a"


async def test_a_stream_dropped_by_break_is_ended_on_the_spot() -> None:
    """A loop that nobody closes leaves the stream to the finalizer, too."""
    with watched() as recorder:
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            await first_of_loop()
        assert recorder.run().outcome is Outcome.CLOSED


async def first_of_loop() -> str:
    """Leave a loop early."""
    async for chunk in asynchronous([]):
        return chunk
    raise AssertionError


@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_failing_body_ends_its_run_with_its_error(at: int) -> None:
    """Before the first chunk, in the middle, at the end: the same object, told once, then exhausted."""
    error = ValueError(at)

    @component("Lambda")
    def body() -> Generator[int]:
        for i in range(2):
            if i == at:
                raise error
            yield i
        raise error

    @component("Lambda")
    async def body_async() -> AsyncGenerator[int]:
        for i in body():
            yield i

    with watched() as recorder:
        with pytest.raises(ValueError) as caught:
            list(body())
        with pytest.raises(ValueError) as caught_async:
            await collected(body_async())
        assert caught.value is caught_async.value is error

    assert [(run.outcome, run.error, run.chunks) for run in recorder.runs()] == [
        (Outcome.ERROR, error, at)
    ] * 3


async def test_a_body_that_fails_to_close_ends_its_run_with_that_error() -> None:
    """What the cleanup raises comes out of `aclose` as the same object."""
    error = LookupError()

    @component("Lambda")
    def body() -> Generator[int]:
        try:
            yield 1
        finally:
            raise error

    @component("Lambda")
    async def body_async() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            raise error

    with watched() as recorder:
        stream, other = body(), body_async()
        next(stream)
        await anext(other)
        with pytest.raises(LookupError) as caught:
            stream.close()
        with pytest.raises(LookupError) as caught_async:
            await other.aclose()

    assert caught.value is caught_async.value is error
    assert [run.error for run in recorder.runs()] == [error, error]


async def test_a_body_that_ignores_its_closing_ends_its_run_with_pythons_error() -> None:
    """A generator that yields while it is closed is told what Python tells it, and its run ends."""

    @component("Lambda")
    def body() -> Generator[int]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    with watched() as recorder:
        stream = body()
        next(stream)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            stream.close()

    assert recorder.run().outcome is Outcome.ERROR


async def test_a_cancelled_reader_ends_the_run_as_cancelled() -> None:
    """A cancellation that reaches the body while it waits for its next chunk is the run's ending."""

    @component("Lambda")
    async def body() -> AsyncGenerator[int]:
        yield 1
        await asyncio.Event().wait()

    with watched() as recorder:
        task = asyncio.ensure_future(collected(body()))
        while not recorder.chunks():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert recorder.run().outcome is Outcome.CANCELLED


async def test_a_timeout_while_a_chunk_is_awaited_is_a_timeout() -> None:
    """`asyncio.timeout` around a pull turns its cancellation into TimeoutError."""

    @component("Lambda")
    async def body() -> AsyncGenerator[int]:
        await asyncio.Event().wait()
        yield 1

    with watched() as recorder, pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(body())

    assert recorder.run().outcome is Outcome.CANCELLED


async def test_nothing_is_read_ahead() -> None:
    """The body is never a step further than its consumer asked for."""
    steps: list[int] = []

    @component("Lambda")
    async def body() -> AsyncGenerator[int]:
        for i in range(3):
            steps.append(i)
            yield i

    with watched():
        async with aclosing(body()) as stream:
            assert steps == []
            await anext(stream)
            assert steps == [0]
            await anext(stream)
            assert steps == [0, 1]


async def test_the_output_is_not_kept_where_nobody_wants_it() -> None:
    """Without a handler that wants the whole output, a stream's chunks are let go."""
    recorder = Recorder(wants_output=False)

    with callbacks(recorder):
        await collected(asynchronous([]))

    assert recorder.run().output is None
    assert recorder.run().chunks == 2


async def test_chunks_that_are_no_text_are_a_list() -> None:
    """Where nothing is known of the chunks, the output is all of them."""

    @component("Lambda")
    async def body() -> AsyncGenerator[Any]:
        yield "a"
        yield 1

    with watched() as recorder:
        await collected(body())

    assert recorder.run().output == ["a", 1]


async def test_the_loop_closes_watched_streams_at_its_shutdown() -> None:
    """What is half-read when the loop shuts down ends as closed, without complaint."""
    recorder = Recorder()
    log: list[str] = []
    kept: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: log.append(f"complaint: {context}"))
        with callbacks(recorder):
            kept.append(asynchronous(log))
            await anext(kept[0])

    await asyncio.to_thread(lambda: asyncio.run(main()))

    assert log == ["closed"]
    assert recorder.run().outcome is Outcome.CLOSED
