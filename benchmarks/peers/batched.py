"""batched: a decorator around an asyncio queue."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from batched import aio
from benchmarks.harness.work import Gauge, Work
from benchmarks.peers import _batching
from benchmarks.peers._batching import Calls, Function, asynchronous

TITLE = "batched"
DISTRIBUTION = "batched"


@asynccontextmanager
async def _open(
    function: Function, *, size: int, wait: float | None = 0.002, blocking: bool = False
) -> AsyncGenerator[Calls, None]:
    # What is no coroutine function it calls in a thread.
    given: Any = function if blocking else asynchronous(function, blocking=False)
    processor = aio.dynamically(given, batch_size=size, timeout_ms=1000 * wait if wait is not None else 2)
    try:
        yield Calls(processor, processor)
    finally:
        if processor._task is not None:
            processor._task.cancel()


def standing(callers: int) -> Work:
    """Looks into its queue every 2 ms: no bound, no close; two futures an item."""
    return _batching.standing(_open, callers)


def dispatch(callers: int) -> Work:
    """Looks into its queue every 2 ms: no bound, no close; two futures an item."""
    return _batching.dispatch(_open, callers)


def lists(senders: int) -> Work:
    """Takes lists, and makes a future for each of their items."""
    return _batching.lists(_open, senders)


def lone(percentile: int) -> Gauge:
    """Told to wait 0 ms: the loop never rests, and takes a whole core while nobody calls."""
    return _batching.lone(_open, percentile)


def lone_blocking(percentile: int) -> Gauge:
    """Told to wait 0 ms: the loop never rests, and takes a whole core while nobody calls."""
    return _batching.lone(_open, percentile, blocking=True)


def model(size: int) -> Gauge:
    """Told to wait 0 ms, which suits it best, and takes a whole core while nobody calls."""
    return _batching.model(_open, size, wait=0.0)


def growth_callers(callers: int) -> Work:
    """Looks into its queue every 2 ms: no bound, no close; two futures an item."""
    return _batching.standing(_open, callers, round_of_all=True)
