"""Calls, streams and graphs under handlers. A component is a decorated function; handlers are attached to a block."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.cases.hooks import NODES
from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _bare as bare
from benchmarks.peers._gauges import Tick, importing
from benchmarks.peers._gauges import memory as memory_gauge

from sideband import Handler, Run, callbacks, component
from sideband import background as behind
from sideband.graph import END, START, Graph


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


class Output(Chunks):
    """Counts chunks, and wants the whole output."""

    def on_end(self, run: Run, output: object) -> None:
        pass


class Slow(Calls):
    """Takes a millisecond for each event, until it is over."""

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self.over = threading.Event()

    def on_start(self, run: Run, input: object) -> None:
        self.over.wait(0.001)
        self.counter.seen += 1

    def on_end(self, run: Run, output: object) -> None:
        self.over.wait(0.001)
        self.counter.seen += 1


def call(handlers: int) -> Work:
    """A function decorated with `@component`; handlers are objects with `on_start` and `on_end`."""
    watched, counter = component("Lambda")(bare.echo), Counter()
    attached = [Calls(counter) for _ in range(handlers)]

    async def run(count: int) -> None:
        with callbacks(*attached):
            for number in range(count):
                await watched(number)

    return Work(run, bare.repeat, counter, events=2 * handlers)


def call_sync(handlers: int) -> Work:
    """A function decorated with `@component`; handlers are objects with `on_start` and `on_end`."""
    watched, counter = component("Lambda")(bare.echo_sync), Counter()
    attached = [Calls(counter) for _ in range(handlers)]

    def run(count: int) -> None:
        with callbacks(*attached):
            for number in range(count):
                watched(number)

    return Work(run, bare.repeat_sync, counter, events=2 * handlers)


def crowd(handlers: int) -> Work:
    """A function decorated with `@component`; handlers are objects with `on_start` and `on_end`."""
    watched, counter = component("Lambda")(bare.pause), Counter()
    attached = [Calls(counter) for _ in range(handlers)]

    async def run(count: int) -> None:
        with callbacks(*attached):
            await bare.crowd_of(watched, count)

    return Work(run, bare.crowd, counter, events=2 * handlers)


def chunk(handlers: int) -> Work:
    """An asynchronous generator decorated with `@component`; handlers are objects with `on_chunk`."""
    watched, counter = component("ChatModel")(bare.numbers), Counter()
    attached = [Chunks(counter) for _ in range(handlers)]

    async def run(count: int) -> int:
        seen = 0
        with callbacks(*attached):
            async for _ in watched(count):
                seen += 1
        return seen

    return Work(run, bare.read, counter, events=handlers)


def chunk_sync(handlers: int) -> Work:
    """A generator decorated with `@component`; handlers are objects with `on_chunk`."""
    watched, counter = component("ChatModel")(bare.numbers_sync), Counter()
    attached = [Chunks(counter) for _ in range(handlers)]

    def run(count: int) -> int:
        seen = 0
        with callbacks(*attached):
            for _ in watched(count):
                seen += 1
        return seen

    return Work(run, bare.read_sync, counter, events=handlers)


def _linear(function: Callable[[int], Any]) -> Any:
    graph = Graph[int, int]("chain")
    keys = [f"n{place}" for place in range(NODES)]
    for key in keys:
        graph.add_node(key, function)
    for source, target in zip([START, *keys], [*keys, END], strict=True):
        graph.add_edge(source, target)
    return graph.compile()


def _chain_events(handlers: int) -> Callable[[int], int]:
    return lambda count: 2 * handlers * (NODES + 1) * (count // NODES)


def chain(handlers: int) -> Work:
    """A compiled `Graph` of coroutine functions, invoked with a value."""
    runnable, counter = _linear(bare.echo), Counter()
    attached = [Calls(counter) for _ in range(handlers)]

    async def run(count: int) -> None:
        with callbacks(*attached):
            for number in range(count // NODES):
                await runnable.invoke(number)

    return Work(run, bare.chain, counter, events=_chain_events(handlers))


def chain_sync(handlers: int) -> Work:
    """A compiled `Graph` of functions, invoked with a value by `invoke_sync`."""
    runnable, counter = _linear(bare.echo_sync), Counter()
    attached = [Calls(counter) for _ in range(handlers)]

    def run(count: int) -> None:
        with callbacks(*attached):
            for number in range(count // NODES):
                runnable.invoke_sync(number)

    return Work(run, bare.chain_sync, counter, events=_chain_events(handlers))


def background(handlers: int) -> Work:
    """`background(handler)` with its defaults: a bounded queue that drops the oldest, and counts what it dropped."""
    watched, counter = component("Lambda")(bare.echo), Counter()
    current: list[Any] = []

    @contextlib.contextmanager
    def around() -> Iterator[None]:
        slow = [Slow(counter) for _ in range(handlers)]
        current[:] = [behind(handler) for handler in slow]
        yield
        for handler in slow:
            handler.over.set()
        for queue in current:
            queue.close()

    async def run(count: int) -> None:
        with callbacks(*current):
            for number in range(count):
                await watched(number)

    def settle() -> None:
        for queue in current:
            queue.flush(0.05)

    return Work(run, bare.repeat, counter, events=2 * handlers, settle=settle, around=around)


def _streaming(handler: Chunks, chunks: int) -> Gauge | None:
    watched = component("ChatModel")(bare.numbers)

    async def stream(count: int, tick: Tick) -> None:
        with callbacks(handler):
            async for _ in watched(count):
                tick()

    return memory_gauge(stream, lambda: handler.counter.seen, chunks, most=1_000_000)


def memory(chunks: int) -> Gauge | None:
    """An asynchronous generator decorated with `@component`; the handler is an object with `on_chunk`."""
    return _streaming(Chunks(Counter()), chunks)


def memory_output(chunks: int) -> Gauge | None:
    """The same; the handler has `on_end`, too."""
    return _streaming(Output(Counter()), chunks)


def import_time(_level: int) -> Gauge:
    """`from sideband import Handler, callbacks, component`."""
    return importing("from sideband import Handler, callbacks, component")


def growth_handlers(handlers: int) -> Work:
    """As the asynchronous call."""
    return call(handlers)


def growth_depth(depth: int) -> Work:
    """A decorated function that awaits itself."""
    counter = Counter()

    @component("Lambda")
    async def nest(left: int) -> int:
        return await nest(left - 1) if left > 1 else left

    async def run(count: int) -> None:
        with callbacks(Calls(counter)):
            for _ in range(count):
                await nest(depth)

    return Work(run, bare.nests(depth), counter, events=2 * depth)


def growth_chunks(chunks: int) -> Work:
    """As the chunk of an asynchronous stream."""
    watched, counter = component("ChatModel")(bare.numbers), Counter()

    async def run(count: int) -> None:
        with callbacks(Chunks(counter)):
            for _ in range(count):
                async for _ in watched(chunks):
                    pass

    return Work(run, bare.streams(chunks), counter, events=chunks)
