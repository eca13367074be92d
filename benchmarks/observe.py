"""What watching costs: a call and a chunk under no handler, one and three, over the bare function.

    python benchmarks/observe.py
    python benchmarks/observe.py --repetitions 31 --calls 20000

Every repetition visits every case once, in a fresh order, so that the drift of a noisy machine spreads
over all of them; the figure is the least CPU time of a case less that of its bare path. What a case has
to deliver is counted before anything is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from sideband import Handler, Run, callbacks, component

Work = Callable[[int], Awaitable[None]]


class Calls(Handler):
    """Wants starts and ends."""

    def __init__(self) -> None:
        self.seen = 0

    def on_start(self, run: Run, input: object) -> None:
        self.seen += 1

    def on_end(self, run: Run, output: object) -> None:
        self.seen += 1


class Chunks(Handler):
    """Wants chunks."""

    def __init__(self) -> None:
        self.seen = 0

    def on_chunk(self, run: Run, chunk: object) -> None:
        self.seen += 1


@dataclass
class Case:
    """One path under some handlers."""

    name: str
    work: Work
    handlers: int = 0
    sort: type[Calls | Chunks] = Calls
    events: int = 0
    """How many events a handler has to see of each unit."""
    base: str = ""
    limit: float | None = None
    """Microseconds over the bare path that it may take."""
    times: list[float] = field(default_factory=list)

    async def run(self, count: int) -> tuple[float, int]:
        """Return the CPU seconds of `count` units, and how many events the handlers saw."""
        attached = [self.sort() for _ in range(self.handlers)]
        with callbacks(*attached):
            started = time.process_time()
            await self.work(count)
            taken = time.process_time() - started
        return taken, sum(handler.seen for handler in attached)


async def echo(x: int) -> int:
    """Be as cheap as a coroutine can be."""
    return x


async def numbers(count: int) -> AsyncIterator[int]:
    """Be as cheap as a stream can be."""
    for number in range(count):
        yield number


def calling(function: Callable[[int], Awaitable[int]]) -> Work:
    """Await a function so many times."""

    async def work(count: int) -> None:
        for number in range(count):
            await function(number)

    return work


def reading(function: Callable[[int], AsyncIterator[int]]) -> Work:
    """Read a stream of so many chunks."""

    async def work(count: int) -> None:
        async for _ in function(count):
            pass

    return work


def cases() -> list[Case]:
    """Return the bare paths and the watched ones, with the project's own limits."""
    found = [Case("bare call", calling(echo)), Case("bare chunk", reading(numbers))]
    call, chunk = calling(component("Lambda")(echo)), reading(component("Lambda")(numbers))
    for handlers, limit in ((0, 0.25), (1, 4.0), (3, 8.0)):
        name = f"call, {handlers} for start and end"
        found.append(Case(name, call, handlers, Calls, 2, "bare call", limit))
    for handlers, limit in ((0, 0.1), (1, 0.8), (3, 1.3)):
        name = f"chunk, {handlers} for chunks"
        found.append(Case(name, chunk, handlers, Chunks, 1, "bare chunk", limit))
    found.append(Case("chunk, 1 for the ending", chunk, 1, Calls, 0, "bare chunk"))
    return found


def check(runner: asyncio.Runner, case: Case) -> None:
    """Count what a case delivers."""
    _, seen = runner.run(case.run(10))
    expected = 10 * case.events * case.handlers
    if case.events and seen != expected:
        sys.exit(f"{case.name}: expected {expected} events, saw {seen}")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=5000, help="units of one sample")
    parser.add_argument("--repetitions", type=int, default=31, help="samples of each case")
    parser.add_argument("--seed", type=int, default=7, help="of the order of the samples")
    options = parser.parse_args()
    shuffled = random.Random(options.seed)
    found = cases()
    with asyncio.Runner() as runner:
        for case in found:
            check(runner, case)
        gc.collect()
        gc.freeze()
        for _ in range(options.repetitions):
            for case in shuffled.sample(found, len(found)):
                gc.collect()
                taken, _ = runner.run(case.run(options.calls))
                case.times.append(taken / options.calls * 1e6)
    report(found)


def report(found: list[Case]) -> None:
    """Print the least CPU time of each case, and what it is over its bare path."""
    least = {case.name: min(case.times) for case in found}
    print(
        f"Python {platform.python_version()}, microseconds of CPU time a unit, the least of {len(found[0].times)}\n"
    )
    print(f"{'case':<28} {'least':>8} {'over bare':>10} {'limit':>7}")
    for case in found:
        over = f"{least[case.name] - least[case.base]:10.2f}" if case.base else " " * 10
        limit = f"{case.limit:7.2f}" if case.limit is not None else ""
        print(f"{case.name:<28} {least[case.name]:8.3f} {over} {limit}".rstrip())


if __name__ == "__main__":
    main()
