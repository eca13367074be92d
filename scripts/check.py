"""Run every check that is no test, show what failed, and end with a table: scripts/check.py [NAME…]."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS: dict[str, list[str]] = {
    "lint": [sys.executable, "-m", "ruff", "check", "."],
    "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "mypy": [sys.executable, "-m", "mypy"],
    "pyright": [sys.executable, "-m", "pyright", "--warnings", "--pythonpath", sys.executable],
    "layers": [str(BIN / "lint-imports"), "--no-logo"],
    "text": [sys.executable, "scripts/check_text.py"],
    "package": [sys.executable, "scripts/check_package.py"],
    "docs": [sys.executable, "-m", "pytest", "-p", "no:randomly", "tests/docs"],
    "guard": [sys.executable, "-m", "benchmarks.guard"],
}
SKIPPED = 77
"""What a check ends with that could not look, since this machine lacks what it needs; it has said so."""


def main(names: list[str]) -> int:
    """Run the named checks, or all of them, and return how many failed."""
    unknown = set(names) - set(CHECKS)
    if unknown:
        sys.exit(f"There is no check {', '.join(sorted(unknown))}. The checks are: {', '.join(CHECKS)}.")
    results = {name: run(name, CHECKS[name]) for name in names or CHECKS}
    print()
    words = {0: "ok", SKIPPED: "SKIPPED"}
    for name, (code, seconds) in results.items():
        print(f"{name:10} {words.get(code, 'FAILED'):8} {seconds:6.1f} s")
    return sum(code not in words for code, _ in results.values())


def run(name: str, command: list[str]) -> tuple[int, float]:
    """Run one check and return its exit code and how many seconds it took."""
    print(f"== {name}", flush=True)
    started = time.perf_counter()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return code, time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
