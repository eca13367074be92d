"""One call that several readers share. May import streams.

1. A task of its own pulls the source, in the context of the first reader, and only while a reader waits for a frame.
2. Every reader gets every frame, from the first one, and the end or error after them.
3. A reader that leaves takes nothing from the others; when the last one leaves before the end, the call is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import final

from sideband.generation._frames import Frame
from sideband.generation._stop import stop
from sideband.streams._sources import close_source
from sideband.streams._waits import wake_future

__all__ = ["Flight"]


@final
class Flight:
    """A call that is under way."""

    def __init__(
        self,
        source: AsyncIterator[Frame],
        keep: Callable[[list[Frame]], Awaitable[None]],
        forget: Callable[[Flight], object],
    ) -> None:
        """Take a source that has not been pulled.

        Args:
            source: the frames.
            keep: given all frames when they have come to their end, before readers learn of it.
            forget: called when nobody can join any more.
        """
        self._source = source
        self._keep = keep
        self._forget = forget
        self._frames: list[Frame] = []
        self._counted: set[int] = set()
        self._error: BaseException | None = None
        self._over = False
        self._readers = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._idle: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> AsyncGenerator[tuple[Frame, bool]]:
        """Give the frames, and of each whether this reader is the first one that has it."""
        self._readers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._pump())
        place = 0
        try:
            while True:
                while place == len(self._frames) and not self._over:
                    await self._wait()
                if place == len(self._frames):
                    break
                first = place not in self._counted
                self._counted.add(place)
                frame = self._frames[place]
                place += 1
                yield frame, first
            if self._error is not None:
                raise self._error
        finally:
            self._readers -= 1
            if not self._readers and not self._task.done():
                self._forget(self)
                await stop([self._task])

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        if self._idle is not None:
            wake_future(self._idle)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    async def _pump(self) -> None:
        try:
            async for frame in self._source:
                self._frames.append(frame)
                self._wake()
                await self._wanted()
            await self._keep(self._frames)
        except BaseException as error:  # noqa: BLE001 - it is the readers'; the task's own would reach nobody
            self._error = error
        try:
            await close_source(self._source)
        except BaseException as error:  # noqa: BLE001 - as above
            self._error = self._error or error
        self._over = True
        self._forget(self)
        self._wake()

    async def _wanted(self) -> None:
        """Wait until a reader waits for a frame."""
        while not self._waiters:
            self._idle = asyncio.get_running_loop().create_future()
            try:
                await self._idle
            finally:
                self._idle = None

    def _wake(self) -> None:
        for waiter in self._waiters:
            wake_future(waiter)
        self._waiters.clear()
