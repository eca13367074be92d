"""async-batcher: a class to inherit from, around an asyncio queue."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from async_batcher.batcher import AsyncBatcher
from benchmarks.harness.work import Gauge, Work
from benchmarks.peers import _batching
from benchmarks.peers._batching import Calls, Function, gathered

TITLE = "async-batcher"
DISTRIBUTION = "async-batcher"

# It logs every item on the root logger.
logging.disable(logging.DEBUG)


@asynccontextmanager
async def _open(
    function: Function, *, size: int, wait: float | None = None, blocking: bool = False
) -> AsyncGenerator[Calls, None]:
    class Asynchronous(AsyncBatcher[Any, Any]):
        async def process_batch(self, batch: list[Any]) -> Any:
            return function(batch)

    class Threaded(AsyncBatcher[Any, Any]):
        def process_batch(self, batch: list[Any]) -> Any:
            return function(batch)

    kind = Threaded if blocking else Asynchronous
    batcher = kind(max_batch_size=size, max_queue_time=0.002 if wait is None else wait)
    try:
        yield Calls(batcher.process, gathered(batcher.process))
    finally:
        await batcher.stop(force=True)


def standing(callers: int) -> Work:
    """A timed `queue.get` for every item; its bound is off, as by default."""
    return _batching.standing(_open, callers)


def dispatch(callers: int) -> Work:
    """A timed `queue.get` for every item; its bound is off, as by default."""
    return _batching.dispatch(_open, callers)


def lists(senders: int) -> Work:
    """Takes no lists: their items are gathered."""
    return _batching.lists(_open, senders)


def lone(percentile: int) -> Gauge:
    """Told to wait 0 s."""
    return _batching.lone(_open, percentile)


def lone_blocking(percentile: int) -> Gauge:
    """Told to wait 0 s; executed in the loop's own threads."""
    return _batching.lone(_open, percentile, blocking=True)


def model(size: int) -> Gauge:
    """Told to wait 5 ms, which suits it best; executed in the loop's own threads."""
    return _batching.model(_open, size, wait=0.005)


def growth_callers(callers: int) -> Work:
    """A timed `queue.get` for every item; its bound is off, as by default."""
    return _batching.standing(_open, callers, round_of_all=True)
