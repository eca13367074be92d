"""Pictures of the figures: a group of cases each, as SVG and PNG. It knows `case`, `systems`, `figures` and matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from benchmarks.harness.case import Case
from benchmarks.harness.figures import Row, headline, line
from benchmarks.harness.report import OWN, number, rank, unit
from benchmarks.harness.systems import System
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# A page of its own, light, so that the pictures are read alike on light and on dark pages.
PAPER, INK, FAINT = "#ffffff", "#1f2328", "#8b949e"
OWN_SHADES = ("#9ec9f5", "#4593e8", "#0b57b0")
PEER_SHADES = ("#dfe3e8", "#b5bcc6", "#7d8793")
# What is less than this is nothing, and no reason for a scale that shows it.
LOST = 0.01
TARGET = "#d1242f"
LINES = ("#b5651d", "#5a7d3a", "#8a5aa8", "#b0455a", "#3d8b8b", "#7d8793")
STYLE: dict[str, Any] = {
    "figure.facecolor": PAPER, "axes.facecolor": PAPER, "savefig.facecolor": PAPER,
    "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": FAINT,
    "axes.spines.top": False, "axes.spines.right": False, "font.size": 8, "axes.titlesize": 9,
    "axes.titlelocation": "left", "font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "sideband",
}  # fmt: skip

Rows = Mapping[str, Mapping[int, Row]]
Panel = Callable[[Axes, Case, Rows, Mapping[str, System]], None]


def draw(
    cases: Sequence[Case],
    found: Mapping[str, Any],
    systems: Mapping[str, System],
    where: Path,
    width: int = 2,
) -> None:
    """Draw cases beside each other, so many in a row, and write the picture with the endings .svg and .png.

    A case that is a line has two panels: this project alone, on scales that show a straight line as one; and all systems.
    """
    panels: list[tuple[Panel, Case, Rows]] = []
    for case in cases:
        rows: Rows = found["cases"][case.name]["systems"]
        if case.line:
            own = {name: row for name, row in rows.items() if name == OWN}
            panels += [(_straight, case, own)] if own else []
        # One bar alone says no more than its figure.
        panels += [(_lines if case.line else _bars, case, rows)] if len(rows) > 1 else []
    if not panels:
        return
    width = min(width, len(panels))
    lines = [panels[first : first + width] for first in range(0, len(panels), width)]
    inches = [max(1.0 + max(0.3 * len(rows), 1.4) for _, _, rows in members) for members in lines]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4 * width, sum(inches)), layout="constrained")
        grid = figure.subplots(len(lines), width, squeeze=False, height_ratios=inches)
        for members, axes in zip(lines, grid, strict=True):
            for (panel, case, rows), axis in zip(members, axes, strict=False):
                panel(axis, case, rows, systems)
            for axis in axes[len(members) :]:
                axis.set_visible(False)
        for ending, metadata in (("svg", {"Date": None}), ("png", None)):
            figure.savefig(where.with_suffix(f".{ending}"), dpi=120, metadata=metadata)


def _bars(axis: Axes, case: Case, rows: Rows, systems: Mapping[str, System]) -> None:
    """Draw a bar for every level of every system, the best system uppermost, with a mark at each target."""
    levels = sorted({level for row in rows.values() for level in row})
    values = {
        name: {level: headline(case, row)[0] for level, row in row.items()} for name, row in rows.items()
    }
    order = sorted(rows, key=lambda name: rank(case, rows[name]), reverse=True)
    least = _scale(axis, [value for row in values.values() for value in row.values()])
    thick, near = 0.84 / len(levels), 3.0 if axis.get_xscale() == "log" else 1.3
    for place, name in enumerate(order):
        for number_of, level in enumerate(levels):
            if level in values[name]:
                y, value = place + 0.42 - thick * (number_of + 0.5), values[name][level]
                axis.barh(
                    y, max(value, least), height=thick * 0.94, color=_shade(name, number_of, len(levels))
                )
                ends = [max(value, least)]
                if name == OWN and (target := case.targets.get(level)):
                    axis.plot([target] * 2, [y - thick / 2, y + thick / 2], color=TARGET, linewidth=1.5)
                    # The label stands behind a mark that it would otherwise cover.
                    ends += [target] if value < target < value * near else []
                axis.annotate(f" {number(value)}", (max(ends), y), va="center", fontsize=6)
    axis.set_yticks(range(len(order)), [systems[name].title for name in order])
    for label, name in zip(axis.get_yticklabels(), order, strict=True):
        label.set_fontweight("bold" if name == OWN else "normal")
    which = (
        f"\n{case.level}, downwards: {', '.join(f'{level:,}' for level in levels)}" if len(levels) > 1 else ""
    )
    mark = "; red: target" if case.targets else ""
    axis.set(title=case.title, xlabel=f"{unit(case)}{which}{mark}")


def _shade(name: str, place: int, levels: int) -> str:
    shades = OWN_SHADES if name == OWN else PEER_SHADES
    return shades[-1] if levels == 1 else shades[min(place, len(shades) - 1)]


def _scale(axis: Axes, values: Sequence[float]) -> float:
    """Choose the scale that shows all values with room for their labels, and return the least that it can show."""
    positive = [value for value in values if value > LOST] or [1.0]
    most = max(positive)
    if most < 30 * min(positive):
        axis.set_xlim(0, most * 1.2)
        return 0.0
    floor = max(min(positive), most / 1e5) / 2
    axis.set_xscale("log")
    axis.set_xlim(floor, most * (most / floor) ** 0.15)
    return floor * 1.1


def _straight(axis: Axes, case: Case, rows: Rows, systems: Mapping[str, System]) -> None:
    """Draw this project's growth, and the straight line that fits it best."""
    points = _points(case, rows[OWN])
    axis.plot(*zip(*points, strict=True), "o", markersize=4, color=OWN_SHADES[-1])
    axis.set(title=case.title, xlabel=case.level, ylabel=case.unit)
    if _wide(case):
        axis.set(xscale="log", yscale="log")
    # A figure over the bare path may be lost in the noise, and is no point of a line then.
    fitted = [(x, y) for x, y in points if x >= case.straight_from and y > 0]
    if len(fitted) < 2:
        return
    start, slope, off = line(fitted)
    first, last = fitted[0][0], fitted[-1][0]
    xs = [first * (last / first) ** (step / 50) for step in range(51)] if _wide(case) else [first, last]
    axis.plot(xs, [start + slope * x for x in xs], color=FAINT, linewidth=1.2, zorder=0)
    says = f"{systems[OWN].title}, and the straight line of {number(slope)} µs for each:\noff by {off:.0%} at most"
    axis.text(0.03, 0.95, says, transform=axis.transAxes, va="top", fontsize=7)


def _lines(axis: Axes, case: Case, rows: Rows, systems: Mapping[str, System]) -> None:
    """Draw the growth of every system."""
    for place, (name, row) in enumerate(rows.items()):
        colour = OWN_SHADES[-1] if name == OWN else LINES[place % len(LINES)]
        points = zip(*_points(case, row), strict=True)
        axis.plot(*points, "o-", markersize=3, linewidth=1.2, color=colour, label=systems[name].title)
    axis.set_yscale("log")
    if _wide(case):
        axis.set_xscale("log")
    axis.set(title=f"{case.title}: all", xlabel=case.level, ylabel=case.unit)
    axis.legend(frameon=False, fontsize=7)


def _points(case: Case, row: Mapping[int, Row]) -> list[tuple[float, float]]:
    return [(level, headline(case, row[level])[0]) for level in sorted(row)]


def _wide(case: Case) -> bool:
    """Tell whether the levels are spread over orders of magnitude."""
    return max(case.levels) >= 1000 * max(min(case.levels), 1)
