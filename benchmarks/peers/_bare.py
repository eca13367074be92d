"""The paths with no library: what each system's figure is over. As cheap as such a path can be."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def echo(x: int) -> int:
    """Be as cheap as a coroutine can be."""
    return x


def echo_sync(x: int) -> int:
    """Be as cheap as a call can be."""
    return x


async def numbers(count: int) -> AsyncIterator[int]:
    """Be as cheap as a stream can be."""
    for number in range(count):
        yield number


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
