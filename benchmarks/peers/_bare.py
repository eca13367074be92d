"""The paths with no library: what each system's figure is over. As cheap as such a path can be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from benchmarks.cases.hooks import CROWD, NODES


async def echo(x: int) -> int:
    """Be as cheap as a coroutine can be."""
    return x


def echo_sync(x: int) -> int:
    """Be as cheap as a call can be."""
    return x


async def pause(x: int) -> int:
    """Let others come in between."""
    await asyncio.sleep(0)
    return x


async def numbers(count: int) -> AsyncIterator[int]:
    """Be as cheap as a stream can be."""
    for number in range(count):
        yield number


def numbers_sync(count: int) -> Iterator[int]:
    """Be as cheap as a generator can be."""
    yield from range(count)


async def repeat(count: int) -> None:
    """Await so many times."""
    for number in range(count):
        await echo(number)


def repeat_sync(count: int) -> None:
    """Call so many times."""
    for number in range(count):
        echo_sync(number)


async def read(count: int) -> int:
    """Read a stream of so many chunks."""
    seen = 0
    async for _ in numbers(count):
        seen += 1
    return seen


def read_sync(count: int) -> int:
    """Read a generator of so many chunks."""
    seen = 0
    for _ in numbers_sync(count):
        seen += 1
    return seen


async def crowd(count: int) -> None:
    """Await so many calls, a thousand at once."""
    await crowd_of(pause, count)


async def crowd_of(call: Callable[[int], Any], count: int) -> None:
    """Await so many calls of a function, a thousand at once."""
    for _ in range(count // CROWD):
        await asyncio.gather(*[call(number) for number in range(CROWD)])


async def chain(count: int) -> None:
    """Await so many nodes, ten after one another."""
    for number in range(count // NODES):
        x = number
        for _ in range(NODES):
            x = await echo(x)


def chain_sync(count: int) -> None:
    """Call so many nodes, ten after one another."""
    for number in range(count // NODES):
        x = number
        for _ in range(NODES):
            x = echo_sync(x)


async def nest(depth: int) -> int:
    """Await calls within calls."""
    return await nest(depth - 1) if depth > 1 else depth


def nests(depth: int) -> Callable[[int], Any]:
    """Return what awaits so many nests of a depth."""

    async def run(count: int) -> None:
        for _ in range(count):
            await nest(depth)

    return run


def streams(chunks: int) -> Callable[[int], Any]:
    """Return what reads so many streams of some length."""

    async def run(count: int) -> None:
        for _ in range(count):
            await read(chunks)

    return run
