"""Pipes: waiting when full, rendezvous, both ends' closings, and writers that go away."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from sideband.errors import ReaderClosedError, StreamBrokenError, StreamClosedError, StreamLoopError
from sideband.streams import Pipe, Stream, Writer, pipe
from sideband.testing._check_stream import check_stream

from .helpers import settle


def begin(sending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin to send."""
    return asyncio.create_task(sending)


@pytest.mark.parametrize("capacity", [0, 1, 8])
async def test_a_pipes_reader_keeps_the_contract(capacity: int) -> None:
    """It does all that a consumer may rely on, and loses nothing to a cancellation."""
    writers: list[asyncio.Task[None]] = []

    async def write(writer: Writer[int]) -> None:
        try:
            async with writer:
                for i in range(4):
                    await asyncio.sleep(0)
                    await writer.send(i)
        except ReaderClosedError:
            pass

    def make() -> Stream[int]:
        ends: Pipe[int] = pipe(capacity)
        writers.append(begin(write(ends.writer)))
        return ends.reader

    await check_stream(make, expected=[0, 1, 2, 3], resumable=True)
    await asyncio.gather(*writers)


async def test_send_waits_while_the_pipe_is_full() -> None:
    """A chunk that finds no room moves up when one is read; order is kept. Niro, statement 58."""
    writer, reader = pipe(2)
    await writer.send(0)
    await writer.send(1)
    sends = [begin(writer.send(i)) for i in (2, 3)]
    await settle()
    assert [send.done() for send in sends] == [False, False]

    assert await anext(reader) == 0
    await settle()
    assert [send.done() for send in sends] == [True, False]
    writer.close()
    assert await reader.collect() == [1, 2, 3]
    await asyncio.gather(*sends)


async def test_a_capacity_of_0_is_a_rendezvous() -> None:
    """`send` returns once the reader has the chunk, whoever came first. Niro, statement 56."""
    writer, reader = pipe(0)
    send = begin(writer.send("a"))
    await settle()
    assert not send.done()
    assert await anext(reader) == "a"
    await send

    waiting = asyncio.create_task(reader.__anext__())
    await settle()
    await writer.send("b")
    assert await waiting == "b"
    writer.close()
    assert await reader.collect() == []


async def test_a_writer_learns_that_the_reader_closed_before_and_while_it_waits() -> None:
    """It is told by an error of its own, a BrokenPipeError, and by `reader_closed`."""
    writer, reader = pipe(1)
    await writer.send(0)
    waiting = begin(writer.send(1))
    await settle()
    closed_before = writer.reader_closed
    await reader.aclose()

    with pytest.raises(ReaderClosedError):
        await waiting
    with pytest.raises(BrokenPipeError, match="stop sending"):
        await writer.send(2)
    assert (closed_before, writer.reader_closed) == (False, True)
    assert not writer._link.channel.ready
    assert await reader.collect() == []
    writer.close()


async def test_what_was_sent_drains_after_the_writers_close() -> None:
    """Also what was still waiting for room; the end repeats for ever, and sending is refused. Niro, statement 58."""
    writer, reader = pipe(1)
    await writer.send(0)
    waiting = begin(writer.send(1))
    await settle()
    writer.close()
    writer.close()
    with pytest.raises(StreamClosedError, match="send first"):
        await writer.send(2)

    assert [chunk async for chunk in reader] == [0, 1]
    await waiting
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(reader)


async def test_a_close_ends_a_reader_that_waits() -> None:
    """It learns at once."""
    writer, reader = pipe(0)
    reading = asyncio.create_task(reader.collect())
    await settle()
    writer.close()
    assert await reading == []


async def test_a_writer_can_end_with_an_error() -> None:
    """The reader gets the very object behind what was sent, then the end. Niro, statement 59."""
    error = ValueError("broken")
    writer, reader = pipe(4)

    async def write() -> None:
        async with writer:
            await writer.send(0)
            raise error

    with pytest.raises(ValueError, match="broken"):
        await write()
    assert await anext(reader) == 0
    with pytest.raises(ValueError, match="broken") as caught:
        await anext(reader)
    assert caught.value is error
    assert await reader.collect() == []


async def test_a_closed_writer_stays_as_it_was_closed() -> None:
    """A second closing, with an error or with another one, is not heard of. Niro, statement 60."""
    for first in (None, ValueError("first")):
        writer, reader = pipe(1)
        await writer.send(0)
        writer.close(first)
        writer.close(LookupError("second"))
        writer.close()

        assert await anext(reader) == 0
        with pytest.raises(ValueError, match="first") if first else pytest.raises(StopAsyncIteration):
            await anext(reader)
        assert await reader.collect() == []


async def test_a_writers_cancellation_is_not_its_readers() -> None:
    """The reader learns that the stream broke off."""
    writer, reader = pipe(0)

    async def write() -> None:
        async with writer:
            await writer.send(0)

    writing = begin(write())
    await settle()
    writing.cancel()
    await settle()
    with pytest.raises(StreamBrokenError, match="Cancelled") as caught:
        await anext(reader)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert writing.cancelled()


async def test_a_cancelled_send_is_not_delivered() -> None:
    """Its chunk is taken back, and the others keep their order."""
    writer, reader = pipe(0)
    sends = [begin(writer.send(i)) for i in range(3)]
    await settle()
    sends[1].cancel()
    await settle()
    writer.close()

    assert await reader.collect() == [0, 2]
    assert [send.cancelled() for send in sends] == [False, True, False]


async def test_a_cancelled_reader_loses_nothing() -> None:
    """A chunk that was sent to a reader cancelled in that moment waits for the next one."""
    for capacity in (0, 1):
        writer, reader = pipe(capacity)
        waiting = asyncio.create_task(reader.__anext__())
        await settle()
        send = begin(writer.send("a"))
        while not writer._link.channel.ready:
            await asyncio.sleep(0)
        waiting.cancel()
        await settle()
        assert waiting.cancelled()
        assert await anext(reader) == "a"
        await send
        writer.close()


async def test_a_writer_dropped_without_an_ending_breaks_the_stream() -> None:
    """Its reader gets an error rather than wait for ever."""
    writer, reader = pipe(1)
    await writer.send(0)
    reading = asyncio.create_task(reader.collect())
    await settle()
    with pytest.warns(ResourceWarning, match="without being closed"):
        del writer
    gc.collect()
    with pytest.raises(StreamBrokenError, match="dropped"):
        await reading


async def test_a_reader_dropped_half_read_tells_its_writer() -> None:
    """A writer that waits is refused."""
    writer, reader = pipe(0)
    sending = begin(writer.send(0))
    await settle()
    with pytest.warns(ResourceWarning, match="half-read"):
        del reader
    gc.collect()
    with pytest.raises(ReaderClosedError):
        await sending
    writer.close()


async def test_another_loop_is_refused() -> None:
    """A pipe joins tasks of one loop; the error points to what joins threads."""
    writer, reader = pipe(1)
    await writer.send(0)
    errors: list[BaseException] = []

    def send() -> None:
        try:
            asyncio.run(writer.send(1))
        except StreamLoopError as error:
            errors.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "pipe_sync" in str(errors[0])
    writer.close()
    assert await reader.collect() == [0]


async def test_a_negative_capacity_is_refused() -> None:
    """The error names the value."""
    with pytest.raises(ValueError, match="-1"):
        pipe(-1)
