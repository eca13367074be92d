"""The results of the last run, as a file in the documents. It knows `driver`'s outcomes and `machine`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness.driver import Effort, Outcome
from benchmarks.harness.machine import machine
from benchmarks.harness.systems import System

FILE = "docs/benchmarks.json"
DIGITS = 4
COMMAND = "make bench"


def read(root: Path) -> dict[str, Any]:
    """Return the last results; levels are numbers."""
    found: dict[str, Any] = json.loads((root / FILE).read_text(encoding="utf-8"))
    for case in found["cases"].values():
        for name, levels in case["systems"].items():
            case["systems"][name] = {int(level): row for level, row in levels.items()}
    return found


def write(
    outcomes: Mapping[str, Outcome],
    effort: Effort,
    systems: Mapping[str, System],
    root: Path,
    *,
    fresh: bool,
) -> None:
    """Write the results; those of a part take the place of the same cases in what there was."""
    file = root / FILE
    former = {} if fresh or not file.exists() else json.loads(file.read_text(encoding="utf-8"))["cases"]
    where = machine()
    new = {name: rounded(asdict(outcome)) | {"date": where["date"]} for name, outcome in outcomes.items()}
    found = {
        "machine": where,
        "command": COMMAND,
        "effort": asdict(effort),
        "versions": {name: system.version for name, system in systems.items() if system.version},
        "cases": former | new,
    }
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Return results without the digits that mean nothing."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value
