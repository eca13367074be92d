"""What a simulated serving does, event by event. Pure: no clock, no I/O; all chance comes from outside.

1. Whatever happens at one moment happens before a batch is cut, as in a turn of the engine's event loop.
2. But where several batches end at one moment and something is due already, that is cut as soon as the callers of
   the first one have sent what they send next: the engine's turn for cutting comes before the other callers' turns.
3. When a batch is due, and whose items are in it, is the policy's business (`_policy.py`), as in the engine.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from random import Random
from typing import final

from sideband.serving._lane import Limits
from sideband.serving._policy import BatchPolicy

__all__ = ["Server", "Traffic"]

_NEVER = math.inf


@final
class _Call:
    """A call, and how many of its items are not done."""

    __slots__ = ("arrived", "left")

    def __init__(self, arrived: float, size: int) -> None:
        self.arrived = arrived
        self.left = size


@final
class _Part:
    """What waits of a call."""

    __slots__ = ("arrived", "call", "key", "size", "waiting")

    deadline = _NEVER
    divisible = False
    priority = 0
    cost = 0.0

    def __init__(self, call: _Call, size: int, key: int) -> None:
        self.call = call
        self.arrived = call.arrived
        self.size = size
        self.key = key
        self.waiting = False

    def fitting(self, room: int, used: float, limit: float) -> int:  # noqa: ARG002 - as every part
        return min(room, self.size)

    def split(self, count: int) -> _Part:
        self.size -= count
        return _Part(self.call, count, self.key)


@final
class Traffic:
    """The calls that come."""

    def __init__(self, times: Iterable[float], *, later: int, size: int, keys: int, random: Random) -> None:
        """Be ready to come.

        Args:
            times: when calls come by themselves.
            later: how many are sent besides, each when another one is done.
            size: the items of each.
            keys: how many keys they have.
            random: chooses the keys.
        """
        self._times = iter(times)
        self._later = later
        self._size = size
        self.keys = keys
        self._random = random
        self.next = next(self._times, _NEVER)
        """When the next one comes by itself."""

    def come(self) -> _Part:
        """Return the call that comes now."""
        part = self._call(self.next)
        self.next = next(self._times, _NEVER)
        return part

    def follow(self, now: float) -> _Part | None:
        """Return the call that is sent because another one is done, if there is one."""
        if not self._later:
            return None
        self._later -= 1
        return self._call(now)

    def _call(self, now: float) -> _Part:
        key = self._random.randrange(self.keys) if self.keys > 1 else 0
        return _Part(_Call(now, self._size), self._size, key)


@final
class Server:
    """The queue and the partitions, and what has been observed of them."""

    def __init__(
        self,
        limits: Limits,
        partitions: int,
        traffic: Traffic,
        seconds: Callable[[int], float],
        *,
        wait: bool,
    ) -> None:
        """Have nothing to do yet.

        Args:
            limits: by what batches are cut.
            partitions: how many batches are executed at a time.
            traffic: what comes.
            seconds: how long a batch of so many items takes.
            wait: whether calls for which there is no room wait for it.
        """
        self._policy: BatchPolicy[_Part] = BatchPolicy(limits, keyed=traffic.keys > 1)
        self._traffic = traffic
        self._seconds = seconds
        self._wait = wait
        self._free = partitions
        self._executing: list[tuple[float, int, list[_Part]]] = []  # by when they are done
        self._now = self.began = traffic.next
        self.latencies = array("d")
        self.queue_times = array("d")
        self.batches = self.items = self.refused = self.most_waiting = 0
        self.busy = 0.0
        self._waited = 0.0  # items times seconds

    @property
    def duration(self) -> float:
        """Seconds from the first call to now."""
        return self._now - self.began

    @property
    def mean_waiting(self) -> float:
        """How many items waited, averaged over time."""
        return self._waited / self.duration if self.duration else 0.0

    def run(self) -> None:
        """Let everything come and be executed."""
        while (now := self._next()) < _NEVER:
            self._pass(now)
            self._end(now)
            while self._traffic.next <= now:
                self._submit(self._traffic.come())
            self._cut()

    def _next(self) -> float:
        """Return when anything happens next."""
        upcoming = self._traffic.next
        if self._executing:
            upcoming = min(upcoming, self._executing[0][0])
        if self._free and (due := self._policy.due()) is not None:
            upcoming = min(upcoming, max(due, self._now))
        return upcoming

    def _pass(self, now: float) -> None:
        waiting = self._policy.waiting + self._policy.in_line
        self.most_waiting = max(self.most_waiting, waiting)
        self._waited += waiting * (now - self._now)
        self._now = now

    def _submit(self, part: _Part) -> None:
        if not self._policy.offer((part,), wait=self._wait):
            self.refused += part.size

    def _cut(self) -> None:
        if not self._free:
            return
        now = self._now
        for batch in self._policy.cut(now, self._free):
            size = 0
            for part in batch:
                size += part.size
                self.queue_times.extend([now - part.arrived] * part.size)
            seconds = self._seconds(size)
            self.busy += seconds
            self.batches += 1
            self.items += size
            self._free -= 1
            heappush(self._executing, (now + seconds, self.batches, batch))

    def _end(self, now: float) -> None:
        ended: list[list[_Part]] = []
        while self._executing and self._executing[0][0] <= now:
            ended.append(heappop(self._executing)[2])
        self._free += len(ended)
        if len(ended) > 1 and (due := self._policy.due()) is not None and due <= now:
            self._answer(ended.pop(0))
            self._cut()
        for batch in ended:
            self._answer(batch)

    def _answer(self, batch: list[_Part]) -> None:
        now = self._now
        for part in batch:
            call = part.call
            call.left -= part.size
            if not call.left:
                self.latencies.append(now - call.arrived)
                if (following := self._traffic.follow(now)) is not None:
                    self._submit(following)
