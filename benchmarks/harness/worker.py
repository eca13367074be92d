"""A process with one system in it: it does a round of samples whenever the driver asks, and is idle in between.

    python -m benchmarks.harness.worker MODULE CASE LEVEL[,LEVEL…] SECONDS

One line of JSON a question and an answer. The system's own output goes to standard error. It knows the other modules
of the harness, and imports one file of benchmarks/peers.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import json
import os
import random
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.cases import CASES
from benchmarks.harness.case import Case
from benchmarks.harness.sampling import Sample, calibrate, check, take
from benchmarks.harness.work import Gauge, Work

Row = dict[str, Any]


class Bench:
    """The levels of one case in one system."""

    def __init__(self, module: str, case: Case, levels: list[int], seconds: float) -> None:
        make = getattr(importlib.import_module(module), case.name)
        self.case = case
        self.seconds = seconds
        made: dict[int, Work | Gauge | None] = {level: make(level) for level in levels}
        self.works = {level: work for level, work in made.items() if work is not None}
        self.counts: dict[Callable[[int], Any], int] = {}

    def open(self, runner: asyncio.Runner) -> Row:
        """Check what every level delivers, and find out how many units make a sample."""
        gc.collect()
        # The loaded libraries are no part of what later collections of garbage have to look at.
        gc.freeze()
        for work in self.works.values():
            if isinstance(work, Work):
                check(runner, work, self.case)
                with work.around():
                    self._calibrate(runner, work)
        return {"counts": {level: self._count(work) for level, work in self.works.items()}}

    def _calibrate(self, runner: asyncio.Runner, work: Work) -> None:
        self.counts[work.run] = calibrate(runner, work.run, self.case, self.seconds, work.settle)
        if work.bare not in self.counts:
            self.counts[work.bare] = calibrate(runner, work.bare, self.case, self.seconds, lambda: None)

    def _count(self, work: Work | Gauge) -> int:
        return self.counts[work.run] if isinstance(work, Work) else 1

    def round(self, runner: asyncio.Runner, seed: int) -> Row:
        """Take one sample of everything, in an order that the seed decides."""
        bares = {work.bare for work in self.works.values() if isinstance(work, Work)}
        order: list[Any] = [*bares, *self.works]
        random.Random(seed).shuffle(order)
        seen: dict[Any, Any] = {}
        for what in order:
            seen[what] = self._sample(runner, what)
        return {
            "samples": {
                level: row(seen[level], seen[work.bare]) if isinstance(work, Work) else gauged(seen[level])
                for level, work in self.works.items()
            }
        }

    def _sample(self, runner: asyncio.Runner, what: Any) -> Any:
        if callable(what):
            return take(runner, what, self.counts[what])
        work = self.works[what]
        if isinstance(work, Work):
            with work.around():
                return take(runner, work.run, self.counts[work.run], work.settle)
        if inspect.iscoroutinefunction(work.measure):
            return runner.run(work.measure())
        return work.measure()


def row(sample: Sample, bare: Sample) -> Row:
    """Return a sample and that of its bare path, in microseconds a unit."""
    return {
        "cpu": sample.unit_cpu,
        "wall": sample.unit_wall,
        "bare_cpu": bare.unit_cpu,
        "bare_wall": bare.unit_wall,
    }


def gauged(seen: float | Row) -> Row:
    """Return what a gauge measured: a figure of its own, or times as of a sample."""
    return seen if isinstance(seen, dict) else {"value": seen}


def answer(question: Row, bench: Callable[[], Bench], runner: asyncio.Runner) -> Row:
    """Return the answer to one question of the driver; what goes wrong is an answer, too."""
    try:
        if question["do"] == "load":
            bench()
            return {"ready": True}
        if question["do"] == "open":
            return bench().open(runner)
        return bench().round(runner, question["seed"])
    except ModuleNotFoundError as error:
        ours = str(error.name).partition(".")[0] in {"benchmarks", "sideband"}
        return {"failed" if ours else "missing": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is what the report shows of it
        return {"failed": f"{type(error).__name__}: {error}"}


def main(module: str, case: str, levels: str, seconds: str) -> None:
    """Answer until there are no more questions."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    made: list[Bench] = []

    def bench() -> Bench:
        if not made:
            made.append(
                Bench(module, CASES[case], [int(level) for level in levels.split(",")], float(seconds))
            )
        return made[0]

    with asyncio.Runner() as runner:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line), bench, runner)), file=answers)
    answers.flush()
    # Some libraries leave threads behind that would hold the process up.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
