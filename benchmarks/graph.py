"""What a node costs in a chain of ten, with no handler, one and three: python benchmarks/graph.py [repetitions].

CPU time, minimum over interleaved repetitions, over ten bare awaits of the same functions.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from sideband import Handler, callbacks
from sideband.graph import END, START, Graph

NODES = 10
CALLS = 300


class Count(Handler):
    """Two timings, as little as can be done in them."""

    def __init__(self) -> None:
        self.events = 0

    def on_start(self, run, input):
        self.events += 1

    def on_end(self, run, output):
        self.events += 1


async def step(x: int) -> int:
    return x


def plain(x: int) -> int:
    return x


def chain(function: Callable[[int], Any]) -> Any:
    graph = Graph[int, int]("chain")
    keys = [f"n{place}" for place in range(NODES)]
    for key in keys:
        graph.add_node(key, function)
    for source, target in zip([START, *keys], [*keys, END], strict=True):
        graph.add_edge(source, target)
    return graph.compile()


async def bare(x: int) -> int:
    for _ in range(NODES):
        x = await step(x)
    return x


async def timed(call: Callable[[int], Coroutine[Any, Any, int]], handlers: list[Count]) -> float:
    with ExitStack() as stack:
        if handlers:
            stack.enter_context(callbacks(*handlers))
        started = time.process_time()
        for number in range(CALLS):
            assert await call(number) == number
        taken = time.process_time() - started
    assert all(handler.events == 2 * (NODES + 1) * CALLS for handler in handlers)
    return taken / CALLS / NODES * 1e6


async def main(repetitions: int) -> None:
    runnables = {"coroutine functions": chain(step), "functions": chain(plain)}
    best: dict[tuple[str, int], float] = {}
    for _ in range(repetitions):
        for name, call, numbers in [
            ("bare", bare, [0]),
            *((name, runnable.invoke, [0, 1, 3]) for name, runnable in runnables.items()),
        ]:
            for number in numbers:
                taken = await timed(call, [Count() for _ in range(number)])
                best[name, number] = min(best.get((name, number), taken), taken)
    base = best["bare", 0]
    print(f"a node in a chain of {NODES}, µs of CPU over a bare await ({base:.2f} µs)")
    for name in runnables:
        print(f"  {name:20} " + "  ".join(f"{n} handlers {best[name, n] - base:5.2f}" for n in (0, 1, 3)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
