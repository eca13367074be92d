"""What waits in a serving's queue: items, and who is told what becomes of them. Waits for nothing.

What one batch executes of a request is a part: a range of its items, whatever the batch's other items are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, final

from sideband.components import Usage
from sideband.runs import Run, RunLink

__all__ = ["Executed", "Graded", "Items", "Part", "Receiver", "Single", "is_error", "raisable"]

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

    @property
    def gone(self) -> bool:
        """Whether nobody waits for the results any more."""
        return self.receiver.finished

    def failed(self, error: BaseException) -> None:
        """Report that there will be none."""
        self.receiver.failed(error)


class Single:
    """One item that nobody watches: its value and a future, and nothing else, since there are many."""

    __slots__ = ("arrived", "future", "value", "waiting")

    # The same for all, so that they need no room in each.
    size = 1
    deadline = _NEVER
    key: Hashable = None
    priority: int = 0
    cost: float = 0

    def __init__(self, value: Any, future: asyncio.Future[Any], arrived: float) -> None:
        """Resolve `future` with what becomes of `value`."""
        self.value = value
        self.future = future
        self.arrived = arrived
        self.waiting = True

    def fitting(self, room: int, used: float, limit: float) -> int:  # noqa: ARG002 - as every part
        """Tell whether the item fits into a batch that costs `used` already."""
        return 1 if used + self.cost <= limit else 0

    def split(self, count: int) -> Single:  # noqa: ARG002 - as every part
        """Return itself: one item cannot be split."""
        return self

    def piece(self, start: int, count: int, arrived: float) -> Single:  # noqa: ARG002 - as every part
        """Return itself, waiting anew."""
        self.arrived = arrived
        return self

    @property
    def gone(self) -> bool:
        """Whether its caller has gone."""
        return self.future.done()

    def failed(self, error: BaseException) -> None:
        """Fail the future, unless its caller has gone."""
        if not self.future.done():
            self.future.set_exception(raisable(error))


@final
class Graded(Single):
    """A single item with a key, a priority or a cost."""

    __slots__ = ("cost", "key", "priority")

    def __init__(  # noqa: PLR0917 - as many as they are, since many are made
        self,
        value: Any,
        future: asyncio.Future[Any],
        arrived: float,
        key: Hashable,
        cost: float,
        priority: int,
    ) -> None:
        """Resolve `future` with what becomes of `value`."""
        self.value = value
        self.future = future
        self.arrived = arrived
        self.waiting = False
        self.key = key
        self.cost = cost
        self.priority = priority


Part = Items[Any] | Single
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
