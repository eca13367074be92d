"""What a simulation is told of a model, and what it tells. Pure: knows no clock and no queue."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import final

from sideband.serving._settings import check_seconds

__all__ = ["CostModel", "Distribution", "Simulation"]

_MOST_VARIED = 100
_ALIKE = 1e-12
"""A squared coefficient of variation so small that items are alike."""


@final
@dataclass(frozen=True, slots=True)
class CostModel:
    """How long a model takes for a batch: `base + per_item * n` seconds for n items.

    ```python
    assert round(CostModel(0.005, 0.0002)(50), 6) == 0.015
    ```
    """

    base: float
    """Seconds that each batch costs, however few its items."""
    per_item: float = 0.0
    """Seconds that each item adds, on average."""
    variation: float = 0.0
    """How much items differ: the coefficient of variation of `per_item`, whose distribution is a gamma one.

    0 makes all items alike, 1 makes the costs exponential, more makes some few very dear.
    """

    def __post_init__(self) -> None:
        """Refuse what no model can be.

        Raises:
            TypeError: a value is no number.
            ValueError: a value is out of range, or a batch would cost nothing.
        """
        check_seconds("base", self.base)
        check_seconds("per_item", self.per_item)
        if isinstance(self.variation, bool) or not isinstance(self.variation, int | float):
            msg = f"variation must be a number, got {self.variation!r}"
            raise TypeError(msg)
        if not 0 <= self.variation <= _MOST_VARIED:
            msg = f"variation must be between 0 and {_MOST_VARIED}, got {self.variation!r}"
            raise ValueError(msg)
        if self.base + self.per_item <= 0:
            msg = "a batch must cost some time; base and per_item are both 0"
            raise ValueError(msg)

    def __call__(self, size: int) -> float:
        """Return the mean seconds of a batch of `size` items."""
        return self.base + self.per_item * size

    def draw(self, size: int, random: Random) -> float:
        """Return the seconds of one batch of `size` items."""
        scale = self.variation**2
        if scale < _ALIKE:
            return self(size)
        # A sum of gamma variables of one scale is a gamma variable itself.
        return self.base + self.per_item * random.gammavariate(size / scale, scale)


@final
class Distribution:
    """Seconds that were observed."""

    __slots__ = ("mean", "seconds")

    def __init__(self, seconds: Iterable[float]) -> None:
        """Sort them."""
        self.seconds: array[float] = array("d", sorted(seconds))
        """All of them, the smallest first."""
        self.mean: float = math.fsum(self.seconds) / len(self.seconds) if self.seconds else 0.0
        """Their mean; 0 if there are none."""

    def __len__(self) -> int:
        """Count them."""
        return len(self.seconds)

    def __eq__(self, other: object) -> bool:
        """Tell whether the same was observed."""
        return isinstance(other, Distribution) and self.seconds == other.seconds

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(tuple(self.seconds))

    def __repr__(self) -> str:
        """Show what is asked for most."""
        p50, p95, p99 = (self.percentile(percent) for percent in (50, 95, 99))
        return f"<Distribution of {len(self)}: p50={p50:.6g} p95={p95:.6g} p99={p99:.6g} s>"

    def percentile(self, percent: float) -> float:
        """Return the smallest observed value that so many percent do not exceed (the nearest rank).

        Args:
            percent: from 0, the smallest value, to 100, the greatest.

        Returns:
            Seconds; 0 if nothing was observed.

        Raises:
            ValueError: `percent` is out of range.
        """
        if not 0 <= percent <= 100:
            msg = f"percent must be between 0 and 100, got {percent!r}"
            raise ValueError(msg)
        if not self.seconds:
            return 0.0
        rank = math.ceil(len(self.seconds) * percent / 100)
        return self.seconds[max(rank, 1) - 1]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a simulated serving did, from its first item to the end of its last batch."""

    batch_size: int
    """The most items of a batch, as it was given."""
    batch_timeout: float
    """Seconds that an item waited for its batch to fill while a partition was free, as it was given."""
    partitions: int
    """How many batches were executed at a time, as it was given."""
    rate: float | None
    """Items a second that came; None where callers waited for their results before they sent more."""
    capacity: float
    """Items a second that the partitions can execute at most, in full batches."""
    duration: float
    """Seconds from the first arrival to the last result."""
    items: int
    """Items that were executed."""
    refused: int
    """Items for which there was no room in the queue."""
    batches: int
    """Batches that were executed."""
    busy: float
    """Seconds that batches took, all partitions together."""
    mean_waiting: float
    """How many items waited, averaged over time."""
    most_waiting: int
    """How many items waited at most."""
    latency: Distribution = field(repr=False)
    """Seconds from a call to its last result, one entry a call."""
    queue_time: Distribution = field(repr=False)
    """Seconds that items waited before their batch was executed, one entry an item."""

    @property
    def throughput(self) -> float:
        """Items a second that were executed."""
        return self.items / self.duration if self.duration else math.inf

    @property
    def mean_batch_size(self) -> float:
        """Items a batch."""
        return self.items / self.batches

    @property
    def fill(self) -> float:
        """The mean size of a batch as a part of `batch_size`: from 0 to 1."""
        return self.mean_batch_size / self.batch_size

    @property
    def utilisation(self) -> float:
        """The part of the time in which a partition was busy: from 0 to 1."""
        return self.busy / (self.partitions * self.duration) if self.duration else 0.0

    @property
    def overloaded(self) -> bool:
        """Whether items come at least as fast as they can be executed: then the queue grows without bound.

        Latencies are then those of this simulation's length, and greater in a longer one.
        """
        return self.rate is not None and self.rate >= self.capacity
