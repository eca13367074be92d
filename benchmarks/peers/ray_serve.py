"""Ray Serve: the decorator `serve.batch` as in a replica, without a cluster, HTTP and other processes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from benchmarks.harness.work import Gauge, Work
from benchmarks.peers import _batching
from benchmarks.peers._batching import Calls, Function, asynchronous, gathered
from ray import serve
from ray.serve import context
from ray.serve._private.common import DeploymentID, ReplicaID
from ray.serve._private.config import DeploymentConfig
from ray.serve.schema import ReplicaRank

TITLE = "Ray Serve"
DISTRIBUTION = "ray"


def _be_a_replica() -> None:
    """Set what a replica sets before it runs its deployment: without it the decorator refuses to work."""
    context._set_internal_replica_context(
        replica_id=ReplicaID("benchmark", DeploymentID("benchmark")),
        servable_object=cast("Any", None),
        _deployment_config=DeploymentConfig(max_ongoing_requests=1_000_000),
        rank=ReplicaRank(rank=0, node_rank=0, local_rank=0),
        world_size=1,
    )


@asynccontextmanager
async def _open(
    function: Function, *, size: int, wait: float | None = None, blocking: bool = False
) -> AsyncGenerator[Calls, None]:
    _be_a_replica()
    batch = serve.batch(max_batch_size=size, batch_wait_timeout_s=0.002 if wait is None else wait)
    one: Any = batch(cast("Any", asynchronous(function, blocking=blocking)))
    yield Calls(one, gathered(one))


def standing(callers: int) -> Work:
    """The decorator alone, in one process: no cluster, no handle, no serialization. It has no bound of its own."""
    return _batching.standing(_open, callers)


def dispatch(callers: int) -> Work:
    """The decorator alone, in one process: no cluster, no handle, no serialization. It has no bound of its own."""
    return _batching.dispatch(_open, callers)


def lists(senders: int) -> Work:
    """Takes no lists: their items are gathered."""
    return _batching.lists(_open, senders)


def lone(percentile: int) -> Gauge:
    """The decorator alone, told to wait 0 s."""
    return _batching.lone(_open, percentile)


def lone_blocking(percentile: int) -> Gauge:
    """The decorator alone, told to wait 0 s; the thread is the benchmark's own, since it takes coroutine functions alone."""
    return _batching.lone(_open, percentile, blocking=True)


def model(size: int) -> Gauge:
    """The decorator alone, told to wait 5 ms, which suits it best; the thread is the benchmark's own."""
    return _batching.model(_open, size, wait=0.005)


def growth_callers(callers: int) -> Work:
    """The decorator alone, in one process: no cluster, no handle, no serialization. It has no bound of its own."""
    return _batching.standing(_open, callers, round_of_all=True)
