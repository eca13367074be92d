"""CPU time of a chunk through each kind of stream, over the bare generator.

    python benchmarks/streams.py [--chunks 20000] [--repeat 15] [--uvloop]

The kinds are measured in turn, round after round, and the minimum of each is shown, in µs a chunk.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from sideband.streams import (
    Pipe,
    Stream,
    SyncPipe,
    SyncStream,
    from_iterable,
    join,
    merge,
    merge_sync,
    pipe,
    pipe_sync,
)


async def chunks(n: int) -> AsyncIterator[int]:
    for i in range(n):
        yield i


def chunks_sync(n: int) -> Iterator[int]:
    yield from range(n)


async def read(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


def read_sync(stream: Iterator[Any]) -> None:
    for _ in stream:
        pass


async def through_pipe(n: int, capacity: int) -> None:
    ends: Pipe[int] = pipe(capacity)

    async def write() -> None:
        async with ends.writer as writer:
            for i in range(n):
                await writer.send(i)

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        group.create_task(read(ends.reader))


def through_pipe_sync(n: int, capacity: int) -> None:
    ends: SyncPipe[int] = pipe_sync(capacity)

    def write() -> None:
        with ends.writer as writer:
            for i in range(n):
                writer.send(i)

    thread = threading.Thread(target=write)
    thread.start()
    read_sync(ends.reader)
    thread.join()


async def both_copies(n: int) -> None:
    first, second = Stream(chunks(n)).copy(2, max_lag=n)
    await read(first)
    await read(second)


async def first_copy(n: int) -> None:
    first, second = Stream(chunks(n)).copy(2)
    async with first, second:
        await read(first)


def both_copies_sync(n: int) -> None:
    first, second = SyncStream(chunks_sync(n)).copy(2, max_lag=n)
    read_sync(first)
    read_sync(second)


def same(chunk: int) -> int:
    return chunk


ASYNCHRONOUS: dict[str, Callable[[int], Coroutine[Any, Any, None]]] = {
    "bare generator": lambda n: read(chunks(n)),
    "Stream": lambda n: read(Stream(chunks(n))),
    "from_iterable": lambda n: read(from_iterable(range(n))),
    "map": lambda n: read(Stream(chunks(n)).map(same)),
    "copy(2), one never read": first_copy,
    "copy(2), both read": both_copies,
    "pipe(64)": lambda n: through_pipe(n, 64),
    "pipe(0)": lambda n: through_pipe(n, 0),
    "merge of 2": lambda n: read(merge(chunks(n // 2), chunks(n // 2))),
}

SYNCHRONOUS: dict[str, Callable[[int], None]] = {
    "bare generator": lambda n: read_sync(chunks_sync(n)),
    "SyncStream": lambda n: read_sync(SyncStream(chunks_sync(n))),
    "map": lambda n: read_sync(SyncStream(chunks_sync(n)).map(same)),
    "copy(2), both read": both_copies_sync,
    "pipe_sync(64), two threads": lambda n: through_pipe_sync(n, 64),
    "pipe_sync(0), two threads": lambda n: through_pipe_sync(n, 0),
    "merge_sync of 2": lambda n: read_sync(merge_sync(chunks_sync(n // 2), chunks_sync(n // 2))),
    "join of text": lambda n: (join(["text"] * n), None)[1],
}


def measure(kinds: dict[str, Callable[[], None]], n: int, repeat: int) -> dict[str, float]:
    """Return the least CPU time of each, in µs a chunk, all threads together."""
    best = dict.fromkeys(kinds, float("inf"))
    for _ in range(repeat):
        for name, run in kinds.items():
            started = time.process_time()
            run()
            best[name] = min(best[name], (time.process_time() - started) / n * 1e6)
    return best


def show(title: str, best: dict[str, float]) -> None:
    bare = best["bare generator"]
    print(f"{title:32}{'µs':>8}{'over bare':>12}")
    for name, cost in best.items():
        print(f"  {name:30}{cost:8.2f}{cost - bare:12.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=20_000, help="of one stream")
    parser.add_argument("--repeat", type=int, default=15, help="rounds, of which the least counts")
    parser.add_argument("--uvloop", action="store_true", help="run on uvloop in place of asyncio's own loop")
    options = parser.parse_args()
    factory = None
    if options.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    n = options.chunks
    with asyncio.Runner(loop_factory=factory) as runner:
        asynchronous = {name: lambda make=make: runner.run(make(n)) for name, make in ASYNCHRONOUS.items()}
        show("asynchronous", measure(asynchronous, n, options.repeat))
    synchronous = {name: lambda make=make: make(n) for name, make in SYNCHRONOUS.items()}
    show("synchronous", measure(synchronous, n, options.repeat))


if __name__ == "__main__":
    main()
