"""Measure this project and its peers side by side: python -m benchmarks [GROUP or CASE …]. `make bench` runs it.

Each system has a process of its own. In every round each of them is asked once, in a fresh order, for one sample of the
case; figures are the least and the median over the rounds, over the bare path in the same process. What the handlers
have to see is counted before anything is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cases import CASES
from benchmarks.harness import report, results
from benchmarks.harness.case import Case
from benchmarks.harness.driver import Effort, Outcome, measure
from benchmarks.harness.publish import ROOT, copy, publish
from benchmarks.harness.systems import System, read_systems

OVERWRITE = "\r\033[K"


def main() -> int:
    """Measure, print, write; return 1 where a system failed."""
    options = parse()
    systems = read_systems()
    if options.render:
        publish(results.read(ROOT), systems, CASES, ROOT)
        return 0
    cases = chosen(options.what)
    effort = Effort(1, 0.002, quick=True) if options.quick else Effort(options.rounds, options.sample / 1000)
    started = time.monotonic()
    outcomes = asyncio.run(measure_all(cases, chosen_systems(systems, options.systems), effort))
    for name, outcome in outcomes.items():
        print("\n".join(report.terminal(CASES[name], outcome, systems)), "\n")
    print(f"{len(outcomes)} cases in {time.monotonic() - started:.0f} s")
    whole = not (options.what or options.systems)
    with TemporaryDirectory() as elsewhere:
        # A quick run shows that the documents can be written, too; its figures are not worth keeping.
        root = Path(elsewhere) if options.quick else ROOT
        if options.quick:
            copy(root)
        if options.quick or options.write or (whole and not options.no_write):
            results.write(outcomes, effort, systems, root, fresh=whole)
            publish(results.read(root), systems, CASES, root)
    return 1 if any(outcome.failed for outcome in outcomes.values()) else 0


def parse() -> argparse.Namespace:
    """Return the options."""
    groups = ", ".join(dict.fromkeys(case.group for case in CASES.values()))
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"groups ({groups}) or cases; default: all")
    parser.add_argument("--systems", default="", help="comma-separated; default: all")
    parser.add_argument(
        "--quick", action="store_true", help="see whether all of it runs; the figures mean little"
    )
    parser.add_argument("--rounds", type=int, default=Effort.rounds)
    parser.add_argument(
        "--sample", type=float, default=Effort.seconds * 1000, help="milliseconds of a sample"
    )
    parser.add_argument("--no-write", action="store_true", help="leave the documents as they are")
    parser.add_argument(
        "--write", action="store_true", help="write into the documents what a part of it gave"
    )
    parser.add_argument("--render", action="store_true", help="write the documents from the last results")
    return parser.parse_args()


def chosen(names: list[str]) -> list[Case]:
    """Return the cases that have these names, or are of groups that have."""
    known = {case.group for case in CASES.values()} | set(CASES)
    if unknown := set(names) - known:
        sys.exit(
            f"There is no group or case {', '.join(sorted(unknown))}. There are: {', '.join(sorted(known))}."
        )
    return [case for case in CASES.values() if not names or {case.name, case.group} & set(names)]


def chosen_systems(systems: dict[str, System], names: str) -> list[System]:
    """Return the systems of these names."""
    wanted = [name for name in names.split(",") if name]
    if unknown := set(wanted) - set(systems):
        sys.exit(f"There is no system {', '.join(sorted(unknown))}. There are: {', '.join(systems)}.")
    return [system for name, system in systems.items() if not wanted or name in wanted]


async def measure_all(cases: list[Case], systems: list[System], effort: Effort) -> dict[str, Outcome]:
    """Measure one case after the other, and say how far it is."""
    asked = [(case, [system for system in systems if case.name in system.cases]) for case in cases]
    asked = [(case, able) for case, able in asked if able]
    outcomes = {}
    for number, (case, able) in enumerate(asked, start=1):
        started = time.monotonic()
        lead = f"[{number}/{len(asked)}] {case.name}: {len(able)} systems"

        def tell(what: str, lead: str = lead, started: float = started) -> None:
            if sys.stderr.isatty():
                seconds = time.monotonic() - started
                print(f"{OVERWRITE}{lead}, {what}, {seconds:.0f} s", end="", file=sys.stderr, flush=True)

        outcomes[case.name] = outcome = await measure(case, able, effort, tell)
        print(
            f"{OVERWRITE if sys.stderr.isatty() else ''}{lead}, {time.monotonic() - started:.1f} s",
            file=sys.stderr,
            flush=True,
        )
        for kind, names in (("not installed", outcome.missing), ("FAILED", outcome.failed)):
            for name, why in names.items():
                print(f"    {name} {kind}: {why}", file=sys.stderr, flush=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
