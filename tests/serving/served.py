"""A real serving of a model that sleeps, and what its callers see of it: what simulations are compared with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sideband.serving import Batch, Distribution, Serving


@dataclass
class Served:
    """What was observed."""

    latencies: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0

    @property
    def latency(self) -> Distribution:
        return Distribution(self.latencies)

    @property
    def items(self) -> int:
        return sum(self.sizes)

    @property
    def throughput(self) -> float:
        return self.items / (self.ended - self.began)

    @property
    def mean_batch_size(self) -> float:
        return self.items / len(self.sizes)


def sleeping(served: Served, cost: Callable[[int], float]) -> Callable[[Batch[Any]], Awaitable[list[Any]]]:
    """Return a coroutine model that takes its time on the loop."""

    async def model(batch: Batch[Any]) -> list[Any]:
        clock = asyncio.get_running_loop().time
        began = clock()
        served.sizes.append(batch.size)
        await asyncio.sleep(cost(batch.size))
        served.seconds.append(clock() - began)
        return list(batch)

    return model


def sleeping_in_a_thread(served: Served, cost: Callable[[int], float]) -> Callable[[Batch[Any]], list[Any]]:
    """Return a plain model that takes its time in a thread."""

    def model(batch: Batch[Any]) -> list[Any]:
        began = time.monotonic()
        served.sizes.append(batch.size)
        time.sleep(cost(batch.size))
        served.seconds.append(time.monotonic() - began)
        return list(batch)

    return model


async def serve_arrivals(
    serving: Serving[Any, Any], served: Served, arrivals: Sequence[float], call_size: int = 1
) -> None:
    """Send calls at certain times, counted from now, whether others are done or not."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def call(at: float) -> None:
        await serving.dispatch_many(range(call_size)) if call_size > 1 else await serving.dispatch(0)
        served.latencies.append(loop.time() - start - at)

    async with asyncio.TaskGroup() as group:
        for at in arrivals:
            if (delay := start + at - loop.time()) > 1e-9:  # a clock's own rounding is no time
                await asyncio.sleep(delay)
            group.create_task(call(at))
    served.began, served.ended = start + arrivals[0], loop.time()


async def serve_callers(serving: Serving[Any, Any], served: Served, callers: int, items: int) -> None:
    """Let callers send one item after another, each when it has the last one's result, until all are sent."""
    loop = asyncio.get_running_loop()
    left = items

    async def caller() -> None:
        nonlocal left
        while left:
            left -= 1
            began = loop.time()
            await serving.dispatch(0)
            served.latencies.append(loop.time() - began)

    served.began = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    served.ended = loop.time()
