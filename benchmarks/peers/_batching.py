"""How every batching system is asked the same, and checked before it is timed: each caller gets its own results, each
item is in one batch, and batches are as large as they can be. A system gives an `Open`; nothing here knows which.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers._callers import One, StandingCallers, come, plain_futures

SIZE = 256
LIST = 64
WARM = 50
"""Calls before anything is looked at: some systems learn from the first ones, with batches of one."""

Items = Sequence[Any]
Function = Callable[[Items], Items]
Many = Callable[[list[Any]], Awaitable[Items]]


@dataclass(frozen=True)
class Calls:
    """What callers use of a system that is open."""

    one: One
    many: Many


class Open(Protocol):
    """How a system is opened around a batch function, on the running loop.

    `wait` is how many seconds a batch that is not full waits; without it, what suits the system. A function that blocks
    is executed in a thread, one batch at a time, by the system's own means where it has any.
    """

    def __call__(
        self, function: Function, *, size: int, wait: float | None = None, blocking: bool = False
    ) -> AbstractAsyncContextManager[Calls]: ...


def gathered(one: One) -> Many:
    """Return the list call of a system that has none."""

    async def many(items: list[Any]) -> Items:
        return await asyncio.gather(*[one(item) for item in items])

    return many


def asynchronous(function: Function, *, blocking: bool) -> Callable[[Items], Awaitable[Items]]:
    """Return the batch function for a system that takes coroutine functions alone; one that blocks gets a thread."""
    lock = asyncio.Lock()

    async def execute(items: Items) -> Items:
        return function(items)

    async def execute_in_thread(items: Items) -> Items:
        async with lock:
            return await asyncio.to_thread(function, items)

    return execute_in_thread if blocking else execute


# -- what is checked -------------------------------------------------------------------------------


class WrongResultError(Exception):
    """A system mixed up its callers, lost an item, or made other batches than it was told to."""


class Batches:
    """The batch function: it hands back what it gets, after a time, and knows how many items and batches there were."""

    def __init__(self, seconds: Callable[[int], float] | None = None) -> None:
        self.counter = Counter()
        self._seconds = seconds
        self._busy = False
        self.forget()

    def forget(self) -> None:
        """Count from nothing."""
        self.counter.seen = self.number = self.largest = 0

    def __call__(self, items: Items) -> Items:
        size = len(items)
        self.counter.seen += size
        self.number += 1
        self.largest = max(self.largest, size)
        if self._seconds is not None:
            if self._busy:
                raise WrongResultError("two batches at once, of one model")
            self._busy = True
            time.sleep(self._seconds(size))
            self._busy = False
        return items

    def check(self, *, items: int, size: int, callers: int) -> None:
        """See that batches hold so many items, none more than `size`, and on average half of what they could.

        Raises:
            WrongResultError: something is otherwise.
        """
        full = min(size, callers)
        if self.counter.seen != items:
            raise WrongResultError(f"{items} items were sent, {self.counter.seen} executed")
        if self.largest > size:
            raise WrongResultError(f"a batch has {self.largest} items, more than {size}")
        if self.number * full > 2 * items:
            raise WrongResultError(f"{items} items took {self.number} batches, where {full} fit into one")


async def verify(calls: Calls, batches: Batches, *, size: int, callers: int, rounds: int = 4) -> None:
    """See that everybody gets their own, in batches as they should be.

    Raises:
        WrongResultError: something is otherwise.
    """
    for number in range(WARM):
        await calls.one(number)
    batches.forget()

    async def caller(number: int) -> None:
        for step in range(rounds):
            if (got := await calls.one((number, step))) != (number, step):
                raise WrongResultError(f"caller {number} sent {(number, step)} and got {got!r}")

    await asyncio.gather(*[caller(number) for number in range(callers)])
    batches.check(items=rounds * callers, size=size, callers=callers)
    sent = [("list", place) for place in range(LIST)]
    if list(got := await calls.many(sent)) != sent:
        raise WrongResultError(f"the list {sent} came back as {got!r}")
    batches.forget()


class _Server:
    """A system that stays open from its first use to the end of the process, checked when it is opened."""

    def __init__(self, open_: Open, callers: int) -> None:
        self.batches = Batches()
        self._open = open_
        self._callers = callers
        self._calls: Calls | None = None
        self._stack = AsyncExitStack()

    async def calls(self) -> Calls:
        if self._calls is None:
            self._calls = await self._stack.enter_async_context(self._open(self.batches, size=SIZE))
            await verify(self._calls, self.batches, size=SIZE, callers=self._callers)
        return self._calls


# -- the cases -------------------------------------------------------------------------------------


def standing(open_: Open, callers: int, *, round_of_all: bool = False) -> Work:
    """Items of standing callers, over plain futures; or rounds of them, one item of each."""
    server = _Server(open_, callers)
    share = 1 if round_of_all else callers
    made: dict[str, StandingCallers] = {}

    async def run(count: int) -> None:
        if "own" not in made:
            made["own"] = StandingCallers([(await server.calls()).one] * callers)
        await made["own"].send(count // share)

    async def bare(count: int) -> None:
        if "bare" not in made:
            made["bare"] = StandingCallers([plain_futures()] * callers)
        await made["bare"].send(count // share)

    return Work(run, bare, server.batches.counter, events=callers // share)


def dispatch(open_: Open, callers: int) -> Work:
    """Items of callers that come at once, over plain futures."""
    server = _Server(open_, callers)

    async def run(count: int) -> None:
        await come((await server.calls()).one, count // callers, callers)

    async def bare(count: int) -> None:
        await come(plain_futures(), count // callers, callers)

    return Work(run, bare, server.batches.counter, events=1)


def lists(open_: Open, senders: int) -> Work:
    """Items in lists, over the function called with each list."""
    server = _Server(open_, senders)
    items = list(range(LIST))

    async def direct(sent: list[Any]) -> Items:
        return server.batches(sent)

    async def send(many: Many, count: int) -> None:
        async def sender() -> None:
            for _ in range(count // LIST // senders):
                await many(items)

        await asyncio.gather(*[sender() for _ in range(senders)])

    async def run(count: int) -> None:
        await send((await server.calls()).many, count)

    async def bare(count: int) -> None:
        await send(direct, count)

    return Work(run, bare, server.batches.counter, events=1)


def lone(open_: Open, percentile: int, *, blocking: bool = False, calls: int = 200) -> Gauge:
    """Microseconds that a call takes longer than the function, of one caller at a time on a server that was idle."""

    async def measure() -> float:
        batches, took, direct = Batches(), [], []
        async with open_(batches, size=32, wait=0.0, blocking=blocking) as served:
            await verify(served, batches, size=32, callers=4)
            for item in range(calls):
                await asyncio.sleep(0.0005)
                started = time.perf_counter()
                batches([item])
                called = time.perf_counter()
                await served.one(item)
                took.append(time.perf_counter() - called)
                direct.append(called - started)
        return (at(took, percentile) - at(direct, percentile)) * 1e6

    return Gauge(measure)


def at(values: Sequence[float], percentile: int) -> float:
    """Return the value below which so many per cent of the others are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) * percentile // 100, len(ordered) - 1)]


def model_seconds(items: int) -> float:
    """Return what a model takes for a batch: 5 + 0.2 n ms."""
    return 0.005 + 0.0002 * items


def model(open_: Open, size: int, wait: float | None = None, *, callers: int = 64, rounds: int = 10) -> Gauge:
    """The share of the time of standing callers that full batches, one right after the other, would take."""
    full = min(size, callers)
    ideal = rounds * callers / full * model_seconds(full)

    async def measure() -> float:
        batches = Batches(model_seconds)
        async with open_(batches, size=size, wait=wait, blocking=True) as served:
            await verify(served, batches, size=size, callers=callers, rounds=2)
            crowd = StandingCallers([served.one] * callers)
            started = time.perf_counter()
            await crowd.send(rounds)
            return ideal / (time.perf_counter() - started)

    return Gauge(measure)
