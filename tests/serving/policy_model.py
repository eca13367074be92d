"""The batching policy said again, as plainly as can be: lists that are sorted and searched anew at each question.

It shares nothing with the real one but the names of the limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Lot:
    """Items of one caller that came together: their numbers and costs. What the real policy is given."""

    numbers: list[int]
    costs: list[float]
    arrived: float
    key: Any = None
    priority: int = 0
    deadline: float = float("inf")
    waiting: bool = False
    divisible: bool = False

    @property
    def size(self) -> int:
        return len(self.numbers)

    @property
    def cost(self) -> float:
        return sum(self.costs)

    def fitting(self, room: int, used: float, limit: float) -> int:
        count = 0
        for cost in self.costs[:room]:
            used += cost
            if used > limit:
                break
            count += 1
        return count

    def split(self, count: int) -> Lot:
        first = Lot(
            self.numbers[:count], self.costs[:count], self.arrived, self.key, self.priority, self.deadline
        )
        self.numbers, self.costs = self.numbers[count:], self.costs[count:]
        return first


@dataclass(eq=False)
class Waiting:
    """What waits of a lot: its items, and when it came among the others."""

    lot: Lot
    items: list[tuple[int, float]]
    place: int = 0


@dataclass
class Turn:
    """When a key had its last turn, and its place among keys with equal claims."""

    served: float
    place: int


class Model:
    """What the policy has to do, by definition."""

    def __init__(self, limits: Any) -> None:
        self.limits = limits
        self.queue: list[Waiting] = []
        self.line: list[Waiting] = []
        self.turns: dict[Any, Turn] = {}
        self.expired: list[Lot] = []
        self.closed = False
        self.places = 0

    # -- what callers do -----------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        return sum(len(one.items) for one in self.queue)

    @property
    def in_line(self) -> int:
        return sum(len(one.items) for one in self.line)

    def offer(self, lots: list[Lot], wait: bool) -> bool:
        new = [Waiting(lot, list(zip(lot.numbers, lot.costs, strict=True))) for lot in lots]
        size = sum(len(one.items) for one in new)
        if self.closed:
            return False
        if not self.line and self.waiting + size <= self.limits.max_queue:
            for one in new:
                self.enter(one)
            return True
        if wait:
            self.line += new
            self.admit()
        return wait

    def enter(self, one: Waiting) -> None:
        self.places += 1
        one.place = self.places
        self.turns.setdefault(one.lot.key, Turn(float("-inf"), self.places))
        self.queue.append(one)

    def admit(self) -> None:
        while self.line:
            if self.queue and self.waiting + len(self.line[0].items) > self.limits.max_queue:
                return
            self.enter(self.line.pop(0))

    def remove(self, lot: Lot) -> int:
        gone = [one for one in self.queue + self.line if one.lot is lot]
        self.forget(gone)
        self.admit()
        return sum(len(one.items) for one in gone)

    def forget(self, gone: list[Waiting]) -> None:
        self.queue = [one for one in self.queue if one not in gone]
        self.line = [one for one in self.line if one not in gone]
        keys = {one.lot.key for one in self.queue}
        self.turns = {key: turn for key, turn in self.turns.items() if key in keys}

    # -- which batch ---------------------------------------------------------------------------

    def row(self, key: Any) -> list[Waiting]:
        """Return what waits of a key, in the order in which it is executed."""
        row = [one for one in self.queue if one.lot.key == key]
        return sorted(
            row, key=lambda one: (one.lot.arrived - one.lot.priority * self.limits.ageing, one.place)
        )

    def due(self, key: Any) -> float:
        row = self.row(key)
        oldest = min(one.lot.arrived for one in row)
        items = sum(len(one.items) for one in row)
        cost = sum(cost for one in row for _, cost in one.items)
        full = items >= self.limits.batch_size or cost >= self.limits.max_cost
        return oldest if full else oldest + self.limits.batch_timeout

    def fits(self, items: list[tuple[int, float]]) -> bool:
        limits = self.limits
        return bool(len(items) <= limits.batch_size and sum(c for _, c in items) <= limits.max_cost)

    def longest(self, key: Any) -> list[tuple[Waiting, tuple[int, float]]]:
        """Return the items of the next batch of a key."""
        batch: list[tuple[Waiting, tuple[int, float]]] = []
        for one in self.row(key):
            before = [item for _, item in batch]
            if self.limits.whole and batch and not self.fits(before + one.items):
                break
            for item in one.items:
                if batch and not self.fits([taken for _, taken in batch] + [item]):
                    return batch
                batch.append((one, item))
        return batch

    def choose(self, now: float) -> Any:
        """Return a key in a list, or nothing if no batch is due."""
        ready = [key for key in self.turns if self.due(key) <= now]

        def claim(key: Any) -> tuple[float, int]:
            first = self.row(key)[0].lot
            since = max(first.arrived, self.turns[key].served)
            return since - first.priority * self.limits.ageing, self.turns[key].place

        if ready:
            return [min(ready, key=claim)]
        full = self.closed or self.line or self.waiting >= self.limits.max_queue
        if full and self.queue:
            return [min(self.turns, key=lambda key: (self.due(key), self.turns[key].place))]
        return []

    def refill(self, now: float) -> None:
        while True:
            self.admit()
            late = [one for one in self.queue if one.lot.deadline <= now]
            if not late:
                return
            self.expired += [one.lot for one in late]
            self.forget(late)

    def cut(self, now: float, free: int) -> list[list[int]]:
        batches: list[list[int]] = []
        self.refill(now)
        while len(batches) < free and (chosen := self.choose(now)):
            batch = self.longest(chosen[0])
            for one, item in batch:
                one.items.remove(item)
            self.places += 1
            self.turns[chosen[0]] = Turn(now, self.places)
            self.forget([one for one in self.queue if not one.items])
            batches.append([number for _, (number, _) in batch])
            self.refill(now)
        return batches

    def drain(self) -> list[int]:
        numbers = [number for one in self.queue + self.line for number, _ in one.items]
        self.queue, self.line, self.turns = [], [], {}
        return numbers
