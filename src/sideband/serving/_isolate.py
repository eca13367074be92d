"""Which items are executed together once more after their batch failed. Pure: waits for nothing.

1. A batch of several items that failed is divided in the middle, and each half is executed by itself. A
   half that fails is divided again, until an item fails alone: that error is its own.
2. Halves wait behind the halves of earlier failures. So the good half of a batch is done before the bad
   one is divided further, and one bad item never fails more than ceil(log2 n) batches in a row.
3. An item in a batch of n items is executed at most 1 + ceil(log2 n) times, a batch makes at most 2 n - 1
   executions. Items whose callers have gone are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self, TypeVar

from sideband.runs import RunLink
from sideband.serving._parts import Part

__all__ = ["Attempt", "Divisible", "halves"]


class Attempt(NamedTuple):
    """Parts that are to be executed together."""

    parts: list[Part]
    number: int = 1
    """Which execution of these items it is, from 1."""
    previous: RunLink | None = None
    """The Batch run of the execution that failed, if somebody watches it."""

    def staying(self) -> list[Part]:
        """Return the parts that somebody still waits for."""
        return staying(self.parts)


class Divisible(Protocol):
    """What dividing needs of a part."""

    @property
    def size(self) -> int:
        """The number of its items."""
        ...

    def staying(self) -> Self | None:
        """Return what somebody still waits for of it."""
        ...

    def piece(self, start: int, count: int, arrived: float) -> Self:
        """Return some of its items as a part of their own, which waits since `arrived`."""
        ...


D = TypeVar("D", bound=Divisible)


def staying(parts: Sequence[D]) -> list[D]:
    """Return what somebody still waits for."""
    return [left for part in parts if (left := part.staying()) is not None]


def halves(parts: Sequence[D], now: float) -> list[list[D]]:
    """Divide what somebody waits for of a failed batch of several items: into two parts, or one, or none."""
    waited_for = staying(parts)
    total = sum([part.size for part in waited_for])
    room = (total + 1) // 2
    first: list[D] = []
    second: list[D] = []
    for part in waited_for:
        taken = min(room, part.size)
        room -= taken
        if taken:
            first.append(part.piece(0, taken, now))
        if taken < part.size:
            second.append(part.piece(taken, part.size - taken, now))
    return [half for half in (first, second) if half]
