"""One sample of one piece of work: the clocks, the count of units, the count of events. It knows `work` and `case`."""

from __future__ import annotations

import asyncio
import gc
import inspect
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.harness.case import Case
from benchmarks.harness.work import Work, nothing


class Sample(NamedTuple):
    """Seconds of so many units."""

    cpu: float
    wall: float
    units: int

    @property
    def unit_cpu(self) -> float:
        """Microseconds of CPU time of a unit, those of all threads together."""
        return self.cpu / self.units * 1e6

    @property
    def unit_wall(self) -> float:
        """Microseconds that the caller waits for a unit."""
        return self.wall / self.units * 1e6


class WrongCountError(Exception):
    """A system did not do what it was asked: its handlers, or its consumer, saw too much or too little."""

    def __init__(self, what: str, expected: int, seen: int) -> None:
        self.expected = expected
        self.seen = seen
        super().__init__(f"expected {expected} {what}, saw {seen}")


def take(
    runner: asyncio.Runner, run: Callable[[int], Any], count: int, settle: Callable[[], object] = nothing
) -> Sample:
    """Run `count` units once and return the times; the caller's ends when they are done, the CPU's when settled."""
    gc.collect()
    if inspect.iscoroutinefunction(run):
        cpu, wall, saw = runner.run(_timed(run, count))
    else:
        cpu, wall = time.process_time(), time.perf_counter()
        saw = run(count)
        wall = time.perf_counter() - wall
    settle()
    cpu = time.process_time() - cpu
    if isinstance(saw, int) and saw != count:
        raise WrongCountError("units", count, saw)
    return Sample(cpu, wall, count)


async def _timed(run: Callable[[int], Any], count: int) -> tuple[float, float, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    saw = await run(count)
    return cpu, time.perf_counter() - wall, saw


def check(runner: asyncio.Runner, work: Work, case: Case) -> None:
    """Run a few units, the first time to warm up, and count what the handlers see.

    Raises:
        WrongCountError: it is not what the system says that they see.
    """
    count = multiple(max(case.least, 3 * case.step), case)
    for _ in range(2):
        before = work.counter.seen
        with work.around():
            take(runner, work.run, count, work.settle)
        if (seen := work.counter.seen - before) != work.expected(count):
            raise WrongCountError("events", work.expected(count), seen)


def calibrate(
    runner: asyncio.Runner,
    run: Callable[[int], Any],
    case: Case,
    seconds: float,
    settle: Callable[[], object],
) -> int:
    """Return how many units take about so many seconds."""
    count = multiple(case.least, case)
    while True:
        # The less of two: one stall of the machine must not make all samples too short.
        taken = min(
            max(sample.cpu, sample.wall) for sample in (take(runner, run, count, settle) for _ in range(2))
        )
        if taken >= seconds / 4 or count >= case.most:
            return multiple(min(round(count * seconds / max(taken, 1e-9)), case.most), case)
        count = multiple(min(4 * count, case.most), case)


def multiple(count: int, case: Case) -> int:
    """Return `count` as a whole multiple of the case's step, at least its least."""
    return max(-(-case.least // case.step), round(count / case.step), 1) * case.step
