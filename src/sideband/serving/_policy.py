"""Who may wait, and when which batch is cut. Pure: no clock, no lock, no I/O; every time is given by the caller.

1. At most `max_queue` items wait in the queue. Parts that come when it is full are refused, or stand in
   line for it: first come, first served, whatever their key and priority. A part enters whole.
2. A batch is due when its items fill it (`batch_size`, `max_cost`), when its oldest item has waited for
   `batch_timeout` seconds, or when nothing more can come: the queue is full, or closed.
3. A batch is cut only when a partition is free. Until then it keeps growing, up to its limits; what is
   over waits for the next one, its time counted from its own oldest item.
4. Which items are in a batch, and in what order: see `_lane.py`. Whose turn it is among keys: `_lanes.py`.
5. From its deadline on a part is not executed. A deadline makes no batch due earlier.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from sideband.serving._lane import Lane, Limits, Part
from sideband.serving._lanes import Lanes

__all__ = ["BatchPolicy"]

_FEW = 64
"""Deadlines of parts that wait no more and may be kept, however little waits."""

P = TypeVar("P", bound=Part)


class BatchPolicy(Generic[P]):
    """What waits, and the batches that are due among it.

    To drive it, keep a clock that does not go back, and count the partitions that are free. When parts
    come, `offer` them; when their caller goes, `remove` them. Then, and when a partition becomes free, and
    when the time is `due()`: `cut(now, free)` gives the batches to execute, one for a partition, and
    `expired()` the parts that will not be executed any more. In virtual time:

    ```python
    policy = BatchPolicy(Limits(batch_size=32, batch_timeout=0.005))
    policy.offer([part])
    while (due := policy.due()) is not None:
        now = max(now, due, first_free(partitions))
        for batch in policy.cut(now, free(partitions)):
            ...
    ```
    """

    __slots__ = (
        "_closed", "_count", "_expired", "_expiring", "_line", "gate", "growing", "in_line", "limits", "queue",
    )  # fmt: skip

    def __init__(self, limits: Limits, *, keyed: bool = False) -> None:
        """Start empty.

        Args:
            limits: by what batches are cut.
            keyed: whether parts have keys; otherwise all count as one.
        """
        self.limits = limits
        self.queue: Lane[P] | Lanes[P] = Lanes(limits) if keyed else Lane(limits)
        """What waits to be executed; while it is shorter than `gate`, a driver may tell it that a part has grown."""
        self.gate = limits.max_queue
        """How many items may wait in the queue; 0 while parts stand in line, and after `close`."""
        self.growing: dict[Hashable, P] = {}
        """Parts that may grow, by their marks; none once anything else is added, taken out or cut."""
        self.in_line = 0
        """Items that wait for room in the queue."""
        self._line: OrderedDict[P, None] = OrderedDict()
        self._expiring: list[tuple[float, int, P]] = []  # by deadline; may have gone since
        self._expired: list[P] = []
        self._count = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Items that wait in the queue."""
        return self.queue.waiting

    def offer(self, parts: Sequence[P], *, wait: bool = False) -> bool:
        """Let parts wait, all or none.

        Args:
            parts: of one caller, in its order.
            wait: let them stand in line if there is no room, instead of refusing them.

        Returns:
            Whether they were taken.
        """
        if self.queue.waiting + sum([part.size for part in parts]) <= self.gate:
            for part in parts:
                self.add(part)
            return True
        if not wait or self._closed:
            return False
        for part in parts:
            self._line[part] = None
            self.in_line += part.size
        self._admit()
        return True

    def grow(self, part: P, mark: Hashable) -> bool:
        """Let a part wait that may grow, and keep it in `growing`; tell whether there was room.

        Args:
            part: without a deadline.
            mark: of its key and priority; items that are equal in both may be put at its end, while it is kept.
        """
        if self.queue.waiting + part.size > self.gate:
            return False
        self.queue.add(part)
        self.growing[mark] = part
        return True

    def add(self, part: P) -> None:
        """Let a part wait in the queue, whether there is room or not."""
        self.growing.clear()
        self.queue.add(part)
        if part.deadline != float("inf"):
            self._expire_later(part)

    def remove(self, part: P) -> int:
        """Take out what still waits of a part, wherever it stands; return how many items that were."""
        self.growing.clear()
        if part.waiting:
            count = self.queue.remove(part)
        elif part in self._line:
            del self._line[part]
            count = part.size
            self.in_line -= count
        else:
            return 0
        self._admit()
        return count

    def shrunk(self, part: P, cost: float) -> None:
        """Know that a part that waits in the queue has one item less, and that others of it still wait."""
        self.queue.shrunk(part, cost)
        self._admit()

    def due(self) -> float | None:
        """Return when the next batch is due if nothing more comes; None while nothing waits.

        If one is due already, it is a time in the past.
        """
        if self.queue.waiting and self.queue.waiting >= self.gate:
            return float("-inf")
        return self.queue.due()

    def cut(self, now: float, free: int) -> list[list[P]]:
        """Return the batches that are due for `free` partitions, those whose turn it is first.

        Args:
            now: the time.
            free: how many partitions have nothing to execute.
        """
        self.growing.clear()
        if self._expiring:
            self._expire(now)
        queue = self.queue
        batches: list[list[P]] = []
        while (left := free - len(batches)) > 0:
            if self._line:
                self._refill(now)
                left = 1  # what enters after a batch may belong to the next one
            cut = queue.cut(now, left)
            if not cut and queue.waiting and queue.waiting >= self.gate:
                cut = [queue.take_next(now)]
            if not cut:
                break
            batches += cut
        if self._line:
            self._refill(now)
        return batches

    def expired(self) -> list[P]:
        """Return the parts that `cut` has taken out since because their deadline had come; each once."""
        expired, self._expired = self._expired, []
        return expired

    def drain(self) -> list[P]:
        """Take out everything that waits."""
        self.growing.clear()
        drained = self.queue.drain() + list(self._line)
        self._line.clear()
        self.in_line = 0
        self._set_gate()
        return drained

    def configure(self, limits: Limits) -> None:
        """Cut by other limits from now on. What waits beyond a smaller `max_queue` stays."""
        self.limits = self.queue.limits = limits
        self._set_gate()
        self._admit()

    def close(self) -> None:
        """Take no more. What waits, in line too, is due at once."""
        self._closed = True
        self._set_gate()

    def _set_gate(self) -> None:
        self.gate = 0 if self._closed or self._line else self.limits.max_queue

    def _admit(self) -> None:
        """Let those in line in as far as there is room."""
        line, queue = self._line, self.queue
        while line:
            part = next(iter(line))
            # What is larger than the whole queue, since that was made smaller, enters when it is empty.
            if queue.waiting and queue.waiting + part.size > self.limits.max_queue:
                break
            del line[part]
            self.in_line -= part.size
            self.add(part)
        self._set_gate()

    def _refill(self, now: float) -> None:
        self._admit()
        while self._expire(now) and self._line:
            self._admit()

    def _expire_later(self, part: P) -> None:
        self._count += 1
        heappush(self._expiring, (part.deadline, self._count, part))
        if len(self._expiring) > _FEW + 2 * self.queue.waiting:
            self._expiring = [entry for entry in self._expiring if entry[2].waiting]
            heapify(self._expiring)

    def _expire(self, now: float) -> bool:
        """Take out the parts whose deadline has come; tell whether there were any."""
        before = len(self._expired)
        while self._expiring and self._expiring[0][0] <= now:
            part = heappop(self._expiring)[2]
            if part.waiting:
                self.queue.remove(part)
                self._expired.append(part)
        return len(self._expired) > before
