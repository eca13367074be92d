"""Calls, streams and graphs under handlers. A component is a decorated function; handlers are attached to a block."""

from __future__ import annotations

from benchmarks.harness.work import Counter, Work
from benchmarks.peers._bare import echo, echo_sync, numbers, read, repeat, repeat_sync

from sideband import Handler, Run, callbacks, component


class Calls(Handler):
    """Counts starts and ends."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def on_start(self, run: Run, input: object) -> None:
        self.counter.seen += 1

    def on_end(self, run: Run, output: object) -> None:
        self.counter.seen += 1


class Chunks(Handler):
    """Counts chunks."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def on_chunk(self, run: Run, chunk: object) -> None:
        self.counter.seen += 1


def call(handlers: int) -> Work:
    """Await a function decorated with `@component`; the handlers are objects with `on_start` and `on_end`."""
    watched, counter = component("Lambda")(echo), Counter()
    attached = [Calls(counter) for _ in range(handlers)]

    async def run(count: int) -> None:
        with callbacks(*attached):
            for number in range(count):
                await watched(number)

    return Work(run, repeat, counter, events=2 * handlers)


def call_sync(handlers: int) -> Work:
    """Call a function decorated with `@component`; the handlers are objects with `on_start` and `on_end`."""
    watched, counter = component("Lambda")(echo_sync), Counter()
    attached = [Calls(counter) for _ in range(handlers)]

    def run(count: int) -> None:
        with callbacks(*attached):
            for number in range(count):
                watched(number)

    return Work(run, repeat_sync, counter, events=2 * handlers)


def chunk(handlers: int) -> Work:
    """Read an asynchronous generator decorated with `@component`; the handlers are objects with `on_chunk`."""
    watched, counter = component("ChatModel")(numbers), Counter()
    attached = [Chunks(counter) for _ in range(handlers)]

    async def run(count: int) -> int:
        seen = 0
        with callbacks(*attached):
            async for _ in watched(count):
                seen += 1
        return seen

    return Work(run, read, counter, events=handlers)
