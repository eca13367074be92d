"""aiodataloader: what one turn of the event loop brings is one batch; made for GraphQL's database look-ups."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from aiodataloader import DataLoader
from benchmarks.harness.work import Gauge, Work
from benchmarks.peers import _batching
from benchmarks.peers._batching import Calls, Function, asynchronous

TITLE = "aiodataloader"
DISTRIBUTION = "aiodataloader"


@asynccontextmanager
async def _open(
    function: Function, *, size: int, wait: float | None = None, blocking: bool = False
) -> AsyncGenerator[Calls, None]:
    loader = DataLoader[Any, Any](
        cast("Any", asynchronous(function, blocking=blocking)), max_batch_size=size, cache=False
    )
    yield Calls(loader.load, loader.load_many)


def standing(callers: int) -> Work:
    """No timer, no bound, no close, nothing dropped for callers that are gone. Its cache is off."""
    return _batching.standing(_open, callers)


def dispatch(callers: int) -> Work:
    """No timer, no bound, no close, nothing dropped for callers that are gone. Its cache is off."""
    return _batching.dispatch(_open, callers)


def lists(senders: int) -> Work:
    """`load_many` gathers a future for each item."""
    return _batching.lists(_open, senders)


def lone(percentile: int) -> Gauge:
    """Never waits: it has no timer."""
    return _batching.lone(_open, percentile)


def lone_blocking(percentile: int) -> Gauge:
    """Never waits; the thread is the benchmark's own, since it takes coroutine functions alone."""
    return _batching.lone(_open, percentile, blocking=True)


def model(size: int) -> Gauge:
    """Starts batches without bound: the lock that leaves the model one at a time is the benchmark's own, as the thread."""
    return _batching.model(_open, size)


def growth_callers(callers: int) -> Work:
    """No timer, no bound, no close, nothing dropped for callers that are gone. Its cache is off."""
    return _batching.standing(_open, callers, round_of_all=True)
