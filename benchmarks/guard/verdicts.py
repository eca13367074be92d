"""Bounds and verdicts: pure, imports the standard library and what a count is."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.guard.counting import Count

MARGIN, LEAST_MARGIN = 0.08, 0.08
"""How much above its cost a bound is put: a share of it, and no less than so much.

Two builds of one version of Python, with profile-guided optimisation and without, were 7 % apart.
"""
LOOSE = 0.9
"""A bound calls to be moved where today's would be below this share of it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one path costs, and what it may."""

    path: str
    count: Count
    bound: float | None

    @property
    def cost(self) -> float:
        """What it costs over its bare path, in yardsticks."""
        return self.count.cost

    @property
    def passed(self) -> bool:
        """Whether the path has a bound and is not above it."""
        return self.bound is not None and self.cost <= self.bound

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        if self.bound is None:
            return "NO BOUND"
        if not self.passed:
            return f"TOO DEAR by {self.cost / self.bound - 1:.1%}"
        return "ok" if bound_for(self.cost) >= LOOSE * self.bound else "ok, bound is loose"


def read_bounds(text: str, version: str) -> dict[str, float] | None:
    """Return each path's bound under a version of Python; None where no bounds are known for it.

    Raises:
        ValueError: a bound is no positive number.
    """
    found: dict[str, float] | None = tomllib.loads(text).get(version)
    if found is None:
        return None
    for path, bound in found.items():
        if not isinstance(bound, int | float) or isinstance(bound, bool) or not 0 < bound < math.inf:
            raise ValueError(f"The bound of {path} is {bound!r}; it has to be a positive number.")
    return found


def bound_for(cost: float) -> float:
    """Return the bound that a cost of today calls for, in hundredths."""
    cost = max(cost, 0.0)
    return math.ceil(round((cost + max(MARGIN * cost, LEAST_MARGIN)) * 100, 6)) / 100


def move_bounds(text: str, version: str, costs: Mapping[str, float]) -> str:
    """Return the text with the bounds of these paths moved to their costs; the rest of it stays as it is."""
    header = f'["{version}"]\n'
    if header not in text:
        text = f"{text.rstrip()}\n\n{header}"
    before, _, after = text.partition(header)
    lines, next_table, rest = after.partition("\n[")
    for path, cost in costs.items():
        line = f"{path} = {bound_for(cost):.2f}"
        lines, moved = re.subn(rf"^{re.escape(path)} = .*$", line, lines, flags=re.MULTILINE)
        if not moved:
            lines = f"{lines.rstrip()}\n{line}\n".lstrip()
    return before + header + lines + next_table + rest


def table(verdicts: list[Verdict]) -> str:
    """Return the verdicts as a table: instructions of a unit, without the library and with it, and the cost."""
    rows = [f"{'path':<14} {'bare':>10} {'watched':>10} {'cost':>7} {'bound':>7}  verdict"]
    for verdict in verdicts:
        count, bound = verdict.count, "" if verdict.bound is None else f"{verdict.bound:.2f}"
        rows.append(
            f"{verdict.path:<14} {count.bare:10,.0f} {count.watched:10,.0f} {verdict.cost:z7.2f} {bound:>7}"
            f"  {verdict.word}"
        )
    return "\n".join(rows)
