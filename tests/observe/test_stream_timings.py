"""Handlers that deal with streams themselves: copies of outputs and inputs, fed as they are pulled."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from sideband import Abort, Handler, Outcome, Run, callbacks, component
from sideband.observe import _lifecycle, transform
from sideband.streams import Copy, Stream, SyncCopy, SyncStream, from_iterable

from .helpers import Log, collected, errors, until, watched


class Five(Handler):
    """Written for the five timings, reading its copies in tasks."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.calls.append("start")

    def on_end(self, run: Run, output: Any) -> None:
        self.calls.append(("end", output))

    def on_error(self, run: Run, error: BaseException) -> None:
        self.calls.append(("error", error))

    async def on_start_with_stream_input(self, run: Run, stream: Any) -> None:
        await self.read("in", stream)

    async def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
        await self.read("out", stream)

    async def read(self, what: str, stream: Any) -> None:
        try:
            self.calls.append((what, [chunk async for chunk in stream]))
        except Exception as error:
            self.calls.append((what, error))
            raise


class Keep(Handler):
    """Keeps its copies for later, on any sort of run."""

    def __init__(self) -> None:
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def on_start_with_stream_input(self, run: Run, stream: Any) -> None:
        self.inputs.append(stream)

    def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
        self.outputs.append(stream)


@component("ChatModel")
async def numbers(n: int, error: Exception | None = None) -> AsyncGenerator[str]:
    """Stream."""
    for i in range(n):
        yield str(i)
    if error is not None:
        raise error


@component("ChatModel")
def numbers_sync(n: int) -> Generator[str]:
    """Stream."""
    for i in range(n):
        yield str(i)


@component("Transformer")
async def upper(letters: AsyncIterator[str]) -> AsyncGenerator[str]:
    """Turn a stream into a stream."""
    async for letter in letters:
        yield letter.upper()


@component("Lambda")
async def join_async(letters: AsyncIterator[str]) -> str:
    """Turn a stream into a value."""
    return "".join([letter async for letter in letters])


@component("Lambda")
def join_sync(letters: Iterator[str]) -> str:
    """Turn a stream into a value."""
    return "".join(letters)


async def source(text: str) -> AsyncGenerator[str]:
    """Be a stream that is no component."""
    for letter in text:
        yield letter


async def test_a_handler_for_streams_reads_the_output_and_gets_no_other_ending() -> None:
    """Its copy's end is the ending, told before the consumer learns of it."""
    five = Five()

    with watched(five):
        assert await collected(numbers(3)) == ["0", "1", "2"]
        assert five.calls == ["start", ("out", ["0", "1", "2"])]


async def test_an_error_in_mid_stream_is_raised_by_the_copy() -> None:
    """It is the ending of who has a copy, and no failure of the handler that lets it through."""
    five, error = Five(), LookupError()

    with watched(five), pytest.raises(LookupError) as caught:
        await collected(numbers(1, error))

    assert caught.value is error
    assert five.calls == ["start", ("out", error)]


async def test_a_stream_closed_early_ends_its_copies() -> None:
    """The copy ends with what the consumer had."""
    five = Five()

    with watched(five):
        async with aclosing(numbers(9)) as stream:
            await anext(stream)

    assert five.calls == ["start", ("out", ["0"])]


async def test_handlers_without_stream_timings_see_the_whole_output_all_the_same() -> None:
    """Both kinds watch one run side by side."""
    five, keep = Five(), Keep()

    with watched(five, keep) as recorder:
        await collected(numbers(3))

    assert recorder.run().output == "012"
    assert await keep.outputs[0].collect() == ["0", "1", "2"]


async def test_the_output_is_not_kept_for_those_who_read_streams() -> None:
    """Where all handlers that want an ending have a copy, chunks are let go."""
    runs: list[Run] = []

    class Looking(Five):
        async def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            runs.append(run)

    with callbacks(Looking()):
        await collected(numbers(3))

    assert runs[0].output is None
    assert runs[0].outcome is Outcome.OK


def test_on_a_synchronous_run_the_copy_can_be_read_afterwards_or_in_a_thread() -> None:
    """On the thread that feeds it, reading it while the run goes on would wait for itself, and says so."""
    keep, read = Keep(), list[str]()

    with watched(keep):
        stream = numbers_sync(3)
        next(stream)
        copy: SyncCopy[str] = keep.outputs[0]
        assert next(copy) == "0"
        with pytest.raises(RuntimeError, match="would wait for itself"):
            next(copy)
        thread = threading.Thread(target=lambda: read.extend(copy))
        thread.start()
        list(stream)
        thread.join()

    assert read == ["1", "2"]


