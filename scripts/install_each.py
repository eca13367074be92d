"""Install what a lock file pins one package after the other, and name those that this Python cannot have.

    python scripts/install_each.py PYTHON LOCK

For an environment of several libraries that do not need each other: where one of them has no build for this Python or
this system, the others are still there.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path


def main(python: str, lock: str) -> None:
    """Install all that can be installed."""
    missing = [entry.split()[0] for entry in entries(Path(lock)) if not install(python, entry)]
    if missing:
        print(f"Not to be had on this Python: {', '.join(missing)}.", flush=True)


def entries(lock: Path) -> list[str]:
    """Return the requirements of a lock, each with its hashes."""
    text = "\n".join(
        line for line in lock.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    return [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip()]


def install(python: str, entry: str) -> bool:
    """Install one requirement without what it depends on, which is in the lock, too."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirement.txt"
        file.write_text(entry, encoding="utf-8")
        options = [
            "--disable-pip-version-check",
            "install",
            "-qqq",
            "--no-deps",
            "--require-hashes",
            "-r",
            str(file),
        ]
        return subprocess.run([python, "-m", "pip", *options], check=False).returncode == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
