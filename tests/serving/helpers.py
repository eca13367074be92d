"""What the tests of serving share: a clock that stands still, threads that are waited for, and batch functions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from sideband import Handler, callbacks
from sideband.serving import Batch, Serving
from sideband.testing import Recorder, VirtualLoop, check_lifecycle

R = TypeVar("R")

PATIENCE = 20.0
"""Seconds after which a test gives up waiting for a thread."""


def virtual(program: Callable[[VirtualLoop], Coroutine[Any, Any, R]]) -> R:
    """Run a program in virtual time, and close what it left behind."""
    loop = VirtualLoop(patience=PATIENCE)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(program(loop))


def in_thread(function: Callable[[], R]) -> Callable[[], R]:
    """Call a function in a new thread; return what waits for its result."""
    results: list[R] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def join() -> R:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the thread hangs"
        if errors:
            raise errors[0]
        return results[0]

    return join


def serving_threads(name: str) -> list[threading.Thread]:
    """Return the threads of a serving that are alive."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"sideband-{name}")]


def join_threads(name: str) -> None:
    """Wait until a serving that was closed has no thread any more."""
    for thread in serving_threads(name):
        thread.join(PATIENCE)
    assert serving_threads(name) == []


async def turns(count: int = 10) -> None:
    """Let other tasks run for some turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def rest(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)


async def until(condition: Callable[[], Any]) -> None:
    """Let other tasks and threads run until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0)


@contextmanager
def watched(*handlers: Handler) -> Generator[Recorder]:
    """Record a block, and check all its runs after it."""
    recorder = Recorder()
    with callbacks(*handlers, recorder):
        yield recorder
    check_lifecycle(recorder)


class Gate:
    """A batch function on the loop that executes a batch when the test opens the gate, and remembers all."""

    def __init__(self, function: Callable[[Batch[Any]], Any] = list) -> None:
        self.batches: list[list[Any]] = []
        self.times: list[float] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.function = function

    async def __call__(self, batch: Batch[Any]) -> Any:
        loop = asyncio.get_running_loop()
        self.batches.append(list(batch))
        self.times.append(loop.time())
        opened: asyncio.Future[None] = loop.create_future()
        self.waiting.append(opened)
        await opened
        return self.function(batch)

    def open(self, place: int = 0) -> None:
        """Let one of the batches that wait go on."""
        self.waiting.pop(place).set_result(None)

    async def open_all(self) -> None:
        """Let every batch go on, those that come meanwhile too."""
        while True:
            await turns()
            if not self.waiting:
                return
            self.open()


class Log:
    """An identity function that remembers the batches and when they came."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.times: list[float] = []

    async def __call__(self, batch: Batch[Any]) -> list[Any]:
        self.batches.append(list(batch))
        self.times.append(asyncio.get_running_loop().time())
        return list(batch)


class PoisonError(Exception):
    """What a poisoned item fails its batch with."""


class Poisoned:
    """A batch function that raises where an item is poisoned, and counts how often each item was executed."""

    def __init__(self, *poison: Any) -> None:
        self.poison = set(poison)
        self.batches: list[list[Any]] = []
        self.executed: Counter[Any] = Counter()

    def __call__(self, batch: Batch[Any]) -> list[Any]:
        self.batches.append(list(batch))
        self.executed.update(batch)
        for item in batch:
            if item in self.poison:
                raise PoisonError(item)
        return [("result", item) for item in batch]


def identity(batch: Batch[Any]) -> list[Any]:
    """Give each item back."""
    return list(batch)


def double(batch: Batch[int]) -> list[int]:
    """Give each number twice."""
    return [2 * value for value in batch]


def progress(batch: Batch[Any]) -> list[Any]:
    """Tell each item to its caller, twice, before giving it back."""
    batch.emit("progress", [("first", value) for value in batch])
    batch.emit("progress", [("second", value) for value in batch])
    return list(batch)


def gathered(serving: Serving[Any, Any], values: Any) -> asyncio.Future[list[Any]]:
    """Dispatch each value for itself, all at once."""
    return asyncio.gather(*[serving.dispatch(value) for value in values], return_exceptions=True)