def test_an_asynchronous_stream_timing_is_skipped_on_a_synchronous_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With one warning; the handler has its ending as any other."""
    five = Five()

    with watched(five):
        list(numbers_sync(2))

    assert five.calls == ["start", ("end", "01")]
    assert len([record for record in caplog.records if record.name == "sideband"]) == 1


async def test_a_copy_that_nobody_reads_is_bounded_and_counts_what_it_dropped() -> None:
    """1,024 chunks unless the handler says otherwise; the consumer is not held up."""

    class Small(Keep):
        max_lag = 2

    class Newest(Small):
        overflow = "drop_newest"

    keep, small, newest = Keep(), Small(), Newest()
    with callbacks(keep, small, newest):
        await collected(numbers(2000))

    dropped = [handler.outputs[0].dropped for handler in (keep, small, newest)]
    assert dropped == [976, 1998, 1998]
    assert await small.outputs[0].collect() == ["1998", "1999"]
    assert await newest.outputs[0].collect() == ["0", "1"]


@pytest.mark.deep
async def test_a_million_chunks_under_an_unread_copy_take_no_memory() -> None:
    """Less than 16 MiB, with a handler that wants chunks beside it."""
    keep, log = Keep(), Five()
    log.on_chunk = lambda *_: None  # type: ignore[method-assign]

    @component("Lambda")
    async def long() -> AsyncGenerator[bytes]:
        for _ in range(1_000_000):
            yield bytes(100)

    tracemalloc.start()
    try:
        with callbacks(keep, log):
            async for _ in long():
                pass
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


async def test_a_copy_that_a_handler_drops_holds_nothing() -> None:
    """No warning, no buffer, no hold on the stream."""

    class Ignoring(Handler):
        def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            pass

    with watched(Ignoring()):
        assert len(await collected(numbers(5000))) == 5000


async def test_an_abort_when_the_stream_opens_stops_the_run() -> None:
    """No chunk is pulled; who saw the start gets the error."""
    calls: list[str] = []

    class Stop(Handler):
        def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            raise Abort

    with watched(Stop(), Log("A", calls)), pytest.raises(Abort):
        await collected(numbers(3))

    assert calls == ["A start", "A error"]


async def test_a_failing_stream_timing_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whether it fails when it is called or in its task."""

    class Broken(Handler):
        def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            raise LookupError

    class BrokenLater(Handler):
        async def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            await anext(stream)
            raise LookupError

    with watched(Broken(), BrokenLater()):
        assert await collected(numbers(3)) == ["0", "1", "2"]

    assert len(errors(caplog)) == 2


async def test_the_end_of_a_run_waits_for_its_readers_within_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A handler that never comes to an end is given up."""
    monkeypatch.setattr(_lifecycle, "ENDING_TIMEOUT", 0.01)
    done: list[str] = []

    class Slow(Handler):
        async def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            await collected(stream)
            for _ in range(10):
                await asyncio.sleep(0)
            done.append("slow")

    class Never(Handler):
        async def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            await asyncio.Event().wait()

    with watched(Slow(), Never()):
        await collected(numbers(1))

    assert done == ["slow"]


# Inputs --------------------------------------------------------------------------------------------


async def test_a_streamed_input_is_told_with_a_copy_in_place_of_the_start() -> None:
    """For those who deal with streams; others start with the stream itself as input."""
    five, calls = Five(), list[str]()

    with watched(Log("A", calls), five) as recorder:
        assert await join_async(source("abc")) == "abc"

    assert five.calls == [("end", "abc"), ("in", list("abc"))]
    assert calls == ["A start", "A end"]
    assert isinstance(recorder.run().input, AsyncGenerator)


async def test_a_stream_that_becomes_a_stream_tells_both() -> None:
    """Input and output copies, and neither start nor end."""
    five = Five()

    with watched(five):
        assert await collected(upper(source("ab"))) == ["A", "B"]

    assert sorted(five.calls) == [("in", ["a", "b"]), ("out", ["A", "B"])]


async def test_the_copy_of_an_input_ends_where_the_body_stopped_reading() -> None:
    """Nothing is read ahead, or on, for a handler's sake."""
    five, pulled = Five(), list[str]()

    async def counted() -> AsyncGenerator[str]:
        for letter in "abc":
            pulled.append(letter)
            yield letter

    @component("Lambda")
    async def first(letters: AsyncIterator[str]) -> str:
        return await anext(letters)

    with watched(five):
        async with aclosing(counted()) as letters:
            assert await first(letters) == "a"

    assert five.calls == [("end", "a"), ("in", ["a"])]
    assert pulled == ["a"]


