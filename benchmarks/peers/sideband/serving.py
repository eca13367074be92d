"""How this project answers the cases of serving."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _batching
from benchmarks.peers._batching import SIZE, Calls, Function, Items
from benchmarks.peers._callers import StandingCallers, plain_futures

from sideband.serving import Batch, Serving


@asynccontextmanager
async def _open(
    function: Function, *, size: int, wait: float | None = None, blocking: bool = False
) -> AsyncGenerator[Calls, None]:
    def execute(batch: Batch[Any]) -> Items:
        return function(batch.values)

    async with Serving(
        execute,
        batch_size=size,
        batch_timeout=wait or 0.0,
        executor="thread" if blocking else "inline",
        max_queue=100_000,
    ) as serving:
        yield Calls(serving.dispatch, serving.dispatch_many)


def standing(callers: int) -> Work:
    """`dispatch`, bounded, with a timer, drops callers that are gone; executed inline."""
    return _batching.standing(_open, callers)


def dispatch(callers: int) -> Work:
    """`dispatch`, bounded, with a timer, drops callers that are gone; executed inline."""
    return _batching.dispatch(_open, callers)


def lists(senders: int) -> Work:
    """`dispatch_many`: one future a list."""
    return _batching.lists(_open, senders)


def lone(percentile: int) -> Gauge:
    """`dispatch` with `batch_timeout=0`, the default; executed inline."""
    return _batching.lone(_open, percentile)


def lone_blocking(percentile: int) -> Gauge:
    """`dispatch` with `batch_timeout=0`, the default; executed in the partition's thread."""
    return _batching.lone(_open, percentile, blocking=True)


def model(size: int) -> Gauge:
    """`dispatch` with `batch_timeout=0`, the default; executed in the partition's thread."""
    return _batching.model(_open, size)


def growth_callers(callers: int) -> Work:
    """`dispatch`, bounded, with a timer, drops callers that are gone; executed inline."""
    return _batching.standing(_open, callers, round_of_all=True)


def graded(callers: int) -> Work:
    """What the policy has to look at: whose items share a batch, how much of it they take, who comes first."""
    counter = Counter()
    made: dict[str, StandingCallers] = {}

    def execute(batch: Batch[int]) -> list[int]:
        counter.seen += batch.size
        return batch.values

    async def graded_callers() -> StandingCallers:
        serving = Serving(
            execute,
            batch_size=SIZE,
            executor="inline",
            key=lambda item: item % 4,
            cost=lambda item: 1 + item % 7,
            max_cost=7 * SIZE,
        )
        await AsyncExitStack().enter_async_context(serving)
        return StandingCallers(
            [functools.partial(serving.dispatch, priority=caller % 3) for caller in range(callers)]
        )

    async def run(count: int) -> None:
        if "own" not in made:
            made["own"] = await graded_callers()
        await made["own"].send(count // callers)

    async def bare(count: int) -> None:
        if "bare" not in made:
            made["bare"] = StandingCallers([plain_futures()] * callers)
        await made["bare"].send(count // callers)

    return Work(run, bare, counter, events=1)


def _hand_back(batch: Batch[Any]) -> list[Any]:
    return batch.values


def executor(numbers: int) -> Gauge:
    """`executor="process"`: items and results are pickled."""
    items = [[float(number) for number in range(numbers)] for _ in range(64)]

    async def measure() -> float:
        async with Serving(_hand_back, batch_size=len(items), executor="process") as serving:
            if await serving.dispatch_many(items) != items:
                raise _batching.WrongResultError("the items did not come back")
            rounds = 100
            started = time.perf_counter()
            for _ in range(rounds):
                await serving.dispatch_many(items)
            return (time.perf_counter() - started) / rounds * 1e6

    return Gauge(measure)


WORDS = "how do I read a large file line by line and write rows to a table without loading it all".split()


def texts(callers: int) -> Gauge:
    """`dispatch` of one text each, executed in the partition's thread."""
    from sideband.embedders import load

    embedder = load("wordllama")
    some = [
        " ".join([WORDS[(text + k) % len(WORDS)] for k in range(5 + text % 8)]) for text in range(callers)
    ]

    async def measure() -> float:
        own, whole = [], []
        serving: Serving[str, Any] = Serving(lambda batch: embedder.embed(batch.values), batch_size=callers)
        async with serving:
            crowd = StandingCallers([functools.partial(_one_text, serving, text) for text in some])
            # In turns, so that what else the machine does hits both alike.
            for _ in range(10):
                started = time.perf_counter()
                await crowd.send(10)
                sent = time.perf_counter()
                for _ in range(10):
                    embedder.embed(some)
                own.append(sent - started)
                whole.append(time.perf_counter() - sent)
        return min(whole) / min(own)

    return Gauge(measure)


async def _one_text(serving: Serving[str, Any], text: str, _: object) -> None:
    await serving.dispatch(text)
