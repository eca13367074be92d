"""When to cut which batch. Pure: no clock, no lock, no I/O; every time is given by the caller.

1. Parts wait in the order in which they came. A part is what one call wants executed.
2. A batch is due when its items fill it (`batch_size`), when its first item has waited for
   `batch_timeout` seconds, or when the queue is being flushed.
3. A batch is cut only when a partition is free. Until then it keeps growing, up to its size; what is
   over waits for the next one, its time counted from its own first item.
4. Without hooks a part may be split, so that every batch but the last is full: AA, BB, CC at size 3
   run as AAB, BCC... With hooks parts stay whole: a part that does not fit closes the batch before it.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, Self, TypeVar

__all__ = ["Part", "PartQueue"]

_FEW = 64
"""Parts that were taken out and may stand in the queue, however short it is."""


class Part(Protocol):
    """What the policy knows of a part."""

    waiting: bool
    """Whether it waits; set by the queue."""
    arrived: float
    """When it came, in seconds of the clock that `cut` is given."""

    @property
    def size(self) -> int:
        """The number of its items."""
        ...

    def split(self, count: int) -> Self:
        """Take the first `count` items off as a part of their own."""
        ...


P = TypeVar("P", bound=Part)


class PartQueue(Generic[P]):
    """Waiting parts, and the batches that are due among them."""

    __slots__ = ("_parts", "_removed", "_whole", "batch_size", "batch_timeout", "waiting")

    def __init__(self, *, batch_size: int, batch_timeout: float, whole: bool) -> None:
        """Start empty.

        Args:
            batch_size: the most items of a batch.
            batch_timeout: seconds that an item may wait for its batch to fill while a partition is free.
            whole: whether parts must not be split; each is then at most `batch_size` long.
        """
        self.batch_size = batch_size
        self.batch_timeout = batch_timeout
        self.waiting = 0
        self._whole = whole
        self._removed = 0  # parts that stand in the queue and wait no more
        self._parts: deque[P] = deque()

    def add(self, part: P) -> None:
        """Let a part wait behind all others."""
        part.waiting = True
        self._parts.append(part)
        self.waiting += part.size

    def add_single(self, part: P) -> None:
        """As `add`, for a part of one item that was made to wait: the hot path."""
        self._parts.append(part)
        self.waiting += 1

    def remove(self, part: P) -> int:
        """Take out what still waits of a part, wherever it stands; return how many items that were."""
        if not part.waiting:
            return 0
        # It is left in place and skipped later, which makes removing cheap; but what was taken out never
        # outnumbers what waits for long, or callers who come and go would fill a bounded queue.
        part.waiting = False
        self.waiting -= part.size
        self._removed += 1
        if not self.waiting:
            self._parts.clear()
            self._removed = 0
        elif self._removed > _FEW and self._removed * 2 > len(self._parts):
            self._parts = deque([part for part in self._parts if part.waiting])
            self._removed = 0
        return part.size

    def due(self) -> float | None:
        """Return when the next batch is due if nothing more comes; None while nothing waits."""
        if not self.waiting:
            return None
        head = self._head()
        return head.arrived if self.waiting >= self.batch_size else head.arrived + self.batch_timeout

    def cut(self, now: float, free: int, *, flush: bool = False) -> list[list[P]]:
        """Return the batches that are due for `free` partitions, the oldest items first."""
        batches: list[list[P]] = []
        while self.waiting and len(batches) < free:
            full = flush or self.waiting >= self.batch_size
            if not full and now < self._head().arrived + self.batch_timeout:
                break
            batches.append(self._take())
        return batches

    def drain(self) -> list[P]:
        """Take out everything that waits."""
        drained = [part for part in self._parts if part.waiting]
        for part in drained:
            part.waiting = False
        self._parts.clear()
        self.waiting = self._removed = 0
        return drained

    def _head(self) -> P:
        parts = self._parts
        while not parts[0].waiting:
            parts.popleft()
            self._removed -= 1
        return parts[0]

    def _take(self) -> list[P]:
        everything = self.waiting <= self.batch_size and not self._removed
        taken = self._take_all() if everything else self._take_some()
        for part in taken:
            part.waiting = False
        return taken

    def _take_all(self) -> list[P]:
        taken = list(self._parts)
        self._parts.clear()
        self.waiting = 0
        return taken

    def _take_some(self) -> list[P]:
        parts = self._parts
        taken: list[P] = []
        room = self.batch_size
        while room and self.waiting:
            part = self._head()
            if part.size <= room:
                parts.popleft()
            elif self._whole:
                break
            else:
                part = part.split(room)
            taken.append(part)
            room -= part.size
            self.waiting -= part.size
        return taken
