"""What a handler in the background costs what it watches: a call and a chunk, beside the same handler called in place.

    python benchmarks/background.py
    python benchmarks/background.py --repetitions 31 --calls 5000

Two handlers, a quick one and a slow one, which waits a millisecond at each timing as one that writes to a
disk may, each in place and in the background. Every repetition visits every case once, in a fresh order.
Given are the least CPU time of the watching thread and the least time on the clock, a unit, over the path
without a handler; and the ratio to the handler in place. The worker's own time is in the clock's part alone.
"""

from __future__ import annotations

import argparse
import gc
import platform
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sideband import Handler, Run, background, callbacks, component


class Quick(Handler):
    """Wants starts, ends and chunks, and does nothing with them."""

    def on_start(self, run: Run, input: object) -> None:
        pass

    def on_end(self, run: Run, output: object) -> None:
        pass

    def on_chunk(self, run: Run, chunk: object) -> None:
        pass


class Slow(Handler):
    """Takes a millisecond for each."""

    wait = threading.Event().wait

    def on_start(self, run: Run, input: object) -> None:
        self.wait(0.001)

    def on_end(self, run: Run, output: object) -> None:
        self.wait(0.001)

    def on_chunk(self, run: Run, chunk: object) -> None:
        self.wait(0.001)


@component("Lambda")
def echo(x: int) -> int:
    """Be as cheap as a call can be."""
    return x


@component("ChatModel")
def words(count: int) -> Iterator[str]:
    """Be as cheap as a stream of text can be."""
    for _ in range(count):
        yield "word"


def call(count: int) -> None:
    """Call so many times."""
    for number in range(count):
        echo(number)


def read(count: int) -> None:
    """Read a stream of so many chunks."""
    for _ in words(count):
        pass


WORK: dict[str, Callable[[int], None]] = {"call": call, "chunk": read}
HANDLERS: dict[str, type[Handler] | None] = {"none": None, "quick": Quick, "slow": Slow}


@dataclass
class Case:
    """One handler, in place or in the background, over one sort of work."""

    work: str
    handler: str
    behind: bool
    cpu: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    dropped: int = 0

    @property
    def name(self) -> str:
        where = "" if self.handler == "none" else ", in the background" if self.behind else ", in place"
        return f"{self.work}, {self.handler}{where}"

    def run(self, count: int) -> None:
        """Take one sample."""
        sort = HANDLERS[self.handler]
        if sort is None:
            self._measure(count)
        elif self.behind:
            behind = background(sort(), close_timeout=60.0)
            with callbacks(behind):
                self._measure(count)
            behind.close(60.0 if sort is Quick else 0.0)
            self.dropped += behind.dropped
            if sort is Quick:
                assert behind.delivered == (2 * count if self.work == "call" else count + 2), behind
        else:
            with callbacks(sort()):
                self._measure(count)

    def _measure(self, count: int) -> None:
        gc.collect()
        cpu, clock = time.thread_time(), time.perf_counter()
        WORK[self.work](count)
        self.cpu.append((time.thread_time() - cpu) / count * 1e6)
        self.clock.append((time.perf_counter() - clock) / count * 1e6)


def cases() -> list[Case]:
    """Return every case."""
    return [
        Case(work, handler, behind)
        for work in WORK
        for handler in HANDLERS
        for behind in (False, True)
        if not (handler == "none" and behind)
    ]


def report(found: list[Case]) -> None:
    """Print the table."""
    base = {case.work: case for case in found if case.handler == "none"}
    place = {(case.work, case.handler): case for case in found if not case.behind}
    print(
        f"Python {platform.python_version()}, microseconds a unit over none, least of {len(found[0].cpu)}\n"
    )
    print(f"{'case':<32} {'cpu':>8} {'clock':>9} {'clock, ratio to in place':>26}")
    for case in found:
        bare = base[case.work]
        ratios = [
            one / other for one, other in zip(case.clock, place[case.work, case.handler].clock, strict=True)
        ]
        ratio = f"{statistics.median(ratios):26.3f}" if case.behind else ""
        cpu, clock = min(case.cpu) - min(bare.cpu), min(case.clock) - min(bare.clock)
        print(f"{case.name:<32} {cpu:8.2f} {clock:9.2f} {ratio}".rstrip())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--calls", type=int, default=2000, help="units of one sample, a tenth of it for the slow"
    )
    parser.add_argument("--repetitions", type=int, default=15, help="samples of each case")
    parser.add_argument("--seed", type=int, default=7, help="of the order of the samples")
    options = parser.parse_args()
    shuffled = random.Random(options.seed)
    found = cases()
    for _ in range(options.repetitions):
        for case in shuffled.sample(found, len(found)):
            case.run(options.calls // 10 if case.handler == "slow" else options.calls)
    report(found)


if __name__ == "__main__":
    main()
