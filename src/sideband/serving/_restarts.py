"""When a worker process that died may be started again. Pure: every time is given by the caller.

1. The first replacement comes at once. Each further death without a batch done in between doubles the
   wait before the next: 0.1 s, 0.2 s, ... 30 s.
2. A batch that is done sets the count back.
3. Workers are started for batches, never by a timer: an idle serving starts nothing.
"""

from __future__ import annotations

from typing import final

__all__ = ["LONGEST", "Restarts"]

FIRST = 0.1
"""Seconds before the second replacement."""

LONGEST = 30.0
"""Seconds before any further one."""


@final
class Restarts:
    """The deaths of one partition's workers since its last success."""

    __slots__ = ("_not_before", "deaths")

    def __init__(self) -> None:
        """Start without a death."""
        self.deaths = 0
        self._not_before = 0.0

    def died(self, now: float) -> None:
        """Count a worker that died or did not come up."""
        self.deaths += 1
        if self.deaths > 1:
            # The exponent is bounded: a power of many thousands of deaths would be no float.
            self._not_before = now + min(LONGEST, FIRST * 2 ** min(self.deaths - 2, 10))

    def succeeded(self) -> None:
        """Forget what was: a batch is done."""
        self.deaths = 0
        self._not_before = 0.0

    def wait(self, now: float) -> float:
        """Return how many seconds are left until a worker may be started."""
        return max(0.0, self._not_before - now)
