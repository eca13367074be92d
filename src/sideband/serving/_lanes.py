"""A lane for each key that waits, and whose turn it is. Pure: every time is given by the caller.

1. A key has a lane as long as something of it waits, and nothing afterwards.
2. Each lane's batches are due as if it were alone.
3. Of the lanes that are due, the one with the oldest claim has its turn. A claim is as old as the part that
   is executed next, but no older than the lane's last turn; a step of that part's priority makes it `ageing`
   seconds older. So keys of equal priority take turns, however much waits of one of them.
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar, final

from sideband.serving._lane import Lane, Limits, Part

__all__ = ["Lanes"]

_FEW = 64
"""Outdated places that may stand in the line of lanes, however short it is."""

P = TypeVar("P", bound=Part)


@final
class _KeyLane(Lane[P]):
    """The lane of a key, and its place among the others."""

    __slots__ = ("key", "place", "served", "turn")

    def __init__(self, limits: Limits, key: Hashable, turn: int) -> None:
        super().__init__(limits)
        self.key = key
        self.turn = turn  # which of the lanes with equal claims came, or had its turn, first
        self.served = float("-inf")
        self.place: _Place[P] | None = None

    def claim(self) -> float:
        part = self.first()
        return max(part.arrived, self.served) - part.priority * self.limits.ageing

    def take_place(self) -> _Place[P]:
        """Return its place among those that are not due yet."""
        self.filled = self.full
        self.first()  # from now on only who goes in front of it is news
        self.place = place = (self._due(), self.turn, self)
        return place


_Place = tuple[float, int, _KeyLane[P]]
"""A time by which lanes are ordered, the lane's turn, and the lane. Outdated once the lane has another."""


@final
class Lanes(Generic[P]):
    """The waiting parts of all keys. Driven as a `Lane`."""

    __slots__ = ("_lanes", "_limits", "_now", "_ready", "_timed", "_turns", "waiting")

    def __init__(self, limits: Limits) -> None:
        """Start empty."""
        self.waiting = 0
        """Items that wait."""
        self._limits = limits
        self._lanes: dict[Hashable, _KeyLane[P]] = {}
        self._timed: list[_Place[P]] = []  # by when they are due
        self._ready: list[_Place[P]] = []  # by claim; were due when something was last cut
        self._turns = 0
        self._now = float("-inf")

    @property
    def limits(self) -> Limits:
        """By what batches are cut."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        for lane in self._lanes.values():
            lane.limits = limits
        self._place_all()

    @property
    def keys(self) -> int:
        """How many different keys wait."""
        return len(self._lanes)

    def add(self, part: P) -> None:
        """Let a part wait."""
        lane = self._lanes.get(part.key)
        if lane is None:
            self._turns += 1
            lane = self._lanes[part.key] = _KeyLane(self._limits, part.key, self._turns)
        self.waiting += part.size
        if lane.add(part) or lane.place is None:
            self._place(lane)

    def grown(self, part: P, cost: float) -> None:
        """Know that a part has one more item."""
        lane = self._lanes[part.key]
        self.waiting += 1
        if lane.grown(part, cost):
            self._place(lane)

    def shrunk(self, part: P, cost: float) -> None:
        """Know that a part has one item less, and that others of it still wait."""
        lane = self._lanes[part.key]
        self.waiting -= 1
        lane.shrunk(part, cost)
        self._place(lane)

    def remove(self, part: P) -> int:
        """Take out what still waits of a part, wherever it stands; return how many items that were."""
        lane = self._lanes.get(part.key)
        count = 0 if lane is None else lane.remove(part)
        if lane is not None and count:
            self.waiting -= count
            self._place(lane)
        return count

    def due(self) -> float | None:
        """Return when the next batch is due if nothing more comes; None while nothing waits.

        If some are due already, it is a time in the past.
        """
        for places in (self._ready, self._timed):
            while places:
                lane = places[0][2]
                if lane.place is places[0]:
                    return lane.due()
                heappop(places)
        return None

    def cut(self, now: float, free: int) -> list[list[P]]:
        """Return the batches that are due for `free` partitions, in the order of their turns."""
        self._now = now
        batches: list[list[P]] = []
        while len(batches) < free:
            self._ripen()
            while self._ready and self._ready[0][2].place is not self._ready[0]:
                heappop(self._ready)
            if not self._ready:
                break
            batches.append(self._serve(heappop(self._ready)[2]))
        return batches

    def take_next(self, now: float) -> list[P]:
        """Take out the batch that is due next, where `cut` found none that is due yet; something has to wait."""
        self._now = now
        while (place := heappop(self._timed))[2].place is not place:
            pass
        return self._serve(place[2])

    def _serve(self, lane: _KeyLane[P]) -> list[P]:
        before = lane.waiting
        batch = lane.take()
        self.waiting -= before - lane.waiting
        self._turns += 1
        lane.turn, lane.served = self._turns, self._now
        self._place(lane)
        return batch

    def drain(self) -> list[P]:
        """Take out everything that waits."""
        drained: list[P] = []
        for lane in self._lanes.values():
            drained += lane.drain()
            lane.place = None
        self._lanes.clear()
        self._timed.clear()
        self._ready.clear()
        self.waiting = 0
        return drained

    def _place(self, lane: _KeyLane[P]) -> None:
        if not lane.waiting:
            lane.place = None
            del self._lanes[lane.key]
            return
        heappush(self._timed, lane.take_place())
        if len(self._timed) + len(self._ready) > _FEW + 4 * len(self._lanes):
            self._place_all()

    def _place_all(self) -> None:
        self._ready.clear()
        self._timed.clear()
        for lane in self._lanes.values():
            self._timed.append(lane.take_place())
        heapify(self._timed)

    def _ripen(self) -> None:
        """Let the lanes that are due claim their turn."""
        timed = self._timed
        while timed and timed[0][0] <= self._now:
            place = heappop(timed)
            lane = place[2]
            if lane.place is place:
                lane.place = (lane.claim(), lane.turn, lane)
                heappush(self._ready, lane.place)
