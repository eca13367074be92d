"""Simulations of different limits on the same traffic, and which of them is best. May import the serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from sideband.serving import Distribution, Simulation

__all__ = ["Choice", "choose", "rows"]

_ALIKE = 1.01
"""By less than this factor latencies and throughputs do not differ: chance alone makes as much of a difference."""


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """The best of some simulations."""

    index: int
    """Its place among them."""
    reason: str
    """Why it is the best."""


def choose(found: Sequence[Simulation]) -> Choice:
    """Choose the quickest of those that keep up with their rate, or what gets most done where none does.

    Of those that are alike it is the one with the shortest timeout, then that with the smallest batches.

    Args:
        found: at least one.
    """
    keeping_up = [one for one in found if not one.overloaded and not one.refused]
    if found[0].rate is None or not keeping_up:
        most = max(one.throughput for one in found)
        alike = [one for one in found if one.throughput * _ALIKE >= most]
        reason = "the most items a second" + ("" if found[0].rate is None else ", though it does not keep up")
    else:
        least = min(map(_p95, keeping_up))
        alike = [one for one in keeping_up if _p95(one) <= least * _ALIKE]
        reason = "the lowest p95 latency" + (
            "" if len(keeping_up) == len(found) else " of those that keep up"
        )
    if len(alike) > 1:
        reason += f"; of {len(alike)} alike, the shortest timeout, then the smallest batches"
    best = min(alike, key=lambda one: (one.batch_timeout, one.batch_size))
    return Choice(next(index for index, one in enumerate(found) if one is best), reason)


def _p95(one: Simulation) -> float:
    return one.latency.percentile(95)


def rows(found: Sequence[Simulation]) -> list[dict[str, Any]]:
    """Return simulations as JSON has them, in seconds and items a second."""
    return [
        {
            "batch_size": one.batch_size,
            "batch_timeout": one.batch_timeout,
            "throughput": one.throughput,
            "latency": _row(one.latency),
            "queue_time": _row(one.queue_time),
            "mean_batch_size": one.mean_batch_size,
            "fill": one.fill,
            "utilisation": one.utilisation,
            "capacity": one.capacity,
            "overloaded": one.overloaded,
            "items": one.items,
            "refused": one.refused,
            "batches": one.batches,
            "duration": one.duration,
            "mean_waiting": one.mean_waiting,
            "most_waiting": one.most_waiting,
        }
        for one in found
    ]


def _row(observed: Distribution) -> dict[str, float]:
    percentiles = {f"p{percent}": observed.percentile(percent) for percent in (50, 95, 99)}
    return {"mean": observed.mean, **percentiles, "max": observed.percentile(100)}
