"""Full queues: what is dropped, who waits and for how long, and that the counters tell."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import threading
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sideband import (
    Handler,
    Run,
    add_global_handler,
    background,
    callbacks,
    component,
    compose,
    emit,
    observe,
    only,
)
from sideband.errors import HandlerRefusedError
from sideband.handlers._queue import Overflow

from .helpers import PATIENCE, Ends, Held, double, tell

POLICIES: tuple[Overflow, ...] = ("drop_oldest", "drop_newest", "block")


@pytest.mark.parametrize(("overflow", "kept"), [("drop_oldest", [3, 4]), ("drop_newest", [0, 1])])
def test_chunks_are_dropped_by_the_policy_and_counted(overflow: Overflow, kept: list[int]) -> None:
    """The start and the ending are delivered whatever happens to the chunks."""
    with Held() as held, background(held, max_events=2, overflow=overflow) as behind:
        with callbacks(behind):
            stream = tell(5)
            words = [next(stream)]
            assert held.entered.wait(PATIENCE)
            words += stream
        assert behind.dropped == 3
        held.go.set()
        assert behind.flush()

    assert words == ["<0>", "<1>", "<2>", "<3>", "<4>"]
    assert held.seen == [
        ("start", "tell"),
        *(("chunk", f"<{number}>") for number in kept),
        ("end", "tell"),
    ]
    assert (behind.delivered, behind.dropped, behind.pending) == (4, 3, 0)


def test_a_run_whose_start_is_dropped_is_dropped_whole() -> None:
    """A handler is told all or nothing of a run, however long that goes on."""
    behind = background(held := Held(), max_events=2, overflow="drop_newest")
    with held, behind, callbacks(behind):
        double(1)
        assert held.entered.wait(PATIENCE)
        with observe("second"), observe("third"):
            emit("progress")
            held.go.set()
            assert behind.flush()
            emit("progress")

    assert held.seen == [("start", "double"), ("end", "double"), ("start", "second"), ("end", "second")]
    assert behind.dropped == 4


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_bytes_are_a_limit_as_well(overflow: Overflow) -> None:
    """Of ten chunks of 100 kB, the few that fit are kept."""

    @component("ChatModel")
    def large() -> Iterator[bytes]:
        for _ in range(10):
            yield bytes(100_000)

    with Held() as held, background(held, max_bytes=350_000, overflow=overflow) as behind:
        with callbacks(only(behind, name="large")):
            stream = large()
            next(stream)
            assert held.entered.wait(PATIENCE)
            list(stream)
        held.go.set()

    assert [what for what, *_ in held.seen] == ["start", "chunk", "chunk", "chunk", "end"]
    assert behind.dropped == 7


def test_a_full_queue_is_said_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever does not look at the counters learns of it."""
    with Ends() as ends, background(ends, max_events=1) as behind, callbacks(behind):
        for number in range(10):
            double(number)
        ends.go.set()

    assert [record.getMessage().partition(") ")[2] for record in caplog.records] == [
        "has dropped events; they are counted in its `dropped`"
    ]
    assert behind.delivered + behind.dropped == 10


def test_flush_tells_whether_all_was_delivered() -> None:
    """Not if time ran out, nor if something was dropped meanwhile; what comes later does not count."""
    with Ends() as ends, background(ends, max_events=2) as behind, callbacks(behind):
        assert behind.flush(0)
        double(1)
        assert ends.entered.wait(PATIENCE)
        assert not behind.flush(0.01)
        with pytest.raises(ValueError, match="timeout must be 0 or more, got -1"):
            behind.flush(-1)
        double(2)
        double(3)
        with ThreadPoolExecutor(1) as pool:
            flushed = pool.submit(behind.flush, PATIENCE)
            while not behind._sender.delivery._flushes:
                threading.Event().wait(0.001)
            double(4)
            ends.go.set()
            assert flushed.result() is False
        assert behind.flush()

    assert (behind.delivered, behind.dropped) == (3, 1)


def test_a_close_that_takes_too_long_drops_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    """It says so by its result, the counter and the log, and the program goes on."""
    with Ends() as ends:
        behind = background(ends)
        with callbacks(behind):
            for number in range(5):
                double(number)
        assert ends.entered.wait(PATIENCE)

        assert not behind.close(0.01)
        assert (behind.delivered, behind.dropped, behind.pending) == (0, 4, 1)

    assert "was closed with 5 events not delivered within 0.01 s" in caplog.text
    assert behind.flush(PATIENCE)
    assert (behind.delivered, behind.dropped, behind.pending) == (1, 4, 0)


def test_block_waits_for_room_and_loses_nothing() -> None:
    """The program is as slow as the handler."""
    behind = background(held := Held(), max_events=2, overflow="block", block_timeout=PATIENCE)
    with held, behind, ThreadPoolExecutor(2) as pool:
        done = [pool.submit(pool_run, behind, 20) for _ in range(2)]
        assert held.entered.wait(PATIENCE)
        assert not any(future.done() for future in done)
        held.go.set()
        assert [future.result() for future in done] == [20, 20]

    assert sum(what == "chunk" for what, *_ in held.seen) == 40
    assert behind.dropped == 0


def pool_run(behind: background, count: int) -> int:
    """Read a stream in a thread, which has a scope of its own."""
    with callbacks(behind):
        return len(list(tell(count)))