async def test_an_input_that_fails_fails_the_body_and_the_copy_alike() -> None:
    """With the same exception object."""
    five, error = Five(), LookupError()

    async def failing() -> AsyncGenerator[str]:
        yield "a"
        raise error

    with watched(five), pytest.raises(LookupError) as caught:
        await join_async(failing())

    assert caught.value is error
    assert five.calls == [("error", error), ("in", error)]


def test_a_synchronous_input_is_told_too() -> None:
    """With a copy for threads, readable when the run is over."""
    keep = Keep()

    with watched(keep):
        assert join_sync(iter("abc")) == "abc"
        assert join_sync(SyncStream(iter("de"))) == "de"

    assert [list(copy) for copy in keep.inputs] == [["a", "b", "c"], ["d", "e"]]


async def test_streams_of_the_library_stay_streams_for_the_body() -> None:
    """What is made of them inside works as without handlers."""

    @component("Lambda")
    async def mapped(letters: Stream[str]) -> list[str]:
        return await letters.map(str.upper).collect()

    keep = Keep()
    with watched(keep):
        assert await mapped(from_iterable("ab")) == ["A", "B"]

    copy: Copy[str] = keep.inputs[0]
    assert await copy.collect() == ["a", "b"]


async def test_unwatched_or_unwanted_the_body_gets_the_very_stream() -> None:
    """No tap stands between where nobody asked for one."""
    seen: list[Any] = []

    @component("Lambda")
    async def look(letters: AsyncIterator[str]) -> None:
        seen.append(letters)

    letters = source("a")
    await look(letters)
    await letters.aclose()

    assert seen == [letters]


def test_a_collection_is_a_value_where_any_iterable_is_accepted() -> None:
    """A list can be read twice, and measured; it is given to the body as it is."""
    seen: list[Any] = []

    @component("Lambda")
    def count(texts: Iterable[str]) -> int:
        seen.append(texts)
        return len(list(texts))

    five, texts = Five(), ["a", "b"]
    with watched(five):
        assert count(texts) == 2

    assert seen[0] is texts
    assert five.calls == ["start", ("end", 2)]


def test_a_function_may_say_that_its_first_argument_is_a_stream() -> None:
    """Where no annotation does."""

    @component("Lambda")
    @transform
    def total(values, start=0):  # type: ignore[no-untyped-def] # pyright: ignore[reportMissingParameterType, reportUnknownParameterType, reportUnknownArgumentType, reportUnknownVariableType]
        return sum(values, start)

    keep = Keep()
    with watched(keep):
        assert total(iter([1, 2]), start=3) == 6
        assert total(values=iter([4])) == 4

    assert [list(copy) for copy in keep.inputs] == [[1, 2], [4]]


# Streams that a coroutine returns -----------------------------------------------------------------


class Response:
    """A stream as the SDKs have it: an iterator with a `close` and more."""

    status = 200

    def __init__(self, chunks: str) -> None:
        self._chunks = iter(chunks)
        self.closed = 0

    def __aiter__(self) -> Response:
        return self

    async def __anext__(self) -> str:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration

    async def close(self) -> None:
        self.closed += 1


@component("ChatModel", stream=True)
async def create(chunks: str, *, stream: bool = True) -> Any:
    """Answer as an SDK's client does."""
    if chunks == "fail":
        raise LookupError
    return Response(chunks) if stream else chunks


async def test_a_coroutine_that_returns_a_stream_starts_when_called_and_ends_with_the_stream() -> None:
    """Its chunks are the run's; the rest of the stream can be reached; closing closes it."""
    with watched() as recorder:
        stream = await create("ab")
        assert recorder.timings() == ["on_start"]
        assert stream.status == 200
        assert await collected(stream) == ["a", "b"]

    assert recorder.timings() == ["on_start", "on_chunk", "on_chunk", "on_end"]
    assert (recorder.run().output, recorder.run().streamed) == ("ab", True)


