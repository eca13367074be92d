"""From samples to figures: least and median over the bare path. Pure, and knows `case` alone."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.harness.case import Case

Row = dict[str, Any]


def figures(case: Case, samples: Sequence[Row]) -> Row:
    """Return the figures of one system at one level, from its samples of every round."""
    if "value" in samples[0]:
        values = [sample["value"] for sample in samples]
        best = min(values) if case.better == "less" else max(values)
        return {"best": best, "median": statistics.median(values), "rounds": len(values)}
    return {
        **{
            f"{clock}_{name}": value
            for clock in ("cpu", "wall")
            for name, value in _clock(case, samples, clock).items()
        },
        "rounds": len(samples),
    }


def _clock(case: Case, samples: Sequence[Row], clock: str) -> Row:
    """Return the least and the median, over the bare path of the same process."""
    times = [sample[clock] for sample in samples]
    bares = [sample[f"bare_{clock}"] for sample in samples]
    pairs = list(zip(times, bares, strict=True))
    if case.figure == "ratio":
        return {
            "min": min(times) / min(bares),
            "median": statistics.median(time / bare for time, bare in pairs),
            "bare": min(bares),
        }
    return {
        "min": min(times) - min(bares),
        "median": statistics.median(time - bare for time, bare in pairs),
        "bare": min(bares),
    }


def headline(case: Case, row: Row) -> tuple[float, float]:
    """Return what tables and plots show first, and in brackets: the least time or the best of a gauge, and the median.

    It is the other way round where a case is judged by its median.
    """
    if "best" in row:
        return (row["median"], row["best"]) if case.median else (row["best"], row["median"])
    return row[f"{case.clock}_min"], row[f"{case.clock}_median"]


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Fit a straight line: return its value at 0, its slope, and the share of the variation that it explains (R²)."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    slope, intercept = statistics.linear_regression(xs, ys)
    total = sum((y - statistics.fmean(ys)) ** 2 for y in ys)
    rest = sum((y - intercept - slope * x) ** 2 for x, y in points)
    return intercept, slope, 1 - rest / total if total else 1.0
