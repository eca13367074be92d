"""BentoML: the dispatcher of its server, taken out of it, without HTTP and processes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.harness.work import Gauge, Work
from benchmarks.peers import _batching
from benchmarks.peers._batching import Calls, Function, asynchronous, gathered
from bentoml._internal.marshal.dispatcher import CorkDispatcher

TITLE = "BentoML"
DISTRIBUTION = "bentoml"


@asynccontextmanager
async def _open(
    function: Function, *, size: int, wait: float | None = None, blocking: bool = False
) -> AsyncGenerator[Calls, None]:
    # An objective, not a wait: calls that it thinks would take longer are refused.
    dispatcher: CorkDispatcher[Any, Any] = CorkDispatcher(
        max_latency_in_ms=60_000,
        max_batch_size=size,
        fallback=lambda: None,
        get_batch_size=lambda _: 1,
    )
    given: Any = function if blocking else asynchronous(function, blocking=False)
    one: Any = dispatcher(given)
    try:
        yield Calls(one, gathered(one))
    finally:
        dispatcher.shutdown()


def standing(callers: int) -> Work:
    """Its dispatcher alone: no wait of one's own choice, no bound; it learns how long batches take."""
    return _batching.standing(_open, callers)


def dispatch(callers: int) -> Work:
    """Its dispatcher alone: no wait of one's own choice, no bound; it learns how long batches take."""
    return _batching.dispatch(_open, callers)


def lists(senders: int) -> Work:
    """Takes no lists: their items are gathered."""
    return _batching.lists(_open, senders)


def lone(percentile: int) -> Gauge:
    """Waits as long as it has learnt: there is no setting."""
    return _batching.lone(_open, percentile)


def lone_blocking(percentile: int) -> Gauge:
    """Waits as long as it has learnt: there is no setting. Executed in its own thread pool."""
    return _batching.lone(_open, percentile, blocking=True)


def model(size: int) -> Gauge:
    """Looks every millisecond whether the model is free; executed in its own thread pool."""
    return _batching.model(_open, size)


def growth_callers(callers: int) -> Work:
    """Its dispatcher alone: no wait of one's own choice, no bound; it learns how long batches take."""
    return _batching.standing(_open, callers, round_of_all=True)
