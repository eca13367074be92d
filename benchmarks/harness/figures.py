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
    """Fit a straight line: return its value at 0, its slope, and how far the worst point is off, as a share of its value.

    A point far out counts no more than one near 0: what is made least is the sum of the squares of these shares.

    Raises:
        ValueError: a value is not greater than 0.
    """
    if any(y <= 0 for _, y in points):
        raise ValueError(f"a line through {points} has no shares: each value has to be greater than 0")
    weights = [1 / y**2 for _, y in points]
    whole = sum(weights)
    x_mean = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / whole
    y_mean = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / whole
    spread = sum(w * (x - x_mean) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    slope = sum(w * (x - x_mean) * (y - y_mean) for w, (x, y) in zip(weights, points, strict=True)) / spread
    start = y_mean - slope * x_mean
    return start, slope, max(abs(y - start - slope * x) / y for x, y in points)
