"""Sources that say what happened to them, and small ways to wait without time."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Source(AsyncIterator[int]):
    """Numbers from 0 on, with waits between them; counts pulls and closings."""

    def __init__(self, n: int, error: BaseException | None = None, waits: int = 1) -> None:
        self.n = n
        self.error = error
        self.waits = waits
        self.pulled = 0
        self.open = 0
        self.closed = 0
        self._generator = self._run()

    async def _run(self) -> AsyncIterator[int]:
        self.open += 1
        try:
            for i in range(self.n):
                self.pulled += 1
                for _ in range(self.waits):
                    await asyncio.sleep(0)
                yield i
            if self.error is not None:
                raise self.error
        finally:
            self.open -= 1

    async def __anext__(self) -> int:
        return await self._generator.__anext__()

    async def aclose(self) -> None:
        self.closed += 1
        await self._generator.aclose()  # type: ignore[attr-defined] # an asynchronous generator


class SyncSource(Iterator[int]):
    """Numbers from 0 on; counts pulls and closings."""

    def __init__(self, n: int, error: BaseException | None = None) -> None:
        self.n = n
        self.error = error
        self.pulled = 0
        self.closed = 0
        self._over = False

    def __next__(self) -> int:
        if self.pulled < self.n and not self._over:
            self.pulled += 1
            return self.pulled - 1
        over, self._over = self._over, True
        if self.error is not None and not over:
            raise self.error
        raise StopIteration

    def close(self) -> None:
        self.closed += 1
        self._over = True


class Gated(AsyncIterator[Any]):
    """Gives what the test puts in, so that a reader waits just as long as the test wants it to."""

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[Any] = asyncio.Queue()
        self.waiting = 0
        self.closed = 0

    async def __anext__(self) -> Any:
        self.waiting += 1
        try:
            chunk = await self.chunks.get()
        finally:
            self.waiting -= 1
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    async def aclose(self) -> None:
        self.closed += 1


async def settle(turns: int = 10) -> None:
    """Let everything that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)


def others() -> set[asyncio.Task[Any]]:
    """Return the tasks that run beside the test's own."""
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current}


def is_in_a_cycle(thing: object) -> bool:
    """Tell whether a thing can reach itself by references of containers and the library's own objects."""
    seen: set[int] = set()
    waiting: list[Any] = [thing]
    while waiting:
        for found in gc.get_referents(waiting.pop()):
            if found is thing:
                return True
            if id(found) not in seen and type(found).__module__.startswith(("sideband.streams", "builtins")):
                if isinstance(found, type | dict) or type(found).__name__ in {"module", "function"}:
                    continue
                seen.add(id(found))
                waiting.append(found)
    return False


def until(condition: Callable[[], object]) -> None:
    """Wait until threads have brought something about."""
    tick = threading.Event()
    for _ in range(5_000):
        if condition():
            return
        tick.wait(0.001)
    raise AssertionError("not brought about within 5 s")


def in_thread(function: Callable[[], T]) -> Future[T]:
    """Call a function in a thread of its own."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
