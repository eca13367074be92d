"""Copies for threads: each sees everything within its bound, whoever pulls."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from sideband.errors import StreamBusyError, StreamClosedError
from sideband.streams import Overflow, SyncCopy, SyncStream
from sideband.testing._check_stream import check_stream_sync

from .helpers import SyncSource, in_thread, until

variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block"])
def test_a_copy_keeps_the_contract(overflow: Overflow) -> None:
    """A copy does all that a consumer may rely on."""
    sources: list[SyncSource] = []

    def make() -> SyncCopy[int]:
        sources.append(SyncSource(4))
        return SyncStream(sources[-1]).copy(1, overflow=overflow)[0]

    check_stream_sync(make, expected=[0, 1, 2, 3], still_open=lambda: [s for s in sources if not s.closed])


def test_copies_read_in_threads_see_every_chunk_once_and_in_order() -> None:
    """With "block" nothing is dropped, however the threads run."""
    copies = SyncStream(SyncSource(2_000)).copy(4, max_lag=3, overflow="block")
    results = [in_thread(copy.collect) for copy in copies]
    assert [result.result(30) for result in results] == [list(range(2_000))] * 4


def test_fast_threads_are_not_held_back_and_drops_are_counted() -> None:
    """What a copy saw and what it dropped make the whole."""
    copies = SyncStream(SyncSource(2_000)).copy(3, max_lag=5)
    results = [in_thread(copy.collect).result for copy in copies]
    for copy, result in zip(copies, results, strict=True):
        seen = result(30)
        assert seen == sorted(set(seen))
        assert len(seen) + copy.dropped == 2_000


def test_an_error_reaches_each_copy_at_its_place() -> None:
    """The same object, once, then the end."""
    error = ValueError("broken")
    copies = SyncStream(SyncSource(2, error)).copy(2)
    for copy in copies:
        assert [next(copy), next(copy)] == [0, 1]
        with pytest.raises(ValueError, match="broken") as caught:
            next(copy)
        assert caught.value is error
        assert copy.collect() == []


def test_an_unread_copy_holds_its_bound() -> None:
    """Oldest or newest chunks are dropped and counted."""
    reader, oldest = SyncStream(range(10)).copy(2, max_lag=3)
    assert reader.collect() == list(range(10))
    assert (oldest.pending, oldest.dropped, oldest.collect()) == (3, 7, [7, 8, 9])
    reader, newest = SyncStream(range(10)).copy(2, max_lag=3, overflow="drop_newest")
    reader.collect()
    assert newest.collect() == [0, 1, 2]


def test_closing_one_copy_closes_itself_and_closing_all_closes_the_source() -> None:
    """The source outlives all but the last copy."""
    source = SyncSource(9)
    first, second = SyncStream(source).copy(2)
    next(first)
    first.close()
    assert (first.collect(), source.closed, next(second)) == ([], 0, 0)
    second.close()
    assert source.closed == 1


def test_closing_the_original_ends_the_copies_behind_what_they_hold() -> None:
    """What was copied still closes its source."""
    source = SyncSource(9)
    with SyncStream(source) as original:
        fast, slow = original.copy(2)
        assert [next(fast), next(fast)] == [0, 1]
    assert source.closed == 1
    assert (fast.collect(), slow.collect()) == ([], [0, 1])


def test_closing_a_copy_ends_the_thread_that_waits_at_it() -> None:
    """A full blocking copy that is closed lets the others go on; a closed reader gets the end."""
    fast, slow = SyncStream(SyncSource(6)).copy(2, max_lag=2, overflow="block")
    reading = in_thread(fast.collect)
    until(lambda: slow.pending == 2 and fast._cursor.waiter is not None)
    slow.close()
    assert reading.result(5) == [0, 1, 2, 3, 4, 5]

    fast, slow = SyncStream(SyncSource(6)).copy(2, max_lag=2, overflow="block")
    reading = in_thread(fast.collect)
    until(lambda: slow.pending == 2 and fast._cursor.waiter is not None)
    fast.close()
    assert reading.result(5) == [0, 1]
    slow.close()


def test_the_thread_that_pulls_closes_a_source_whose_copies_were_closed_meanwhile() -> None:
    """A source is never closed while it is being pulled."""
    gate, waiting = threading.Event(), threading.Event()
    closed: list[str] = []

    def chunks() -> Iterator[int]:
        try:
            waiting.set()
            assert gate.wait(5)
            yield 1
        finally:
            closed.append(threading.current_thread().name)

    (copy,) = SyncStream(chunks()).copy(1)
    reading = in_thread(copy.collect)
    assert waiting.wait(5)
    copy.close()
    assert closed == []
    gate.set()
    assert reading.result(5) == []
    assert closed
    assert closed != [threading.current_thread().name]


def test_copies_of_copies_share_the_source_and_begin_where_the_copy_stood() -> None:
    """They see what the copy had not read; its bound gives way to theirs."""
    source = SyncSource(6)
    first, second = SyncStream(source).copy(2)
    assert [next(first) for _ in range(4)] == [0, 1, 2, 3]
    assert next(second) == 0
    left, right = second.copy(2, max_lag=2)
    with pytest.raises(StreamClosedError):
        next(second)
    assert left.dropped == 1
    assert (left.collect(), first.collect(), right.collect()) == ([2, 3, 4, 5], [4, 5], [4, 5])
    second.close()
    assert source.closed == 1


def test_a_source_that_reads_its_own_copy_is_refused() -> None:
    """It would wait for itself."""
    copies: list[SyncCopy[Any]] = []

    def chunks() -> Iterator[Any]:
        yield next(copies[1])

    copies.extend(SyncStream(chunks()).copy(2))
    with pytest.raises(StreamBusyError):
        next(copies[0])


def test_the_source_runs_in_the_context_of_the_call() -> None:
    """Whichever thread pulls, a token is reset where it was set, and no reader sees the source's variables."""

    def chunks() -> Iterator[str]:
        token = variable.set(variable.get() + "+")
        yield variable.get()
        yield variable.get()
        variable.reset(token)

    outer = variable.set("caller")
    first, second = SyncStream(chunks()).copy(2)
    variable.reset(outer)
    assert in_thread(lambda: next(first)).result(5) == "caller+"
    assert second.collect() == ["caller+", "caller+"]
    assert first.collect() == ["caller+"]
    assert variable.get() == "unset"


def test_dropped_copies_hold_nobody_back_and_the_last_one_warns() -> None:
    """Also from a garbage collection in another thread."""
    source = SyncSource(9)
    fast, slow = SyncStream(source).copy(2, max_lag=2, overflow="block")
    reading = in_thread(lambda: [next(fast) for _ in range(3)])  # noqa: F821 - deleted only below
    until(lambda: slow.pending == 2)  # noqa: F821 - as above
    del slow
    gc.collect()
    assert reading.result(5) == [0, 1, 2]
    del reading
    with pytest.warns(ResourceWarning, match="half-read"):
        del fast
    gc.collect()


def test_what_cannot_work_is_refused() -> None:
    """The error names the value."""
    with pytest.raises(ValueError, match="got 0"):
        SyncStream([1]).copy(0)
