"""Streams over any source: reading, closing, handing over, mapping, and what happens to a dropped one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator

import pytest

from sideband.errors import StreamBusyError, StreamClosedError
from sideband.streams import SKIP, Skip, Stream, concat, from_iterable
from sideband.testing._check_stream import check_stream

from .helpers import Gated, Source, is_in_a_cycle, settle


async def test_a_stream_keeps_the_contract() -> None:
    """A stream over a generator does all that a consumer may rely on."""
    sources: list[Source] = []

    def make() -> Stream[int]:
        sources.append(Source(4))
        return Stream(sources[-1])

    await check_stream(
        make, expected=[0, 1, 2, 3], still_open=lambda: [s for s in sources if s.open or not s.closed]
    )


async def test_a_failing_stream_keeps_the_contract() -> None:
    """A stream whose source fails raises the error once and is over."""
    await check_stream(lambda: Stream(Source(2, ValueError("broken"))), expected=[0, 1], error=ValueError)


@pytest.mark.parametrize("waits", [0, 1])
async def test_nothing_is_pulled_before_it_is_asked_for(waits: int) -> None:
    """A stream reads its source exactly as far as its consumer has read."""
    source = Source(5, waits=waits)
    async with Stream(source).map(str) as stream:
        assert source.pulled == 0
        assert await anext(stream) == "0"
        assert source.pulled == 1


async def test_the_errors_object_passes_through() -> None:
    """The consumer gets the very exception that the source raised, and then the end."""
    error = ValueError("broken")
    stream = Stream(Source(0, error))

    with pytest.raises(ValueError, match="broken") as caught:
        await anext(stream)
    assert caught.value is error
    assert await stream.collect() == []


async def test_a_second_reader_gets_a_clear_error() -> None:
    """Two tasks cannot wait for one stream; the one that was first is served."""
    gate = Gated()
    stream = Stream(gate)
    first = asyncio.create_task(stream.__anext__())
    await settle()

    with pytest.raises(StreamBusyError, match="copy"):
        await anext(stream)
    with pytest.raises(StreamBusyError, match="handed over"):
        stream.copy(2)
    gate.chunks.put_nowait("a")
    assert await first == "a"
    await stream.aclose()


async def test_a_generator_that_is_being_read_refuses_to_be_closed_and_can_be_later() -> None:
    """Closing a generator under its reader is refused with a clear error, and changes nothing."""
    gate = Gated()

    async def chunks() -> AsyncIterator[str]:
        async for chunk in gate:
            yield chunk

    stream = Stream(chunks())
    mapped = stream.map(lambda chunk: chunk)
    reader = asyncio.create_task(mapped.collect())
    await settle()
    for reading in (stream, mapped):
        with pytest.raises(StreamBusyError, match="closed"):
            await reading.aclose()
    gate.chunks.put_nowait(StopAsyncIteration())

    assert await reader == []


async def test_closing_is_idempotent_and_reaches_an_unread_source() -> None:
    """The source is closed exactly once, also if it was never read."""
    source = Source(3)
    stream = Stream(source)
    await stream.aclose()
    await stream.aclose()

    assert source.closed == 1
    assert await stream.collect() == []


async def test_an_sdk_stream_is_closed_by_its_close() -> None:
    """Streams that have `close` in place of `aclose` are closed by it."""

    class Response(Gated):
        aclose = None  # type: ignore[assignment]

        async def close(self) -> None:
            self.closed += 1

    response = Response()
    async with Stream(response):
        pass

    assert response.closed == 1


async def test_cancellation_goes_to_the_source() -> None:
    """A cancelled reader cancels a generator, as without the stream."""
    source = Source(3)
    stream = Stream(source)
    reader = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)
    reader.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reader
    assert (source.open, source.closed) == (0, 1)


async def test_what_is_handed_over_cannot_be_read_but_closes_its_heir() -> None:
    """After `map`, only the result is read; closing the original closes the source."""
    source = Source(3)
    original = Stream(source)
    mapped = original.map(str)

    for _ in range(2):
        with pytest.raises(StreamClosedError, match="handed over"):
            await anext(original)
    with pytest.raises(StreamClosedError, match="handed over"):
        original.copy(2)
    assert await anext(mapped) == "0"
    await original.aclose()
    assert source.closed == 1
    assert await mapped.collect() == []


async def test_map_skips_and_filter_keeps() -> None:
    """SKIP leaves a chunk out; functions may be plain or coroutine functions."""

    def odd(chunk: int) -> int | Skip:
        return chunk if chunk % 2 else SKIP

    async def tenfold(chunk: int) -> int | Skip:
        await asyncio.sleep(0)
        return chunk * 10 if chunk < 4 else SKIP

    async def is_even(chunk: int) -> bool:
        await asyncio.sleep(0)
        return chunk % 2 == 0

    assert await Stream(Source(6)).map(odd).collect() == [1, 3, 5]
    assert await Stream(Source(6)).map(tenfold).collect() == [0, 10, 20, 30]
    assert await Stream(Source(6)).filter(is_even).collect() == [0, 2, 4]
    assert await Stream(Source(6)).filter(lambda chunk: chunk > 3).map(str).concat() == "45"
    assert repr(SKIP) == "SKIP"


async def test_a_failing_function_closes_the_source() -> None:
    """An error of the function is raised after the source was closed, and ends the stream."""
    source = Source(3)
    stream = Stream(source).map(lambda chunk: 1 // (chunk - 1))

    assert await anext(stream) == -1
    with pytest.raises(ZeroDivisionError):
        await anext(stream)
    assert source.closed == 1
    assert await stream.collect() == []


async def test_from_iterable_takes_both_kinds() -> None:
    """Lists, generators and asynchronous iterables make streams, which close them."""
    closed: list[str] = []

    def letters() -> Iterator[str]:
        try:
            yield from "ab"
        finally:
            closed.append("yes")

    await check_stream(lambda: from_iterable([1, 2, 3]), expected=[1, 2, 3], resumable=True)
    async with from_iterable(letters()) as stream:
        assert await anext(stream) == "a"
    assert closed == ["yes"]
    assert await from_iterable(Source(3)).collect() == [0, 1, 2]


async def test_what_is_no_asynchronous_iterable_is_refused() -> None:
    """A list is refused with a hint at what takes it."""
    with pytest.raises(TypeError, match="from_iterable"):
        Stream([1])  # type: ignore[arg-type]


async def test_a_stream_of_a_stream_takes_it_over() -> None:
    """Wrapping twice reads the same source."""
    source = Source(2)
    inner = Stream(source)

    assert await Stream(inner).collect() == [0, 1]
    assert source.closed == 1


async def test_concat_puts_chunks_together() -> None:
    """Text is joined, and the source closed."""
    assert await concat(from_iterable(["Hel", "lo"])) == "Hello"
    assert await from_iterable([]).concat() == []


async def test_an_iterable_is_asked_for_its_iterator_but_runs_only_when_read() -> None:
    """A class with `__aiter__` alone makes a stream."""

    class Twice:
        async def __aiter__(self) -> AsyncIterator[int]:
            for i in range(2):
                yield i

    assert await Stream(Twice()).collect() == [0, 1]


async def test_a_stream_dropped_half_read_warns_and_others_do_not() -> None:
    """Only a stream that was begun, and neither read to its end nor closed, warns."""
    for read in (0, 4):
        stream = Stream(Source(3))
        for _ in range(read):
            await anext(stream, None)
        del stream
    await Stream(Source(2)).collect()
    with pytest.raises(ValueError, match="broken"):
        await anext(Stream(Source(0, ValueError("broken"))))

    stream = Stream(Source(3))
    await anext(stream)
    with pytest.warns(ResourceWarning, match="half-read"):
        del stream
    gc.collect()


async def test_no_wrapper_stands_in_a_cycle() -> None:
    """A stream, read or mapped, is freed by its last reference alone."""
    streams = [Stream(Source(3)), Stream(Source(3)).map(str).filter(bool), *Stream(Source(3)).copy(2)]
    for stream in streams:
        await anext(stream)
        assert not is_in_a_cycle(stream)
        await stream.aclose()
