"""Writes what was measured into the documents, between their markers. It knows `report` and `plots`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.case import Case
from benchmarks.harness.plots import draw
from benchmarks.harness.report import document, groups, summary
from benchmarks.harness.systems import System
from benchmarks.harness.text import replace

ROOT = Path(__file__).parent.parent.parent


def publish(
    found: dict[str, Any], systems: Mapping[str, System], cases: Mapping[str, Case], root: Path
) -> None:
    """Write the tables into the page of benchmarks and the front page, and draw their pictures."""
    replace(root / "docs" / "benchmarks.md", "results", document(found, systems, cases))
    replace(root / "README.md", "benchmarks", summary(found, systems, cases))
    images = root / "docs" / "images"
    for group, members in groups(found, cases).items():
        draw(members, found, systems, images / f"bench-{group}")
    shown = [case for case in cases.values() if case.pictured and case.name in found["cases"]]
    draw(shown, found, systems, images / "bench")


def copy(root: Path) -> None:
    """Copy the pages that are written into to another folder, so that writing them can be tried there."""
    for page in ("README.md", "docs/benchmarks.md"):
        (root / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, root / page)
    (root / "docs" / "images").mkdir()
