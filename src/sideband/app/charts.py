"""Pictures of a comparison: bars on a terminal, lines in an SVG file. May import the serving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import leather
from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from sideband.app.quantities import shown_seconds, told_seconds
from sideband.app.screen import write_picture
from sideband.serving import Simulation

__all__ = ["latency_bars", "save_chart"]

_WIDTH, _HEIGHT = 900, 500
_LETTER = 10
"""How wide a letter of the heading is, or less."""


def latency_bars(found: Sequence[Simulation], best: Simulation) -> Table:
    """Return a bar for each simulation, from the median of its latencies to their 99th percentile."""
    steady = [one.latency.percentile(99) for one in found if not one.overloaded]
    end = max(steady, default=0.0)
    chart = Table(
        title="\nlatency, from the median to the 99th percentile", title_style="bold", title_justify="left",
        box=None, padding=(0, 1), expand=True, show_header=False,
    )  # fmt: skip
    chart.add_column(justify="right", no_wrap=True)
    chart.add_column(justify="right", no_wrap=True)
    chart.add_column(ratio=1, no_wrap=True)
    for one in found:
        style = "green" if one is best else "cyan"
        low, high = one.latency.percentile(50), one.latency.percentile(99)
        # A bar of no width is not seen.
        bar = Bar(end, min(low, high - end / 100), high, color=style)
        chart.add_row(
            Text(str(one.batch_size), style="bold" if one is best else ""),
            Text(told_seconds(one.batch_timeout), style="bold" if one is best else ""),
            Text("grows without bound", style="red") if one.overloaded else bar,
        )
    axis = Table.grid(expand=True)
    for justify in ("left", "center", "right"):
        axis.add_column(justify=justify, ratio=1)
    axis.add_row("0", shown_seconds(end / 2), shown_seconds(end), style="dim")
    chart.add_row("", "", axis if steady else "")
    return chart


def save_chart(path: Path, found: Sequence[Simulation], title: str) -> None:
    """Draw the 95th percentile of the latencies over the batch sizes, or over the timeouts of a single size.

    Where the queue grows without bound there is no latency to be drawn.

    Args:
        path: the file.
        found: of which one at least is not overloaded.
        title: what was simulated.

    Raises:
        PictureError: the file cannot be written.
    """
    labels, lines = _lines(found)
    over = "batch size" if len({one.batch_size for one in found}) > 1 else "batch timeout"
    heading = f"p95 latency in ms: {title}"
    chart: Any = leather.Chart(heading)
    chart.add_x_scale(0, len(labels) + 1)
    chart.add_y_scale(0, max(y for points in lines.values() for _, y in points))

    def label(place: int, *_: object) -> str:
        return labels[place - 1]

    chart.add_x_axis(ticks=list(range(1, len(labels) + 1)), tick_formatter=label, name=over)
    for name, points in lines.items():
        if len(points) > 1:
            chart.add_line(points, name=name, width=2)
        elif points:  # a line of one point is not seen
            chart.add_dots(points, name=name, radius=4)
    drawn: str = chart.to_svg(width=max(_WIDTH, _LETTER * len(heading)), height=_HEIGHT)
    write_picture(path, drawn.encode())


def _lines(found: Sequence[Simulation]) -> tuple[list[str], dict[str, list[tuple[int, float]]]]:
    """Return what stands on the axis, at 1, 2, ..., and of each line the points there."""
    sizes = sorted({one.batch_size for one in found})
    timeouts = sorted({one.batch_timeout for one in found})
    over_sizes = len(sizes) > 1
    labels = [str(size) for size in sizes] if over_sizes else [told_seconds(timeout) for timeout in timeouts]
    lines: dict[str, list[tuple[int, float]]] = {}
    for one in sorted(found, key=lambda one: (one.batch_size, one.batch_timeout)):
        if over_sizes:
            name, place = f"timeout {told_seconds(one.batch_timeout)}", sizes.index(one.batch_size) + 1
        else:
            name, place = f"batch size {one.batch_size}", timeouts.index(one.batch_timeout) + 1
        points = lines.setdefault(name, [])
        if not one.overloaded:
            points.append((place, 1000 * one.latency.percentile(95)))
    return labels, lines
