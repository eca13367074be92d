"""What waits in a serving's queue: items, and who is told what becomes of them. Waits for nothing.

What one batch executes of a request is a part: a range of its items, whatever the batch's other items are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from itertools import compress, islice
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, final

from sideband.components import Usage
from sideband.runs import Run, RunLink

__all__ = ["Executed", "Items", "Part", "Receiver", "Singles", "is_error", "raisable"]

T = TypeVar("T")

_NEVER = float("inf")
"""The deadline of what has none."""


class Executed(Protocol):
    """What a receiver may know of the execution of its items."""

    @property
    def partition(self) -> int:
        """Which partition executes them."""
        ...

    @property
    def size(self) -> int:
        """The items of the whole batch."""
        ...

    @property
    def cost(self) -> float:
        """What these cost together; 0 if nobody said."""
        ...

    @property
    def started(self) -> float:
        """When it began, on the clock by which parts arrive."""
        ...

    @property
    def execute_time(self) -> float:
        """Seconds that the batch function took; 0 until it has returned."""
        ...

    @property
    def attempt(self) -> int:
        """Which execution of its items it is, from 1; more than 1 where a failed batch is divided."""
        ...

    @property
    def exceptional(self) -> bool:
        """Whether any of its results is an exception."""
        ...

    @property
    def link(self) -> RunLink | None:
        """The Batch run, if somebody watches it."""
        ...


class Receiver(Protocol):
    """Who is told what becomes of a part, in the loop or thread where the request was made."""

    @property
    def run(self) -> Run | None:
        """The request's run, if it is watched."""
        ...

    @property
    def listening(self) -> bool:
        """Whether hook events are of any use to it."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def executing(self, part: Items[Any], execution: Executed) -> None:
        """A batch with these items starts. Called only where there is a run."""

    def event(self, part: Items[Any], attempt: int, name: str, payload: list[Any]) -> None:
        """The batch emitted an event; the payload is that of these items. Called only where it listens."""

    def done(self, part: Items[Any], execution: Executed, own: list[Any]) -> None:
        """The batch is done; `own` are the results of these items, its error for each if it failed."""

    def failed(self, error: BaseException) -> None:
        """Items of the request will get no results."""


@final
class Items(Generic[T]):
    """Items of one request that wait to be executed, whatever else is in their batch."""

    __slots__ = (
        "arrived", "base", "cost", "costs", "deadline", "key", "priority", "receiver", "size", "start", "usage",
        "values", "waiting",
    )  # fmt: skip

    divisible = False

    def __init__(  # noqa: PLR0917 - as many as they are, since many are made
        self, receiver: Receiver, values: list[T], start: int, size: int, arrived: float, base: int = 0
    ) -> None:
        """Let `size` items of a request, from `start`, wait since `arrived`; `values` are those from `base` on."""
        self.receiver = receiver
        self.values = values
        self.base = base
        self.start = start
        self.size = size
        self.arrived = arrived
        self.waiting = False
        self.deadline = _NEVER
        self.key: Hashable = None
        self.priority = 0
        self.costs: list[float] | None = None
        self.cost: float = 0
        self.usage: Usage | None = None

    def items(self) -> list[T]:
        """Return the items."""
        start = self.start - self.base
        return self.values[start : start + self.size]

    def costing(self, costs: list[float]) -> None:
        """Know what each of `values` costs."""
        self.costs = costs
        start = self.start - self.base
        self.cost = sum(costs[start : start + self.size])

    def fitting(self, room: int, used: float, limit: float) -> int:
        """Count how many of the first items fit into a batch that costs `used` already."""
        count = min(room, self.size)
        if self.costs is not None:
            for place in range(count):
                used += self.costs[self.start - self.base + place]
                if used > limit:
                    return place
        return count

    def split(self, count: int) -> Items[T]:
        """Take the first `count` items off as a part of their own."""
        first = self.piece(0, count, self.arrived)
        self.start += count
        self.size -= count
        self.cost -= first.cost
        return first

    def piece(self, start: int, count: int, arrived: float) -> Items[T]:
        """Return some of the items as a part of their own; this one stays as it is."""
        piece = Items(self.receiver, self.values, self.start + start, count, arrived, self.base)
        piece.deadline, piece.key, piece.priority = self.deadline, self.key, self.priority
        if self.costs is not None:
            piece.costing(self.costs)
        return piece

    def staying(self) -> Items[T] | None:
        """Return itself, unless nobody waits for the results any more."""
        return None if self.receiver.finished else self

    def done(self, execution: Executed, own: list[Any]) -> None:
        """Report the results."""
        self.receiver.done(self, execution, own)

    def failed(self, error: BaseException) -> None:
        """Report that there will be none."""
        self.receiver.failed(error)


@final
class Singles:
    """Items of callers with one each who came together, equal in key and priority, and watched by nobody.

    A value and a future for each, and nothing else, since there are many. While the part waits an item keeps
    its place, whoever else goes or is executed.
    """

    __slots__ = (
        "_holes", "_start", "arrived", "cost", "costs", "futures", "key", "priority", "values", "waiting",
    )  # fmt: skip

    # The same for all, so that they need no room in each.
    deadline = _NEVER
    divisible = True

    def __init__(  # noqa: PLR0917 - as many as they are, since many are made
        self,
        arrived: float,
        values: list[Any],
        futures: list[asyncio.Future[Any]],
        costs: list[float],
        key: Hashable = None,
        priority: int = 0,
    ) -> None:
        """Resolve `futures` with what becomes of the values; `costs` are empty where they cost nothing."""
        self.arrived = arrived
        self.values = values
        self.futures = futures
        self.costs = costs
        self.cost = sum(costs)
        self.key = key
        self.priority = priority
        self.waiting = False
        self._holes = 0
        self._start = 0  # before it are holes alone

    @property
    def size(self) -> int:
        """The number of items."""
        return len(self.futures) - self._holes

    def items(self) -> list[Any]:
        """Return the items, not to be changed; for a part that waits no more."""
        if self._holes:
            self._keep([future is not _HOLE for future in self.futures])
        return self.values

    def holds(self, place: int) -> bool:
        """Tell whether the item in this place still waits with the others; for a part that waits."""
        return self.futures[place] is not _HOLE

    def leave(self, place: int) -> float:
        """Forget an item that waits; return its cost."""
        cost: float = 0
        self.futures[place] = self.values[place] = _HOLE
        self._holes += 1
        if self.costs:
            cost, self.costs[place] = self.costs[place], 0
            self.cost -= cost
        return cost

    def fitting(self, room: int, used: float, limit: float) -> int:
        """Count how many of the first items fit into a batch that costs `used` already."""
        if not self.costs:
            return min(room, self.size)
        count = 0
        for place in range(self._start, len(self.futures)):
            if self.futures[place] is not _HOLE:
                used += self.costs[place]
                if count == room or used > limit:
                    break
                count += 1
        return count

    def split(self, count: int) -> Singles:
        """Take the first `count` items off as a part of their own."""
        end = self._end_of(count)
        first = self._range(self._start, end, self.arrived)
        first._holes = end - self._start - count
        # What stays keeps its place: in the place of the others are holes, at once, as a hole was made of each.
        self.values[self._start : end] = self.futures[self._start : end] = [_HOLE] * (end - self._start)
        self.cost -= first.cost
        self._holes += count
        self._start = end
        return first

    def _end_of(self, count: int) -> int:
        if self._holes == self._start:
            return self._start + count
        waiting = (
            place for place in range(self._start, len(self.futures)) if self.futures[place] is not _HOLE
        )
        return next(islice(waiting, count - 1, None)) + 1

    def piece(self, start: int, count: int, arrived: float) -> Singles:
        """Return some of the items as a part of their own; for a part that waits no more."""
        return self._range(start, start + count, arrived)

    def _range(self, start: int, stop: int, arrived: float) -> Singles:
        values, futures, costs = self.values[start:stop], self.futures[start:stop], self.costs[start:stop]
        return Singles(arrived, values, futures, costs, self.key, self.priority)

    def staying(self) -> Singles | None:
        """Return what somebody still waits for of a part that waits no more."""
        self._keep([future is not _HOLE and not future.done() for future in self.futures])
        return self if self.futures else None

    def _keep(self, chosen: list[bool]) -> None:
        self.values = list(compress(self.values, chosen))
        self.futures = list(compress(self.futures, chosen))
        self.costs = list(compress(self.costs, chosen))
        self.cost = sum(self.costs)
        self._holes = self._start = 0

    def done(self, execution: Executed, own: list[Any]) -> None:
        """Give each caller its result; those who have gone get none."""
        exceptional = execution.exceptional
        for future, result in zip(self.futures, own, strict=True):
            if exceptional and is_error(result):
                _fail(future, result)
                continue
            try:
                future.set_result(result)
            except asyncio.InvalidStateError:
                continue

    def failed(self, error: BaseException) -> None:
        """Report to each caller that there will be no result."""
        for future in self.futures:
            if future is not _HOLE:
                _fail(future, error)


_HOLE: Any = None
"""What stands in the place of an item that waits no more."""


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(raisable(error))


Part = Items[Any] | Singles
"""What waits in a serving's queue."""


def is_error(result: object) -> TypeGuard[BaseException]:
    """Tell by its type alone: to be asked for their class, some objects run code of their own."""
    return issubclass(type(result), BaseException)


def raisable(error: BaseException) -> BaseException:
    """Return an error that any caller can raise: what steers Python's own machinery is wrapped."""
    if not isinstance(error, StopIteration | StopAsyncIteration | GeneratorExit | asyncio.CancelledError):
        return error
    wrapped = RuntimeError(f"the batch function gave {error!r}, which cannot be raised as it is")
    wrapped.__cause__ = error
    return wrapped
