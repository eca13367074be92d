"""Gauges that all systems share: how much memory a stream takes, how long an import does."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.harness.work import Gauge

Tick = Callable[[], None]
MIB = 1 << 20
WARM_UP = 100

IMPORT = """
import time
cpu, wall = time.process_time(), time.perf_counter()
{statement}
print(time.process_time() - cpu, time.perf_counter() - wall)
"""


class WrongStreamError(Exception):
    """The consumer or the handler did not see as many chunks as there were."""

    def __init__(self, chunks: int, read: int, seen: int) -> None:
        super().__init__(f"of {chunks} chunks the consumer read {read}, the handler saw {seen}")


def resident() -> float:
    """Return how many MiB of this process are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def memory(
    stream: Callable[[int, Tick], Awaitable[None]], seen: Callable[[], int], chunks: int, most: int
) -> Gauge | None:
    """Return a gauge of the growth while `stream` reads chunks and ticks at each; None where there are more than `most`.

    `seen` tells how many chunks the handler has seen.
    """
    if chunks > most:
        return None

    async def measure() -> float:
        await stream(WARM_UP, lambda: None)
        gc.collect()
        before, grown, read, seen_before = resident(), 0.0, 0, seen()
        every = max(1, chunks // 200)

        def tick() -> None:
            nonlocal read, grown
            read += 1
            if read % every == 0:
                grown = max(grown, resident() - before)

        await stream(chunks, tick)
        grown = max(grown, resident() - before)
        if (read, seen() - seen_before) != (chunks, chunks):
            raise WrongStreamError(chunks, read, seen() - seen_before)
        return grown

    return Gauge(measure)


def importing(statement: str) -> Gauge:
    """Return a gauge of the time that an import takes, beside that of asyncio."""

    def measure() -> dict[str, float]:
        cpu, wall = interpret(statement)
        bare_cpu, bare_wall = interpret("import asyncio")
        return {"cpu": cpu, "wall": wall, "bare_cpu": bare_cpu, "bare_wall": bare_wall}

    return Gauge(measure)


def interpret(statement: str) -> tuple[float, float]:
    """Return the microseconds of CPU time and on the clock that a statement takes in a fresh interpreter."""
    program = IMPORT.format(statement=statement)
    # Packages are compiled when they are installed, but a source tree when it is first imported: not each time anew.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=kept)
    cpu, wall = map(float, done.stdout.split()[-2:])
    return cpu * 1e6, wall * 1e6
