"""Handlers that deal with streams themselves: copies of outputs and inputs, fed as they are pulled."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from sideband import Abort, Handler, Outcome, Run, callbacks, component
from sideband.errors import StreamDeadlockError
from sideband.observe import _lifecycle
from sideband.streams import SyncCopy
from sideband.testing import run_virtual

from .helpers import Five, Keep, Log, collected, errors, until, watched


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
        with pytest.raises(StreamDeadlockError, match="would wait for itself"):
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


def test_the_end_of_a_run_waits_for_its_readers_within_a_bound() -> None:
    """A handler that never comes to an end is given up."""
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

    async def main() -> float:
        await collected(numbers(1))
        return asyncio.get_running_loop().time()

    with watched(Slow(), Never()):
        assert run_virtual(main()) == _lifecycle.ENDING_TIMEOUT

    assert done == ["slow"]


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
