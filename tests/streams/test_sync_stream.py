"""Ordinary iterators as streams: the rules of `Stream`, for threads."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from sideband.errors import StreamBusyError, StreamClosedError
from sideband.streams import SKIP, Skip, SyncStream
from sideband.testing._check_stream import check_stream_sync

from .helpers import SyncSource, in_thread, is_in_a_cycle


def gated(gate: threading.Event, waiting: threading.Event) -> Iterator[int]:
    """Give one chunk once the gate is open."""
    waiting.set()
    assert gate.wait(5)
    yield 1


def test_a_stream_keeps_the_contract() -> None:
    """A stream over an iterator does all that a consumer may rely on."""
    sources: list[SyncSource] = []

    def make() -> SyncStream[int]:
        sources.append(SyncSource(4))
        return SyncStream(sources[-1])

    check_stream_sync(make, expected=[0, 1, 2, 3], still_open=lambda: [s for s in sources if not s.closed])
    check_stream_sync(lambda: SyncStream(i for i in range(4)), expected=[0, 1, 2, 3])
    check_stream_sync(
        lambda: SyncStream(SyncSource(2, ValueError("broken"))), expected=[0, 1], error=ValueError
    )


def test_nothing_is_pulled_before_it_is_asked_for() -> None:
    """A stream reads its source exactly as far as its consumer has read."""
    source = SyncSource(5)
    with SyncStream(source).map(str) as stream:
        assert source.pulled == 0
        assert next(stream) == "0"
        assert source.pulled == 1
    assert source.closed == 1


def test_the_errors_object_passes_through_and_is_final() -> None:
    """The consumer gets the very exception that the source raised, and then the end."""
    error = ValueError("broken")
    stream = SyncStream(SyncSource(0, error))
    with pytest.raises(ValueError, match="broken") as caught:
        next(stream)
    assert caught.value is error
    assert stream.collect() == []


def test_a_second_reader_gets_a_clear_error() -> None:
    """Two threads cannot wait for one stream, close it meanwhile or hand it over; the first one is served."""
    gate, waiting = threading.Event(), threading.Event()
    stream = SyncStream(gated(gate, waiting))
    first = in_thread(lambda: next(stream))
    assert waiting.wait(5)
    with pytest.raises(StreamBusyError, match="copy"):
        next(stream)
    with pytest.raises(StreamBusyError, match="handed over"):
        stream.map(str)
    with pytest.raises(StreamBusyError, match="closed"):
        stream.close()
    gate.set()
    assert first.result(5) == 1
    stream.close()


def test_closing_is_idempotent_and_reaches_an_unread_source() -> None:
    """The source is closed exactly once."""
    source = SyncSource(3)
    stream = SyncStream(source)
    stream.close()
    stream.close()
    assert source.closed == 1
    assert list(stream) == []


def test_what_is_handed_over_cannot_be_read_but_closes_its_heir() -> None:
    """After `map`, only the result is read; closing the original closes the source."""
    source = SyncSource(3)
    original = SyncStream(source)
    mapped = SyncStream(original.map(str))
    with pytest.raises(StreamClosedError, match="handed over"):
        next(original)
    with pytest.raises(StreamClosedError, match="handed over"):
        original.copy(2)
    assert next(mapped) == "0"
    original.close()
    assert source.closed == 1
    assert mapped.collect() == []


def test_map_skips_and_filter_keeps() -> None:
    """SKIP leaves a chunk out."""

    def odd(chunk: int) -> int | Skip:
        return chunk if chunk % 2 else SKIP

    assert SyncStream(range(6)).map(odd).collect() == [1, 3, 5]
    assert SyncStream("abc").filter(lambda chunk: chunk != "b").map(str.upper).concat() == "AC"


def test_a_failing_function_closes_the_source() -> None:
    """An error of the function is raised after the source was closed, and ends the stream."""
    source = SyncSource(3)
    stream = SyncStream(source).map(lambda chunk: 1 // (chunk - 1))
    assert next(stream) == -1
    with pytest.raises(ZeroDivisionError):
        next(stream)
    assert source.closed == 1
    assert stream.collect() == []


def test_what_is_no_iterable_is_refused() -> None:
    """The error points to the asynchronous kind."""
    with pytest.raises(TypeError, match="Stream"):
        SyncStream(1)  # type: ignore[arg-type]


def test_a_stream_dropped_half_read_warns_and_others_do_not() -> None:
    """Only a stream that was begun, and neither read to its end nor closed, warns."""
    for read in (0, 4):
        stream = SyncStream(SyncSource(3))
        for _ in range(read):
            next(stream, None)
        del stream
    stream = SyncStream(SyncSource(3))
    next(stream)
    with pytest.warns(ResourceWarning, match="half-read"):
        del stream
    gc.collect()


def test_no_wrapper_stands_in_a_cycle() -> None:
    """A stream, read or mapped, is freed by its last reference alone."""
    streams = [
        SyncStream(SyncSource(3)),
        SyncStream(SyncSource(3)).map(str),
        *SyncStream(SyncSource(3)).copy(2),
    ]
    for stream in streams:
        next(stream)
        assert not is_in_a_cycle(stream)
        stream.close()
