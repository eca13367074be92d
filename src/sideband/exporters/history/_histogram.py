"""How often a quantity had which size, in classes of equal ratio. Knows nothing of the rest."""

from __future__ import annotations

import math
from typing import NamedTuple, final

__all__ = ["Bin", "Histogram"]

_A_DECADE = 5
_SMALLEST = 1e-6
_LAST = 15 * _A_DECADE - 1


@final
class Bin(NamedTuple):
    """One class: from `low` on, below `high`."""

    low: float
    high: float
    amount: int


@final
class Histogram:
    """Counts positive numbers in five classes a decade, from a millionth to a thousand million.

    Threads: one writes, several may read; `copy` for a consistent picture.
    Cost: under 1 µs a number; at most 75 counters.
    """

    __slots__ = ("_counts", "count", "total")

    def __init__(self) -> None:
        """Start empty."""
        self._counts: dict[int, int] = {}
        self.count: int = 0
        self.total: float = 0.0

    def add(self, number: float) -> None:
        """Count a number; one below a millionth, zero too, is counted in the lowest class, no number not at all."""
        if not math.isfinite(number):
            return
        place = int(math.log10(number / _SMALLEST) * _A_DECADE + 1e-9) if number > _SMALLEST else 0
        place = min(place, _LAST)
        self._counts[place] = self._counts.get(place, 0) + 1
        self.count += 1
        self.total += number

    @property
    def bins(self) -> tuple[Bin, ...]:
        """The classes from the lowest to the highest that has any, empty ones in between too."""
        if not self._counts:
            return ()
        first, last = min(self._counts), max(self._counts)
        return tuple(
            Bin(_low(place), _low(place + 1), self._counts.get(place, 0)) for place in range(first, last + 1)
        )

    @property
    def mean(self) -> float | None:
        """The mean of all numbers; None of none."""
        return self.total / self.count if self.count else None

    def quantile(self, part: float) -> float | None:
        """Return about the number below which a part of them is: within a class, so exact to a quarter or so."""
        wanted, below = part * self.count, 0
        for low, high, amount in self.bins:
            if amount and below + amount >= wanted:
                return low * math.pow(high / low, (wanted - below) / amount)
            below += amount
        return None

    def copy(self) -> Histogram:
        """Return one that does not change with this one."""
        made = Histogram()
        made._counts, made.count, made.total = dict(self._counts), self.count, self.total
        return made


def _low(place: int) -> float:
    return _SMALLEST * math.pow(10, place / _A_DECADE)
