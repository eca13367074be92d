"""Writes what was measured into the documents, between their markers. It knows `report`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.case import Case
from benchmarks.harness.report import document
from benchmarks.harness.systems import System

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


def publish(found: dict[str, Any], systems: Mapping[str, System], cases: Mapping[str, Case]) -> None:
    """Write the tables into their page."""
    replace(PAGE, "results", document(found, systems, cases))


def replace(page: Path, name: str, text: str) -> None:
    """Put a text between a page's markers of a name.

    Raises:
        ValueError: the page has no such markers.
    """
    before = page.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
    after, found = between.subn(lambda match: match[1] + text.strip() + match[2], before)
    if found != 1:
        raise ValueError(
            f"{page} needs the markers <!-- {name} --> and <!-- end of {name} --> once, has them {found} times"
        )
    page.write_text(after, encoding="utf-8")
