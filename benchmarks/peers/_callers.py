"""Who calls the batching systems, and what no batcher can be cheaper than. It imports no library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

One = Callable[[Any], Awaitable[Any]]


class StandingCallers:
    """Tasks that stay from sample to sample, so that none pays for making them; each sends one item after the other."""

    def __init__(self, ones: Sequence[One]) -> None:
        """Make one caller of each call."""
        loop = asyncio.get_running_loop()
        self._gate: asyncio.Future[int] = loop.create_future()
        self._done: asyncio.Future[None] = loop.create_future()
        self._busy = 0
        self._tasks = [loop.create_task(self._call(one)) for one in ones]

    async def send(self, rounds: int) -> None:
        """Let each send so many items, and wait until all are answered."""
        # Those that were just made come to the gate first.
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        gate, self._gate, self._done = self._gate, loop.create_future(), loop.create_future()
        self._busy = len(self._tasks)
        gate.set_result(rounds)
        await self._done

    async def _call(self, one: One) -> None:
        try:
            while True:
                for item in range(await self._gate):
                    await one(item)
                self._busy -= 1
                if not self._busy:
                    self._done.set_result(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who waits for all callers gets it
            if not self._done.done():
                self._done.set_exception(error)


async def come(one: One, rounds: int, callers: int) -> None:
    """Let callers come at once, each with one item and a task of its own, and when all have gone the next."""

    async def caller(item: int) -> None:
        await one(item)

    for _ in range(rounds):
        await asyncio.gather(*[caller(item) for item in range(callers)])


def plain_futures() -> Callable[[Any], asyncio.Future[None]]:
    """Return a call that is a future for every item, all of them resolved by one callback."""
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[None]] = []

    def resolve() -> None:
        batch = waiting[:]
        waiting.clear()
        for future in batch:
            future.set_result(None)

    def one(_item: object) -> asyncio.Future[None]:
        future: asyncio.Future[None] = loop.create_future()
        if not waiting:
            loop.call_soon(resolve)
        waiting.append(future)
        return future

    return one
