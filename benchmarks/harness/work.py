"""What a system hands to the harness: work that is timed, or a gauge that measures for itself. It knows nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any


class Counter:
    """How many events the handlers have seen: the one thing that every handler does."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = 0


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Work:
    """One path of one system at one level, and the same path without the system."""

    run: Callable[[int], Any]
    """Does so many units; a function or a coroutine function. Where it returns a number, that is how many units its
    consumer saw, and has to be the same."""
    bare: Callable[[int], Any]
    """The same units as the program would do them without the system."""
    counter: Counter = field(default_factory=Counter)
    events: int | Callable[[int], int] = 0
    """How many events the handlers see, together: of a unit, or of a run of so many units."""
    settle: Callable[[], object] = nothing
    """Waits until the handlers have seen everything. It counts as CPU time, but not as time that the caller waits."""
    keep: object = None
    """Whatever has to live as long as the work does, such as handlers that are held weakly."""
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    """Entered around every sample, outside the clock: switches of the whole process."""

    def expected(self, count: int) -> int:
        """Return how many events a run of `count` units has to give."""
        return self.events(count) if callable(self.events) else self.events * count


@dataclass(frozen=True)
class Gauge:
    """A figure that is no time of a unit: memory, a share, a latency."""

    measure: Callable[[], Any]
    """Returns the figure, in the case's unit; or times as a row, as the harness makes one of a sample. A function or a
    coroutine function."""
