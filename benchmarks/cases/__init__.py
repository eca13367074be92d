"""The cases by name, in the report's order. Each file is one group or a few that belong together."""

from __future__ import annotations

from benchmarks.cases import hooks, serving
from benchmarks.harness.case import Case

CASES: dict[str, Case] = {case.name: case for module in (hooks, serving) for case in module.CASES}
