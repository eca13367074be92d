from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from typing import Any

import pytest

from sideband.serving import Batch, Serving

from .helpers import double, gathered


class BatchError(Exception):
    """What a tenth of the batches fails with."""


async def soak(callers: int, seed: int, executor: Any) -> None:
    """Send items, cancel a tenth of the callers at random, fail a tenth of the batches; check every answer."""
    chance = random.Random(seed)

    def model(batch: Batch[int]) -> list[int]:
        if chance.random() < 0.1:
            raise BatchError
        return double(batch)

    async with Serving(model, batch_size=32, partitions=2, executor=executor) as serving:
        tasks = [asyncio.create_task(serving.dispatch(number)) for number in range(callers)]
        for task in tasks:
            if chance.random() < 0.1:
                await asyncio.sleep(0)
            if chance.random() < 0.1:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)

    for number, (task, result) in enumerate(zip(tasks, results, strict=True)):
        assert task.cancelled() or isinstance(result, BatchError) or result == 2 * number
    assert (serving.stats().waiting, serving.stats().executing) == (0, 0)


@pytest.mark.parametrize("executor", ["thread", "inline"])
def test_callers_who_come_and_go_leave_nothing_behind(executor: Any) -> None:
    """Who is neither cancelled nor in a failing batch has the right answer, and no memory is kept, round after round."""
    for seed in range(2):
        asyncio.run(soak(1_000, seed, executor))
    gc.collect()
    tracemalloc.start()
    try:
        asyncio.run(soak(1_000, 2, executor))
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for seed in range(3, 8):
            asyncio.run(soak(1_000, seed, executor))
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert growth < 500_000  # a hundred bytes a call; a future alone has more


def test_nothing_is_kept_of_calls_that_were_answered() -> None:
    """Thousands of answered calls leave a started serving as it was."""

    async def program() -> int:
        async with Serving(double, executor="inline", batch_size=256) as serving:
            await gathered(serving, range(1_000))
            tracemalloc.start()
            await gathered(serving, range(1_000))
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(5):
                await gathered(serving, range(1_000))
            gc.collect()
            return tracemalloc.get_traced_memory()[0] - before

    try:
        growth = asyncio.run(program())
    finally:
        tracemalloc.stop()

    assert growth < 500_000  # a hundred bytes a call; a future alone has more
