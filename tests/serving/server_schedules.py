"""Random lives of a whole server in virtual time, and what must hold in each: nothing lost, doubled, crossed or late."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from random import Random
from typing import Any, NamedTuple

from sideband.errors import (
    DispatchTimeoutError,
    NotStartedError,
    OversizedItemError,
    QueueFullError,
    ServingClosedError,
)
from sideband.serving import Batch, BatchOutput, Serving
from sideband.testing import VirtualLoop

from .helpers import rest, virtual


class Item(NamedTuple):
    """What a caller sends."""

    number: int
    call: int
    key: str
    cost: float
    priority: int


class BatchError(Exception):
    """What a batch fails with."""


class Life:
    """One server with its callers."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.options: dict[str, Any] = {
            "batch_size": random.choice([1, 2, 4]),
            "batch_timeout": random.choice([0.0, 0.5, 2.0]),
            "partitions": random.choice([1, 1, 2, 3]),
            "max_queue": random.choice([3, 8, 100]),
            "on_full": random.choice(["refuse", "wait"]),
            "ageing": random.choice([0.0, 1.0]),
            "hooks": random.choice([(), (), ("seen",)]),
        }
        self.keyed, self.costly = random.random() < 0.5, random.random() < 0.5
        if self.keyed:
            self.options["key"] = lambda item: item.key
        if self.costly:
            self.options["cost"] = lambda item: item.cost
            self.options["max_cost"] = random.choice([2.0, 5.0])
            self.options["oversized"] = random.choice(["alone", "refuse"])
        self.failing = random.random() < 0.3
        self.reconfigured = False
        self.numbers = 0
        self.sent: dict[int, float] = {}  # when each item was sent, if it waits for nothing but its batch
        self.executed: Counter[int] = Counter()
        self.gone: dict[int, float] = {}  # items whose caller left, or was told of an end, and when
        self.order: dict[tuple[int, Any], int] = {}
        self.running = 0
        self.idle: list[tuple[float, float]] = []  # when a partition was free, from and until
        self.free_since: float | None = 0.0

    async def run(self, loop: VirtualLoop) -> None:
        self.loop = loop
        random = self.random
        self.serving: Serving[Item, Any] = Serving(self.model, name="life", **self.options)
        await self.serving.start()
        callers = [asyncio.create_task(self.caller()) for _ in range(random.randint(1, 8))]
        if random.random() < 0.2:
            await rest(random.choice([0.5, 2.0]))
            self.reconfigured = True
            self.serving.configure(
                batch_size=random.choice([1, 3, 5]), batch_timeout=random.choice([0.0, 1.0])
            )
        if random.random() < 0.5:
            await asyncio.wait(callers)
        else:
            await rest(random.choice([0.0, 1.0, 4.0]))
        await self.serving.aclose(drain=random.random() < 0.6)
        await asyncio.wait(callers)
        for caller in callers:
            caller.result()
        stats = self.serving.stats()
        assert (stats.waiting, stats.in_line, stats.executing) == (0, 0, 0)
        assert stats.items == self.executed.total()
        assert max(self.executed.values(), default=1) == 1

    # -- the model -----------------------------------------------------------------------------

    async def model(self, batch: Batch[Item]) -> list[Any]:
        self.begins()
        try:
            self.check_batch(batch.values)
            if "seen" in self.options["hooks"]:
                batch.emit("seen", batch.values)
            await rest(self.random.choice([0.25, 1.0, 3.0]))
            if self.failing and self.random.random() < 0.3:
                raise BatchError
            return [("result", item.number) for item in batch]
        finally:
            self.ends()

    def begins(self) -> None:
        self.running += 1
        assert self.running <= self.options["partitions"]
        if self.running == self.options["partitions"] and self.free_since is not None:
            self.idle.append((self.free_since, self.loop.time()))
            self.free_since = None

    def ends(self) -> None:
        self.running -= 1
        if self.free_since is None:
            self.free_since = self.loop.time()

    def check_batch(self, items: list[Item]) -> None:
        now = self.loop.time()
        self.executed.update(item.number for item in items)
        assert 1 <= len(items) <= (5 if self.reconfigured else self.options["batch_size"])
        if self.keyed:
            assert len({item.key for item in items}) == 1
        if self.costly:
            assert len(items) == 1 or sum(item.cost for item in items) <= self.options["max_cost"]
        for item in items:
            assert self.gone.get(item.number, now) >= now  # nothing is executed for nobody
            mark = (item.call, item.key if self.keyed else None)
            assert item.number > self.order.get(mark, -1)  # a call's items of one key are in its order
            self.order[mark] = item.number
            if not self.reconfigured and item.number in self.sent:
                self.check_wait(self.sent[item.number] + self.options["batch_timeout"], now)

    def check_wait(self, due: float, now: float) -> None:
        """While a partition is free nobody waits longer than `batch_timeout`."""
        free = [*self.idle, *([] if self.free_since is None else [(self.free_since, now)])]
        assert not [span for span in free if max(span[0], due) < min(span[1], now)]

    # -- the callers ---------------------------------------------------------------------------

    def items(self, count: int, priority: int) -> list[Item]:
        random = self.random
        items = [
            Item(
                self.numbers + place,
                self.numbers,
                random.choice("abc"),
                random.choice([0.0, 1.0, 3.0]),
                priority,
            )
            for place in range(count)
        ]
        self.numbers += count
        return items

    async def caller(self) -> None:
        random = self.random
        await rest(random.choice([0.0, 0.0, 0.5, 1.0, 2.5]))
        for _ in range(random.randint(1, 3)):
            priority = random.choice([0, 0, 0, 1, -1])
            items = self.items(random.choice([1, 1, 2, 6]), priority)
            how = random.choice([self.one, self.one, self.many, self.stream, self.source, self.later])
            timeout = random.choice([None, None, 0.75, 2.0])
            if how is self.one or (how is self.many and self.options["on_full"] == "refuse"):
                self.sent.update(dict.fromkeys([item.number for item in items], self.loop.time()))
            task = asyncio.create_task(how(items, timeout, priority))
            if random.random() < 0.15:
                await rest(random.choice([0.0, 0.25, 1.5]))
                task.cancel()
            await asyncio.wait([task])
            self.gone.update(
                {item.number: self.loop.time() for item in items if item.number not in self.gone}
            )
            if not task.cancelled():
                task.result()

    def expect(self, error: BaseException, items: list[Item]) -> None:
        """Assert that an error is one that this life accounts for."""
        if isinstance(error, BatchError):
            assert self.failing
        elif isinstance(error, QueueFullError):
            assert self.options["on_full"] == "refuse"
        elif isinstance(error, OversizedItemError):
            assert self.costly
            assert any(item.cost > self.options["max_cost"] for item in items)
        else:
            assert isinstance(error, DispatchTimeoutError | ServingClosedError | NotStartedError)
            if isinstance(error, DispatchTimeoutError):
                return
            assert self.serving.stats().running is False or self.serving._host.engine._closing  # type: ignore[union-attr]

    async def one(self, items: list[Item], timeout: float | None, priority: int) -> None:
        await asyncio.gather(*[self.single(item, timeout, priority) for item in items])

    async def single(self, item: Item, timeout: float | None, priority: int) -> None:
        try:
            result = await self.serving.dispatch(item, timeout=timeout, priority=priority)
        except Exception as error:
            self.expect(error, [item])
        else:
            assert result == ("result", item.number)
        self.gone[item.number] = self.loop.time()

    async def many(self, items: list[Item], timeout: float | None, priority: int, values: Any = None) -> None:
        try:
            given = items if values is None else values
            results = await self.serving.dispatch_many(given, timeout=timeout, priority=priority)
        except Exception as error:
            self.expect(error, items)
        else:
            assert results == [("result", item.number) for item in items]

    async def source(self, items: list[Item], timeout: float | None, priority: int) -> None:
        values: Iterator[Item] = iter(items)
        await self.many(items, timeout, priority, values)

    async def later(self, items: list[Item], timeout: float | None, priority: int) -> None:
        pause = self.random.choice([0.0, 0.5])

        async def values() -> AsyncIterator[Item]:
            for item in items:
                await rest(pause)
                yield item

        await self.many(items, timeout, priority, values())

    async def stream(self, items: list[Item], timeout: float | None, priority: int) -> None:
        place = 0
        try:
            async with aclosing(
                self.serving.stream_many(items, timeout=timeout, priority=priority)
            ) as events:
                async for event in events:
                    assert event.offset == place
                    if isinstance(event, BatchOutput):
                        own = items[place : place + len(event.output)]
                        assert event.output == [("result", item.number) for item in own]
                        place += len(event.output)
                    else:
                        assert event.payload == items[place : place + len(event.payload)]
                    if self.random.random() < 0.1:
                        return
        except Exception as error:
            if isinstance(error, AssertionError):
                raise
            self.expect(error, items)
        else:
            assert place == len(items)


def live(seed: int) -> None:
    """Live one life; what goes wrong is told with the seed."""
    try:
        virtual(Life(seed).run)
    except BaseException as error:
        error.add_note(f"life {seed}")
        raise
