"""Guard what users pay for all the time: count the instructions of each path, and compare them with its bound.

    python -m benchmarks.guard                      every path
    python -m benchmarks.guard call-1 chunk-1       some of them
    python -m benchmarks.guard call-1 --profile     which functions a path spends its time in
    python -m benchmarks.guard call-1 --move        put its bound 8 % above what it costs now

A cost is what a path executes over its bare path, in multiples of one bare call of a coroutine function under the
same Python; an import's is in multiples of `import asyncio`. No clock is read: the same code has the same cost on
a busy machine. Ends with 0 where every path keeps its bound, 1 where one does not, 77 where nothing was compared.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.guard.counting import (
    ENVIRONMENT,
    ROOT,
    Count,
    CountingError,
    count_import,
    count_path,
    valgrind,
)
from benchmarks.guard.paths import PATHS, YARDSTICK, walk
from benchmarks.guard.verdicts import Verdict, bound_for, move_bounds, read_bounds, table

BOUNDS = Path(__file__).parent / "bounds.toml"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
IMPORT = "import"
SKIPPED = 77
"""What a check ends with that could not look, as automake has it."""

ADVICE = """
A path costs more than it may. To see where:  python -m benchmarks.guard PATH --profile
Compare with the code before the change; the count is the same on every run, so each instruction is the change's.
Where the change is worth its cost, move the bound and say why in the commit: python -m benchmarks.guard PATH --move"""


def main() -> int:
    """Count, compare, and say what came of it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.guard",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*PATHS, IMPORT]
    parser.add_argument("paths", nargs="*", metavar="PATH", help=f"one of: {', '.join(names)}")
    parser.add_argument("--move", action="store_true", help="put the bounds 8 %% above the costs")
    parser.add_argument("--profile", action="store_true", help="show the functions of a path instead")
    options = parser.parse_args()
    unknown = set(options.paths) - set(names)
    if unknown:
        parser.error(f"there is no path {', '.join(sorted(unknown))}; the paths are: {', '.join(names)}")
    chosen = options.paths or names
    if options.profile:
        return profile(chosen)
    bounds = read_bounds(BOUNDS.read_text(encoding="utf-8"), VERSION)
    if bounds is None and not options.move:
        print(f"SKIPPED: bounds.toml has no bounds for Python {VERSION}; --move writes them.")
        return SKIPPED
    program = valgrind()
    if program is None:
        print("SKIPPED: nothing was counted, since valgrind is not installed and could not be.")
        return SKIPPED
    try:
        counts = count(program, chosen)
    except CountingError as error:
        sys.exit(str(error))
    return compare(counts, bounds or {}, move=options.move)


def count(program: str, names: list[str]) -> dict[str, Count]:
    """Count the paths, as many at a time as there are processors."""
    # Once without valgrind, so that what is imported has been compiled.
    for code in ("import asyncio", "import sideband, sideband.graph, sideband.serving, sideband.generation"):
        subprocess.run([sys.executable, "-S", "-c", code], env=ENVIRONMENT, cwd=ROOT, check=True)
    tasks: dict[str, Callable[[], Count]] = {}
    for name in names:
        tasks[name] = (lambda: count_import(program)) if name == IMPORT else counting(program, name)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(tasks, pool.map(lambda task: task(), tasks.values()), strict=True))


def counting(program: str, name: str) -> Callable[[], Count]:
    """Return what counts a path."""
    path = PATHS[name]()
    return lambda: count_path(program, name, units=path.walks * path.units, yardsticks=YARDSTICK)


def compare(counts: dict[str, Count], bounds: dict[str, float], *, move: bool) -> int:
    """Print the verdicts, or move the bounds."""
    if move:
        costs = {name: count.cost for name, count in counts.items()}
        text = BOUNDS.read_text(encoding="utf-8")
        BOUNDS.write_text(move_bounds(text, VERSION, costs), encoding="utf-8")
        bounds |= {name: bound_for(cost) for name, cost in costs.items()}
    verdicts = [Verdict(name, count, bounds.get(name)) for name, count in counts.items()]
    print(table(verdicts))
    if all(verdict.passed for verdict in verdicts):
        return 0
    print(ADVICE)
    return 1


def profile(names: list[str]) -> int:
    """Print the functions in which the paths spend their time."""
    for name in names:
        if name == IMPORT:
            command = [sys.executable, "-X", "importtime", "-c", "import sideband"]
            subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, check=True)
            continue
        print(f"== {name}")
        with cProfile.Profile() as profiler:
            asyncio.run(walk(PATHS[name]()))
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    return 0


if __name__ == "__main__":
    sys.exit(main())
