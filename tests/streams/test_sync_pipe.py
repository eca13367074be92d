"""Pipes and merges between threads, by the rules of the asynchronous ones."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from sideband.errors import ReaderClosedError, StreamBrokenError, StreamClosedError
from sideband.streams import (
    NamedChunk,
    SourceEnded,
    SyncPipe,
    SyncStream,
    merge_named_sync,
    merge_sync,
    pipe_sync,
)
from sideband.streams._sync_merge import _MergeSource
from sideband.testing._check_stream import check_stream_sync

from .helpers import SyncSource, in_thread, until


@pytest.mark.parametrize("capacity", [0, 1, 8])
def test_a_pipes_reader_keeps_the_contract(capacity: int) -> None:
    """It does all that a consumer may rely on."""

    def make() -> SyncStream[int]:
        ends: SyncPipe[int] = pipe_sync(capacity)

        def write() -> None:
            with ends.writer as writer:
                for i in range(4):
                    writer.send(i)

        in_thread(write)
        return ends.reader

    check_stream_sync(make, expected=[0, 1, 2, 3])


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_many_threads_lose_and_double_nothing(capacity: int) -> None:
    """Each sender's chunks come once and in its order."""
    writer, reader = pipe_sync(capacity)

    def write(name: int) -> None:
        for i in range(200):
            writer.send((name, i))

    sends = [in_thread(lambda name=name: write(name)) for name in range(4)]  # type: ignore[misc]
    chunks = [next(reader) for _ in range(800)]
    for send in sends:
        send.result(5)
    writer.close()
    assert reader.collect() == []
    for name in range(4):
        assert [i for sender, i in chunks if sender == name] == list(range(200))


def test_a_writer_learns_that_the_reader_closed_before_and_while_it_waits() -> None:
    """It is told by an error of its own, and by `reader_closed`."""
    writer, reader = pipe_sync(0)
    waiting = in_thread(lambda: writer.send(1))
    until(lambda: writer._link.channel.line)
    reader.close()
    with pytest.raises(ReaderClosedError):
        waiting.result(5)
    with pytest.raises(BrokenPipeError, match="stop sending"):
        writer.send(2)
    assert writer.reader_closed
    writer.close()


def test_what_was_sent_drains_after_the_writers_close() -> None:
    """Then comes its error, then the end."""
    writer, reader = pipe_sync(2)
    error = ValueError("broken")
    writer.send(0)
    writer.send(1)
    writer.close(error)
    writer.close()
    with pytest.raises(StreamClosedError, match="send first"):
        writer.send(2)
    assert [next(reader), next(reader)] == [0, 1]
    with pytest.raises(ValueError, match="broken") as caught:
        next(reader)
    assert caught.value is error
    assert reader.collect() == []


def test_a_block_that_fails_ends_the_stream_with_its_error() -> None:
    """An exit is not the reader's: it learns that the stream broke off."""
    writer, reader = pipe_sync(1)
    with pytest.raises(SystemExit), writer:
        raise SystemExit
    with pytest.raises(StreamBrokenError, match="SystemExit"):
        next(reader)


def test_dropped_ends_tell_the_other_one() -> None:
    """A reader gets an error rather than wait for ever; a writer is refused."""
    writer, reader = pipe_sync(0)
    reading = in_thread(reader.collect)
    link = reader._source
    until(lambda: link.channel.reader)
    with pytest.warns(ResourceWarning, match="without being closed"):
        del writer
    gc.collect()
    with pytest.raises(StreamBrokenError, match="dropped"):
        reading.result(5)

    writer, reader = pipe_sync(0)
    sending = in_thread(lambda: writer.send(0))
    until(lambda: writer._link.channel.line)
    with pytest.warns(ResourceWarning, match="half-read"):
        del reader
    gc.collect()
    with pytest.raises(ReaderClosedError):
        sending.result(5)
    writer.close()


def test_a_merge_of_one_keeps_the_contract() -> None:
    """It does all that a consumer may rely on."""
    sources: list[SyncSource] = []

    def make() -> SyncStream[int]:
        sources.append(SyncSource(4))
        return merge_sync(sources[-1])

    check_stream_sync(make, expected=[0, 1, 2, 3], still_open=lambda: [s for s in sources if not s.closed])


def test_each_sources_order_is_kept_and_all_chunks_come() -> None:
    """And each source's end, by name."""
    items = merge_named_sync(a=SyncSource(50), b=range(30), c=[]).collect()
    for name, n in (("a", 50), ("b", 30), ("c", 0)):
        mine = [item for item in items if item.source == name]
        assert mine == [*(NamedChunk(name, i) for i in range(n)), SourceEnded(name)]
    assert merge_sync().collect() == []


def test_an_error_ends_the_merge_and_closes_the_other_sources() -> None:
    """No thread is left when the very error is raised."""
    error = ValueError("broken")
    endless, failing = SyncSource(1_000_000), SyncSource(2, error)
    stream = merge_sync(endless, failing)
    with pytest.raises(ValueError, match="broken") as caught:
        list(stream)
    assert caught.value is error
    assert (endless.closed, failing.closed) == (1, 1)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sideband-merge")]
    assert stream.collect() == []


def test_closing_a_merge_closes_all_sources() -> None:
    """Read or unread, handed over or not; what their closing raises is raised together."""

    class Failing(SyncSource):
        def close(self) -> None:
            super().close()
            raise OSError("still there")

    for read in (0, 1):
        sources = [Failing(9), SyncSource(9), Failing(9)]
        stream = merge_sync(SyncStream(sources[0]), *sources[1:])
        for _ in range(read):
            next(stream)
        with pytest.raises(ExceptionGroup) as caught:
            stream.close()
        assert len(caught.value.exceptions) == 2
        assert [source.closed for source in sources] == [1, 1, 1]
        assert stream.collect() == []


def test_a_source_that_does_not_return_is_waited_for_within_a_limit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread ends, and closes it, when its pull returns."""
    monkeypatch.setattr("sideband.streams._sync_merge.CLOSE_TIMEOUT", 0.01)
    gate, closed = threading.Event(), threading.Event()

    def stuck() -> Iterator[int]:
        try:
            assert gate.wait(5)
            yield 1
        finally:
            closed.set()

    stream = merge_sync(stuck(), [1])
    assert next(stream) == 1
    stream.close()
    assert "still inside of its source" in caplog.text
    gate.set()
    assert closed.wait(5)


def test_a_merge_dropped_half_read_ends_its_threads_and_warns() -> None:
    """The finalizer lets them close the sources."""
    sources = [SyncSource(9), SyncSource(9)]
    stream = merge_sync(*sources)
    next(stream)
    assert isinstance(stream._source, _MergeSource)
    with pytest.warns(ResourceWarning, match="half-read"):
        del stream
    gc.collect()
    until(lambda: [source.closed for source in sources] == [1, 1])
