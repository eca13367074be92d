"""Items of one key that wait, in the order in which they are executed. Pure: knows no clock and no other key.

1. Parts wait in the order in which they came. A part is what one call wants executed of one key, or what
   several calls with one item each do, which are equal in priority, too.
2. A step of priority counts as `ageing` seconds of waiting: a part goes in front of those that came less
   than that before it. Equal priorities keep their order; however many urgent parts come, each waits only
   for those of `n` steps more that come within `n * ageing` seconds after it.
3. A batch is the longest row of items from the front that neither `batch_size` nor `max_cost` forbids. An
   item dearer than `max_cost` is a batch by itself.
4. Parts may be split, so that batches are full: AA, BB, CC at size 3 are AAB, BCC. Where they are kept
   `whole`, a part that does not fit closes the batch before it; one that fits into no batch is split from
   its start.
5. A part of several calls may grow while all that came after it is of another priority. Any of its items may
   leave, and it may be split even where parts are kept `whole`.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar, final

__all__ = ["Lane", "Limits", "Part"]

_FEW = 64
"""Parts that were taken out and may stand in a lane, however short it is."""


class Part(Protocol):
    """What the policy knows of a part."""

    waiting: bool
    """Whether it waits; set by the policy."""

    @property
    def arrived(self) -> float:
        """When it came, in seconds of the clock that `cut` is given."""
        ...

    @property
    def deadline(self) -> float:
        """From when on it must not be executed any more; infinite if there is no such time."""
        ...

    @property
    def key(self) -> Hashable:
        """Only items of equal keys may be in one batch."""
        ...

    @property
    def divisible(self) -> bool:
        """Whether it may be split even where parts are kept whole: its items are of different callers."""
        ...

    @property
    def priority(self) -> int:
        """A greater one goes first; 0 is usual."""
        ...

    @property
    def size(self) -> int:
        """The number of its items."""
        ...

    @property
    def cost(self) -> float:
        """What its items cost together."""
        ...

    def fitting(self, room: int, used: float, limit: float) -> int:
        """Count how many of its first items fit into a batch.

        Args:
            room: the most items.
            used: what the batch costs already.
            limit: what it may cost.
        """
        ...

    def split(self, count: int) -> Self:
        """Take the first `count` items off as a part of their own."""
        ...


P = TypeVar("P", bound=Part)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """By what batches are cut."""

    batch_size: int
    """The most items of a batch."""
    batch_timeout: float
    """Seconds that an item may wait for its batch to fill while a partition is free."""
    max_cost: float = float("inf")
    """The most that the items of a batch may cost together."""
    max_queue: int = 65_536
    """The most items that wait."""
    whole: bool = False
    """Whether parts that fit into a batch are kept whole."""
    ageing: float = 1.0
    """Seconds of waiting that count as much as a step of priority."""


class Lane(Generic[P]):
    """The waiting parts of one key, and the batches that are due among them."""

    __slots__ = (
        "_fresh", "_gone", "_least", "_parts", "_ranked", "_ranks", "cost", "filled", "limits", "waiting",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        """Start empty."""
        self.limits = limits
        self.waiting = 0
        """Items that wait."""
        self.cost: float = 0
        """What they cost together."""
        self.filled = False
        """Whether a part that was added made the next batch full, since that was last looked at."""
        self._gone = 0  # parts that stand in `_parts` and wait no more
        self._parts: deque[P] = deque()  # in the order in which they came
        # While parts of another priority than 0 wait: all of them by rank, and how many were ever ranked.
        self._ranked: list[tuple[float, int, P]] | None = None
        self._fresh: list[tuple[float, int, P]] = []  # of them those that have no place yet
        self._least = float("inf")  # no rank is known to be less
        self._ranks = 0

    def add(self, part: P) -> bool:
        """Let a part wait; tell whether it is the first now, or has made the next batch full."""
        part.waiting = True
        self._parts.append(part)
        self.waiting += part.size
        self.cost += part.cost
        if self._ranked is not None:
            rank = part.arrived - part.priority * self.limits.ageing
            self._ranks = number = self._ranks + 1
            self._fresh.append((rank, number, part))
            if rank < self._least:
                self._least = rank
                return True
        elif part.priority:
            self._rank_all()
            return True
        return self._fills()

    def _fills(self) -> bool:
        if self.filled:
            return False
        limits = self.limits
        self.filled = filled = self.waiting >= limits.batch_size or self.cost >= limits.max_cost
        return filled

    def grown(self, part: P, cost: float) -> bool:  # noqa: ARG002 - as `Lanes`
        """Know that a part has one more item; tell whether it has made the next batch full."""
        self.waiting += 1
        self.cost += cost
        return self._fills()

    def shrunk(self, part: P, cost: float) -> None:  # noqa: ARG002 - as `Lanes`
        """Know that a part has one item less, and that others of it still wait."""
        self.waiting -= 1
        self.cost -= cost

    def remove(self, part: P) -> int:
        """Take out what still waits of a part, wherever it stands; return how many items that were."""
        if not part.waiting:
            return 0
        # It is left in place and skipped later, which makes removing cheap; but what was taken out never
        # outnumbers what waits for long, or callers who come and go would fill a bounded queue.
        part.waiting = False
        self.waiting -= part.size
        self.cost -= part.cost
        self._gone += 1
        self._tidy()
        return part.size

    @property
    def full(self) -> bool:
        """Whether more could not get into the next batch."""
        return self.waiting >= self.limits.batch_size or self.cost >= self.limits.max_cost

    def due(self) -> float | None:
        """Return when the next batch is due if nothing more comes; None while nothing waits."""
        if not self.waiting:
            return None
        return self._due()

    def _due(self) -> float:
        arrived = self._oldest().arrived
        return arrived if self.full else arrived + self.limits.batch_timeout

    def cut(self, now: float, free: int) -> list[list[P]]:
        """Return the batches that are due for `free` partitions."""
        batches: list[list[P]] = []
        while self.waiting and len(batches) < free and self._due() <= now:
            batches.append(self.take())
        return batches

    def take_next(self, now: float) -> list[P]:  # noqa: ARG002 - as `Lanes`
        """Take out the batch that is due next, where `cut` found none that is due yet; something has to wait."""
        return self.take()

    def take(self) -> list[P]:
        """Take out the next batch; something has to wait."""
        limits = self.limits
        if self.waiting > limits.batch_size:
            return self._take_some()
        everything = self._row()
        if limits.max_cost != float("inf") and sum([part.cost for part in everything]) > limits.max_cost:
            return self._take_some()
        for part in everything:
            part.waiting = False
        self._empty()
        return everything

    def _row(self) -> list[P]:
        """Return all that waits, in the order in which it is executed."""
        ranked = self._ranked
        if ranked is not None:
            self._merge(ranked)
            return [entry[2] for entry in ranked if entry[2].waiting]
        return [part for part in self._parts if part.waiting] if self._gone else list(self._parts)

    def drain(self) -> list[P]:
        """Take out everything that waits, in the order in which it came."""
        drained = [part for part in self._parts if part.waiting]
        for part in drained:
            part.waiting = False
        self._empty()
        return drained

    def first(self) -> P:
        """Return the part that is executed next; something has to wait."""
        ranked = self._ranked
        if ranked is None:
            return self._oldest()
        self._merge(ranked)
        if not ranked[0][2].waiting:
            waiting = (place for place, entry in enumerate(ranked) if entry[2].waiting)
            del ranked[: next(waiting, len(ranked))]
        self._least = ranked[0][0]
        return ranked[0][2]

    def _merge(self, ranked: list[tuple[float, int, P]]) -> None:
        """Put those that came lately in their places."""
        fresh = self._fresh
        if len(fresh) * 8 >= len(ranked):
            ranked += fresh
            ranked.sort()
        else:
            for entry in fresh:
                insort(ranked, entry)
        fresh.clear()

    def _oldest(self) -> P:
        parts = self._parts
        while not parts[0].waiting:
            parts.popleft()
            self._gone -= 1
        return parts[0]

    def _take_some(self) -> list[P]:
        ranked, limit = self._ranked, self.limits.max_cost
        if ranked is not None:
            self._merge(ranked)
        row = self._parts if ranked is None else (entry[2] for entry in ranked)
        room, used = self.limits.batch_size, 0.0
        taken: list[P] = []
        passed = whole = 0  # parts in the row that are done with, and how many of them were taken
        for part in row:
            if part.waiting:
                size, cost = part.size, used + part.cost
                full = size >= room or cost > limit
                if full and (size > room or cost > limit):
                    count = self._fitting(part, room, used, alone=not taken)
                    if count < size:
                        if count:
                            taken.append(part.split(count))
                        break
                part.waiting = False
                taken.append(part)
                whole += 1
                room, used = room - size, cost
                if full:
                    passed += 1
                    break
            passed += 1
        for part in taken:
            self.waiting -= part.size
            self.cost -= part.cost
        self._drop(passed, whole)
        return taken

    def _fitting(self, part: P, room: int, used: float, *, alone: bool) -> int:
        """Return how many items of a part that does not fit are taken none the less."""
        if self.limits.whole and not (alone or part.divisible):
            return 0
        count = part.fitting(room, used, self.limits.max_cost)
        return max(count, 1) if alone else count

    def _drop(self, passed: int, whole: int) -> None:
        """Forget the first parts, of which so many were taken just now, and the rest before."""
        if not self.waiting:
            self._empty()
        elif self._ranked is None:
            for _ in range(passed):
                self._parts.popleft()
            self._gone -= passed - whole
        else:
            del self._ranked[:passed]
            self._gone += whole
            self._tidy()

    def _rank_all(self) -> None:
        ageing = self.limits.ageing
        parts = [part for part in self._parts if part.waiting]
        self._fresh = [(part.arrived - part.priority * ageing, n, part) for n, part in enumerate(parts)]
        self._ranked = []
        self._ranks = len(parts)

    def _tidy(self) -> None:
        if not self.waiting:
            self._empty()
        elif self._gone > _FEW and self._gone * 2 > len(self._parts):
            self._parts = deque([part for part in self._parts if part.waiting])
            self._gone = 0
            if self._ranked is not None:
                self._merge(self._ranked)
                self._ranked = [entry for entry in self._ranked if entry[2].waiting]

    def _empty(self) -> None:
        self._parts.clear()
        self.waiting = self._gone = 0
        self.cost = 0
        self._ranked = None
        self._fresh.clear()
