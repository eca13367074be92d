"""What the tests of graphs share: small graphs, and nodes of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from sideband.graph import (
    END,
    START,
    Graph,
    Runnable,
)


def line(*functions: Callable[..., Any]) -> Runnable[Any, Any]:
    """Make a graph of functions in a row, whose keys are n0, n1, …."""
    graph = Graph[Any, Any]("line")
    keys = [f"n{place}" for place in range(len(functions))]
    for key, function in zip(keys, functions, strict=True):
        graph.add_node(key, function)
    for source, target in zip([START, *keys], [*keys, END], strict=True):
        graph.add_edge(source, target)
    return graph.compile()


def double(x: int) -> int:
    return 2 * x


async def increase(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


async def count(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


async def squares(numbers: AsyncIterator[int]) -> AsyncIterator[int]:
    async for number in numbers:
        yield number * number


async def total(numbers: AsyncIterator[int]) -> int:
    return sum([number async for number in numbers])