def test_block_does_not_hang_on_a_stuck_handler(caplog: pytest.LogCaptureFixture) -> None:
    """One wait runs into its limit; after it events are dropped at once until the handler gets on."""
    behind = background(held := Held(), max_events=2, overflow="block", block_timeout=0.2)
    with held, behind, callbacks(behind):
        started = time.monotonic()
        assert len(list(tell(1000))) == 1000
        assert 0.2 <= time.monotonic() - started < PATIENCE
        held.go.set()
        assert behind.flush(PATIENCE)
        assert len(list(tell(10))) == 10

    assert held.seen[-1] == ("end", "tell")
    assert held.seen[-11:-1] == [("chunk", f"<{number}>") for number in range(10)]
    assert caplog.text.count("made no room for 0.2 s") == 1


async def test_block_is_refused_on_an_event_loop() -> None:
    """It would stop all tasks; attached there, it is an error that says what to do."""
    behind = background(Held(), overflow="block")

    with pytest.raises(HandlerRefusedError, match="would stop the event loop; use 'drop_oldest'"):
        add_global_handler(behind)
    with pytest.raises(HandlerRefusedError, match="would stop the event loop"):
        compose(behind)


def test_block_never_stops_an_event_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Attached elsewhere, it drops what would have to wait on a loop's thread, and says so once."""

    async def program() -> int:
        return sum([double(number) for number in range(10)])

    with Ends() as ends, background(ends, max_events=2, overflow="block", block_timeout=PATIENCE) as behind:
        with callbacks(behind):
            assert asyncio.run(program()) == 90
        assert behind.dropped >= 7
        ends.go.set()

    assert behind.delivered + behind.dropped == 10
    assert caplog.text.count("to block would stop an event loop") == 1


class Count(Handler):
    """Counts, and checks the order of what each thread sends."""

    def __init__(self) -> None:
        self.calls = 0
        self.wrong: list[Any] = []
        self.last: dict[int, int] = {}
        self.open: set[int] = set()

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.calls += 1
        self.open.add(id(run))

    def on_chunk(self, run: Run, chunk: tuple[int, int]) -> None:
        self.calls += 1
        thread, number = chunk
        if id(run) not in self.open or number <= self.last.get(thread, -1):
            self.wrong.append(chunk)
        self.last[thread] = number

    def on_end(self, run: Run, output: Any) -> None:
        self.calls += 1
        if id(run) not in self.open:
            self.wrong.append(run)
        self.open.discard(id(run))


@component("ChatModel")
def count(thread: int, start: int, length: int) -> Iterator[tuple[int, int]]:
    """Stream numbers that grow within a thread."""
    for number in range(start, start + length):
        yield thread, number


@pytest.mark.parametrize("overflow", POLICIES)
def test_threads_lose_nothing_but_what_is_counted(overflow: Overflow) -> None:
    """Eight threads under a small queue: order, all-or-nothing and the sum of the counters hold."""
    counting, threads, runs = Count(), 8, 100
    offered = [0] * threads

    def work(thread: int) -> None:
        drawn, number = random.Random(thread), 0
        with callbacks(behind):
            for _ in range(runs):
                length = drawn.randrange(5)
                list(count(thread, number, length))
                number += length
                offered[thread] += length + 2

    with (
        background(counting, max_events=10, overflow=overflow) as behind,
        ThreadPoolExecutor(threads) as pool,
    ):
        list(pool.map(work, range(threads)))
        pool.shutdown()
        assert behind.flush(PATIENCE)
        assert (behind.delivered + behind.dropped, behind.pending) == (sum(offered), 0)

    assert counting.calls == behind.delivered
    assert (counting.wrong, counting.open) == ([], set())
    assert overflow != "block" or behind.dropped == 0


@pytest.mark.parametrize("overflow", POLICIES)
def test_streams_dropped_by_the_collector_end_in_the_background(overflow: Overflow) -> None:
    """Their finalizers run inside of any call, the queue's own too, and never wait for it."""
    ends = Ends()
    ends.go.set()

    def litter(number: int) -> None:
        stream = count(number, 0, 3)
        next(stream)
        circle = [stream]
        circle.append(circle)  # type: ignore[arg-type] # only the collector gets rid of it

    def work(number: int) -> None:
        with callbacks(behind):
            for _ in range(200):
                litter(number)

    threshold = gc.get_threshold()
    gc.set_threshold(5, 2, 2)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            background(ends, max_events=5, overflow=overflow) as behind,
            ThreadPoolExecutor(4) as pool,
        ):
            list(pool.map(work, range(4)))
            gc.collect()
            assert behind.flush(PATIENCE)
            assert behind.delivered + behind.dropped == 800
    finally:
        gc.set_threshold(*threshold)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_memory_under_a_stuck_handler_is_flat(overflow: Overflow, caplog: pytest.LogCaptureFixture) -> None:
    """30,000 chunks and 1,000 runs behind one that never returns take less than 1 MiB."""
    caplog.set_level(logging.CRITICAL)
    with Held() as held, background(held, max_events=100, overflow=overflow, close_timeout=0.01) as behind:
        with callbacks(behind):
            list(tell(200))
            assert held.entered.wait(PATIENCE)
            tracemalloc.start()
            try:
                before = tracemalloc.get_traced_memory()[0]
                for _ in tell(30_000):
                    pass
                for number in range(1000):
                    double(number)
                grown = tracemalloc.get_traced_memory()[0] - before
            finally:
                tracemalloc.stop()
        assert behind.pending <= 202
    assert grown < 1 << 20
