"""The paths that the guard counts, each beside its bare path; under valgrind one of them is walked.

    python benchmarks/guard/paths.py call-1

Imports sideband alone. A path is walked N times, then 2 N times, with a mark before, between and after: valgrind
writes down what was executed at each mark, and the difference is N walks without their start-up. The parent's
process id is asked for as a mark: nothing else asks for it, and its name is in every C library.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sideband import Handler, Run, callbacks, component, emit, observe

Work = Callable[[int], Awaitable[None]]

YARDSTICK = 400
"""Bare calls of a coroutine function, in whose cost all others are expressed."""


class Calls(Handler):
    """Wants starts and ends."""

    def __init__(self) -> None:
        self.seen = 0

    def on_start(self, run: Run, input: Any) -> None:
        self.seen += 1

    def on_end(self, run: Run, output: Any) -> None:
        self.seen += 1


class Chunks(Handler):
    """Wants chunks."""

    def __init__(self) -> None:
        self.seen = 0

    def on_chunk(self, run: Run, chunk: Any) -> None:
        self.seen += 1


class Events(Handler):
    """Wants named events."""

    def __init__(self) -> None:
        self.seen = 0

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        self.seen += 1


@dataclass(frozen=True, kw_only=True)
class Path:
    """One thing that users pay for all the time."""

    bare: Work
    """What they would pay without the library."""
    work: Work
    handlers: list[Any] = field(default_factory=list)
    """Those in scope, or whoever else has `seen` events."""
    events: int = 0
    """How many each of them has to see in one walk."""
    walks: int = 200
    units: int = 1
    """How many of what is counted are in one walk."""


# -- calls -----------------------------------------------------------------------------------------


async def echo(x: int) -> int:
    return x


def echo_sync(x: int) -> int:
    return x


def calling(function: Callable[[int], Awaitable[int]]) -> Work:
    async def work(count: int) -> None:
        for number in range(count):
            await function(number)

    return work


def calling_sync(function: Callable[[int], int]) -> Work:
    async def work(count: int) -> None:
        for number in range(count):
            function(number)

    return work


def call(handlers: int) -> Path:
    watched = component("Lambda")(echo)
    return Path(
        bare=calling(echo), work=calling(watched), handlers=[Calls() for _ in range(handlers)], events=2
    )


def call_sync(handlers: int) -> Path:
    watched = component("Lambda")(echo_sync)
    return Path(
        bare=calling_sync(echo_sync),
        work=calling_sync(watched),
        handlers=[Calls() for _ in range(handlers)],
        events=2,
    )


# -- chunks ----------------------------------------------------------------------------------------


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def numbers_sync(count: int) -> Iterator[int]:
    yield from range(count)


def reading(function: Callable[[int], AsyncIterator[int]]) -> Work:
    async def work(count: int) -> None:
        async for _ in function(count):
            pass

    return work


def reading_sync(function: Callable[[int], Iterator[int]]) -> Work:
    async def work(count: int) -> None:
        for _ in function(count):
            pass

    return work


def chunk(handlers: int) -> Path:
    watched = component("Lambda")(numbers)
    return Path(
        bare=reading(numbers),
        work=reading(watched),
        handlers=[Chunks() for _ in range(handlers)],
        events=1,
        walks=1000,
    )


def chunk_sync(handlers: int) -> Path:
    watched = component("Lambda")(numbers_sync)
    return Path(
        bare=reading_sync(numbers_sync),
        work=reading_sync(watched),
        handlers=[Chunks() for _ in range(handlers)],
        events=1,
        walks=1000,
    )


# -- a node of a chain -----------------------------------------------------------------------------

NODES = 10


def node(handlers: int) -> Path:
    from sideband.graph import Chain

    chain = Chain[int, int]("chain")
    for place in range(NODES):
        chain.append(echo, key=f"n{place}")
    runnable = chain.compile()

    async def bare(x: int) -> int:
        for _ in range(NODES):
            x = await echo(x)
        return x

    return Path(
        bare=calling(bare),
        work=calling(runnable.invoke),
        handlers=[Calls() for _ in range(handlers)],
        events=2 * (NODES + 1),
        walks=30,
        units=NODES,
    )


# -- a serving -------------------------------------------------------------------------------------

CALLERS = 64
LONG = 3600.0
"""Seconds that no batch waits: only a full one goes, so that no timer has a say in what is counted."""


async def standing(function: Callable[[int], Awaitable[Any]], count: int) -> None:
    """Let callers await one item after the other."""

    async def caller() -> None:
        for number in range(count):
            await function(number)

    await asyncio.gather(*[caller() for _ in range(CALLERS)])


async def plain_futures(count: int) -> None:
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[None]] = []

    def resolve() -> None:
        batch = waiting[:]
        waiting.clear()
        for future in batch:
            future.set_result(None)

    def ask(_item: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = loop.create_future()
        if not waiting:
            loop.call_soon(resolve)
        waiting.append(future)
        return future

    await standing(ask, count)


def item() -> Path:
    from sideband.serving import Batch, Serving

    def identity(batch: Batch[int]) -> list[int]:
        return batch.values

    async def work(count: int) -> None:
        serving = Serving(
            identity, batch_size=CALLERS, batch_timeout=LONG, executor="inline", max_queue=CALLERS
        )
        async with serving:
            await standing(serving.dispatch, count)

    return Path(bare=plain_futures, work=work, walks=10, units=CALLERS)


LIST = 64


def list_item() -> Path:
    from sideband.serving import Batch, Serving

    def identity(batch: Batch[int]) -> list[int]:
        return batch.values

    async def work(count: int) -> None:
        async with Serving(identity, batch_size=LIST, batch_timeout=LONG, executor="inline") as serving:
            for _ in range(count):
                await serving.dispatch_many(range(LIST))

    async def bare(count: int) -> None:
        batch = Batch(list(range(LIST)), serving="bare")
        for _ in range(count):
            identity(batch)

    return Path(bare=bare, work=work, walks=20, units=LIST)


# -- an event, a frame -----------------------------------------------------------------------------


def nobody(name: str, payload: Any = None) -> None:
    """Take an event and tell nobody."""


def emitting(tell: Callable[[str, Any], None]) -> Work:
    async def work(count: int) -> None:
        async with observe("work"):
            for number in range(count):
                tell("progress", number)

    return work


def event() -> Path:
    return Path(bare=emitting(nobody), work=emitting(emit), handlers=[Events()], events=1, walks=500)


def frame() -> Path:
    from sideband.generation import Frame, GenerationHook, ResponseMeta, Runtime

    class Frames(GenerationHook):
        """Wants frames."""

        seen = 0

        def on_frame(self, frame: Frame, elapsed: float) -> None:
            self.seen += 1

    class Replay:
        """Answers with as many frames as there are to be."""

        count = 0

        async def generate(self, request: Any) -> AsyncIterator[Frame]:
            token, end = Frame.text("token"), Frame.response(ResponseMeta("m-1", "stop", "r"))
            for _ in range(self.count):
                yield token
            yield end

    provider, hook = Replay(), Frames()
    runtime = Runtime(provider, hooks=[hook])

    def reading_from(source: Any) -> Work:
        async def work(count: int) -> None:
            provider.count = count
            async for _ in source.generate("a"):
                pass

        return work

    async def work(count: int) -> None:
        await reading_from(runtime)(count)

    return Path(bare=reading_from(provider), work=work, handlers=[hook], events=1, walks=500)


# -- the paths -------------------------------------------------------------------------------------

# A program that uses the library does these things all the time, each of them through code that the others do not
# walk: a call and a synchronous one, a chunk and a synchronous one, a node, an item and one of a list, an event, a
# frame; and once, the import. With 0 handlers where being unwatched has to be free, with 1 where watching begins,
# with 3 where each further handler costs.
PATHS: dict[str, Callable[[], Path]] = {
    "call-0": lambda: call(0),
    "call-1": lambda: call(1),
    "call-3": lambda: call(3),
    "call-sync-1": lambda: call_sync(1),
    "chunk-0": lambda: chunk(0),
    "chunk-1": lambda: chunk(1),
    "chunk-3": lambda: chunk(3),
    "chunk-sync-1": lambda: chunk_sync(1),
    "node-0": lambda: node(0),
    "node-1": lambda: node(1),
    "node-3": lambda: node(3),
    "item": item,
    "list-item": list_item,
    "event-1": event,
    "frame-1": frame,
}


async def walk(path: Path, mark: Callable[[], Any] = os.getppid) -> None:
    """Walk the yardstick, the bare path and the path, each with three marks, and check what was seen.

    Each is walked 2 N times before it is counted, so that Python has specialised its code and has its memory.
    """
    attached = [handler for handler in path.handlers if isinstance(handler, Handler)]
    for work, walks, handlers in (
        (calling(echo), YARDSTICK, []),
        (path.bare, path.walks, []),
        (path.work, path.walks, attached),
    ):
        with callbacks(*handlers):
            gc.collect()
            await work(2 * walks)
            mark()
            await work(walks)
            mark()
            await work(2 * walks)
            mark()
    expected = 5 * path.walks * path.events
    for handler in path.handlers:
        if handler.seen != expected:
            sys.exit(f"{type(handler).__name__} had to see {expected} events, and saw {handler.seen}.")


if __name__ == "__main__":
    gc.disable()
    asyncio.run(walk(PATHS[sys.argv[1]]()))
