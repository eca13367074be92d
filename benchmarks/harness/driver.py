"""Asks the systems of one case in turn, round after round, each in a process of its own, so that noise hits all alike.

It knows `case`, `systems` and `figures`, and the worker by its command line.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from benchmarks.harness.case import Case
from benchmarks.harness.figures import Row, figures
from benchmarks.harness.systems import System

# What some peers would otherwise do in the background, or ask for, in every process.
QUIET = {
    "HAYSTACK_TELEMETRY_ENABLED": "false",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "OPENAI_API_KEY": "unused",
    "BENTOML_DO_NOT_TRACK": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True)
class Effort:
    """How long a case is measured."""

    rounds: int = 15
    seconds: float = 0.02
    """Of one sample of times."""
    quick: bool = False

    def levels(self, case: Case) -> tuple[int, ...]:
        """Return the levels that are measured."""
        return case.quick or case.levels if self.quick else case.levels

    def rounds_of(self, case: Case) -> int:
        """Return how many rounds a case has."""
        return min(self.rounds, case.rounds or self.rounds)


@dataclass
class Outcome:
    """What came of one case."""

    systems: dict[str, dict[int, Row]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Systems whose library this environment does not have."""
    failed: dict[str, str] = field(default_factory=dict)


class LeftOutError(Exception):
    """A system gave no samples: it is missing, or it failed."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = reason
        super().__init__(f"{kind}: {reason}")


class Worker:
    """The process of one system."""

    def __init__(self, system: System, case: Case, levels: Sequence[int], seconds: float) -> None:
        self.name = system.name
        self._case = case
        self._command = [
            system.cases[case.name].module, case.name, ",".join(map(str, levels)), str(seconds),
        ]  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None
        self._errors: IO[bytes] | None = None

    async def start(self) -> None:
        """Start the process."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `stop`
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-m", "benchmarks.harness.worker", *self._command,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=self._errors,
            env=os.environ | QUIET, limit=1 << 24,
        )  # fmt: skip

    async def load(self) -> Row:
        """Start the process, and let it import what it needs."""
        await self.start()
        return await self.ask(do="load")

    async def ask(self, **question: Any) -> Row:
        """Return the answer to one question.

        Raises:
            LeftOutError: the system lacks its library, failed, ended, or did not answer in time.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(question).encode() + b"\n")
        try:
            async with asyncio.timeout(self._case.timeout):
                line = await process.stdout.readline()
        except TimeoutError:
            raise LeftOutError("failed", f"no answer within {self._case.timeout:g} s") from None
        answer: Row = json.loads(line) if line else {"failed": f"its process ended: {self._last_words()}"}
        for kind in ("missing", "failed"):
            if kind in answer:
                raise LeftOutError(kind, answer[kind])
        return answer

    async def stop(self) -> None:
        """End the process."""
        if (process := self._process) is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if self._errors is not None:
            self._errors.close()

    def _last_words(self) -> str:
        assert self._errors is not None
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "without a word"


async def measure(
    case: Case, systems: Sequence[System], effort: Effort, tell: Callable[[str], None], seed: int = 7
) -> Outcome:
    """Return the figures of one case."""
    outcome, samples = Outcome(), dict[str, list[Row]]()
    order, levels = random.Random(seed), effort.levels(case)
    # Where every sample has a process of its own, so has every level.
    shares = [[level] for level in levels] if case.fresh else [list(levels)]
    able = {
        system.name: [Worker(system, case, share, effort.seconds) for share in shares] for system in systems
    }
    try:
        tell("starting")
        if not case.fresh:
            await _open(able, outcome)
        for number in range(effort.rounds_of(case)):
            tell(f"round {number + 1} of {effort.rounds_of(case)}")
            turn = dict(order.sample(list(able.items()), len(able)))
            answers = await _each(
                turn, outcome, lambda worker: _sample(worker, case, order.randrange(1 << 30))
            )
            able = {name: workers for name, workers in able.items() if name in answers}
            for name, answer in answers.items():
                samples.setdefault(name, []).append(
                    {k: v for part in answer for k, v in part["samples"].items()}
                )
    finally:
        for workers in able.values():
            await _stop(workers)
    outcome.systems = {
        system.name: _figures(case, samples[system.name])
        for system in systems
        if system.name in samples and system.name not in outcome.failed
    }
    return outcome


async def _open(able: dict[str, list[Worker]], outcome: Outcome) -> None:
    """Let all import what they need, then check and calibrate one after the other."""
    # Imports take most of the time; side by side they disturb nothing that is measured.
    loading = {name: asyncio.create_task(worker.load()) for name, [worker] in able.items()}
    await asyncio.wait(loading.values())
    await _each(able, outcome, lambda worker: loading[worker.name])
    await _each(able, outcome, lambda worker: worker.ask(do="open"))


def _figures(case: Case, rounds: Sequence[Row]) -> dict[int, Row]:
    return {int(level): figures(case, [samples[level] for samples in rounds]) for level in rounds[0]}


async def _sample(worker: Worker, case: Case, seed: int) -> Row:
    """Ask for one round, of a new process where the case wants that."""
    if not case.fresh:
        return await worker.ask(do="round", seed=seed)
    try:
        await worker.load()
        await worker.ask(do="open")
        return await worker.ask(do="round", seed=seed)
    finally:
        await worker.stop()


async def _stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        await worker.stop()


async def _each(
    able: dict[str, list[Worker]], outcome: Outcome, do: Callable[[Worker], Any]
) -> dict[str, list[Row]]:
    """Do something with one worker after the other, take out the systems that cannot, and return the answers."""
    answers = {}
    for name, workers in list(able.items()):
        try:
            answers[name] = [await do(worker) for worker in workers]
        except LeftOutError as error:
            (outcome.missing if error.kind == "missing" else outcome.failed)[name] = error.reason
            await _stop(workers)
            del able[name]
    return answers