@pytest.mark.parametrize("pulls", [0, 1])
async def test_a_returned_stream_closed_early_closes_its_source_once(pulls: int) -> None:
    """Also unread: its run has started."""
    with watched() as recorder:
        stream = await create("ab")
        async with stream:
            for _ in range(pulls):
                await anext(stream)
        await stream.aclose()

    assert recorder.run().outcome is Outcome.CLOSED
    assert recorder.run().chunks == pulls
    assert stream.closed == 1


async def test_a_returned_stream_that_is_dropped_unread_is_ended_on_the_spot() -> None:
    """It was a run from the call on."""
    with watched() as recorder:
        stream = await create("ab")
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            del stream
        assert recorder.run().outcome is Outcome.CLOSED


async def test_a_coroutine_that_fails_or_returns_no_stream_is_a_plain_run() -> None:
    """With `stream=False` among its own arguments an SDK's method returns a value."""
    with watched() as recorder:
        assert await create("ab", stream=False) == "ab"
        with pytest.raises(LookupError):
            await create("fail")

    assert recorder.timings() == ["on_start", "on_end", "on_start", "on_error"]
    assert (recorder.runs()[0].output, recorder.runs()[0].streamed) == ("ab", False)


async def test_unwatched_the_returned_stream_is_the_very_object() -> None:
    """No wrapper where nobody listens."""
    assert type(await create("ab")) is Response


async def test_a_handler_for_streams_reads_a_returned_one() -> None:
    """It opens when the coroutine returns it."""
    five = Five()

    with watched(five):
        await collected(await create("ab"))

    assert five.calls == ["start", ("out", ["a", "b"])]


def test_stream_true_is_for_coroutine_functions() -> None:
    """A generator is a stream by itself."""
    with pytest.raises(TypeError, match="coroutine function that returns a stream"):
        component("ChatModel", stream=True)(numbers_sync.__wrapped__)  # type: ignore[attr-defined]


# Streams inside of streams ------------------------------------------------------------------------


async def test_a_streamed_run_ends_the_streams_still_open_in_it() -> None:
    """Whoever keeps them: they end as closed before it does, without a warning; the consumer may read on."""
    kept: list[AsyncGenerator[str]] = []

    @component("Agent")
    async def outer() -> AsyncGenerator[str]:
        stream = numbers(5)
        kept.append(stream)
        async for chunk in stream:
            yield chunk

    with watched() as recorder:
        async with aclosing(outer()) as stream:
            await anext(stream)
        assert [record.run.name for record in recorder if record.timing == "on_end"] == ["numbers", "outer"]
        assert await collected(kept[0]) == ["1", "2", "3", "4"]

    assert recorder.run("numbers").outcome is Outcome.CLOSED
    assert recorder.run("numbers").output == "0"


async def test_a_failing_streamed_run_ends_the_streams_still_open_in_it() -> None:
    """Its error's traceback keeps its frame, and so what it reads, alive."""

    @component("Agent")
    async def outer() -> AsyncGenerator[str]:
        stream = numbers(5)
        async for chunk in stream:
            yield chunk
            raise LookupError

    with watched() as recorder, pytest.raises(LookupError):
        await collected(outer())

    ended = [record.run.name for record in recorder if record.timing in ("on_end", "on_error")]
    assert ended == ["numbers", "outer"]


def test_a_synchronous_streamed_run_does_so_too() -> None:
    """Through runs in between that are no streams."""
    kept: list[Iterator[str]] = []

    @component("Tool")
    def tool() -> str:
        kept.append(numbers_sync(3))
        return next(kept[0])

    @component("Agent")
    def outer() -> Generator[str]:
        yield tool()

    with watched() as recorder:
        assert list(outer()) == ["0"]

    assert recorder.run("numbers_sync").outcome is Outcome.CLOSED


async def test_readers_of_copies_do_not_outlive_cancellation() -> None:
    """A cancelled stream's copies raise the cancellation, and the tasks that read them are over."""
    five = Five()
    seen: list[Any] = []

    class Reading(Handler):
        async def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            try:
                await collected(stream)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

    @component("Lambda")
    async def hang() -> AsyncGenerator[int]:
        yield 1
        await asyncio.Event().wait()

    with watched(Reading(), five) as recorder:
        task = asyncio.ensure_future(collected(hang()))
        await until(lambda: bool(recorder.chunks()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert seen == ["cancelled"]


def test_a_component_is_not_observed_twice() -> None:
    """Decorated again, it stays what it is."""
    again = component("Tool", name="again")(numbers_sync)

    with watched() as recorder:
        list(again(1))

    assert again is numbers_sync
    assert [run.name for run in recorder.runs()] == ["numbers_sync"]
