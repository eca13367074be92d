"""Instructions executed, as valgrind counts them: the same on every run, whatever else the machine does.

Imports the standard library alone: what is counted runs in processes of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PATHS = Path(__file__).parent / "paths.py"
MARK = "getppid"
MARKS = 9
SECONDS = 300.0
"""Within which a path has been walked, or valgrind installed, even where the machine is busy."""

# Nothing else of the caller's environment: it changes what Python does, and where objects lie.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT / "src"), "LC_ALL": "C.UTF-8"}


class CountingError(RuntimeError):
    """A path could not be counted."""


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of one unit of a path."""

    watched: float
    bare: float
    yardstick: float
    """What one bare call of a coroutine function takes; for an import, `import asyncio`."""

    @property
    def cost(self) -> float:
        """What the path costs over its bare path, in yardsticks."""
        return (self.watched - self.bare) / self.yardstick


def valgrind() -> str | None:
    """Return where valgrind is; where it is not, install it if that takes no more than apt, as root."""
    found = shutil.which("valgrind")
    if found or not shutil.which("apt-get") or os.geteuid() != 0:
        return found
    print("Installing valgrind (once) …", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "valgrind"]):
        try:
            subprocess.run(
                ["apt-get", *command],
                check=False,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            print(f"apt-get {command[0]} took more than {SECONDS:g} s.")
    return shutil.which("valgrind")


def count_path(program: str, name: str, *, units: int, yardsticks: int) -> Count:
    """Walk a path under valgrind; between two marks it goes through so many units, and as many yardsticks."""
    totals = executed(program, [str(PATHS), name])
    if len(totals) != MARKS + 1:
        raise CountingError(f"{name} wrote {len(totals)} counts, not {MARKS + 1}.")
    return between_marks(totals, units, yardsticks)


def between_marks(totals: list[int], units: int, yardsticks: int) -> Count:
    """Make a count of what was executed up to each mark: of the yardstick, the bare path, the path."""
    yardstick, bare, watched = (
        totals[place + 2] - totals[place + 1] for place in range(0, MARKS, MARKS // 3)
    )
    return Count(watched / units, bare / units, yardstick / yardsticks)


def count_import(program: str) -> Count:
    """Import the package under valgrind, and asyncio as its yardstick."""
    nothing, asyncio, sideband = (
        sum(executed(program, ["-c", code])) for code in ("pass", "import asyncio", "import sideband")
    )
    return Count(sideband, nothing, asyncio - nothing)


def executed(program: str, arguments: list[str]) -> list[int]:
    """Run Python under valgrind, and return how many instructions it executed up to each mark, and after the last."""
    python = [sys.executable, "-S", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        options = ["-q", "--tool=callgrind", f"--callgrind-out-file={out}", f"--dump-before={MARK}"]
        try:
            ran = subprocess.run(
                [program, *options, *python],
                env=ENVIRONMENT,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise CountingError(f"{' '.join(python)} took more than {SECONDS:g} s under valgrind.") from exc
        if ran.returncode:
            raise CountingError(f"{' '.join(python)} failed under valgrind:\n{ran.stdout}{ran.stderr}")
        # The part after the last mark has no number.
        parts = sorted(out.parent.glob("out.*"), key=lambda part: int(part.suffix[1:]))
        return [total(part.read_text(encoding="utf-8")) for part in [*parts, out]]


def total(part: str) -> int:
    """Return the sum that stands in one of callgrind's files.

    Raises:
        CountingError: it has none.
    """
    found = re.search(r"^totals: (\d+)$", part, flags=re.MULTILINE)
    if found is None:
        raise CountingError("callgrind wrote no total.")
    return int(found[1])
