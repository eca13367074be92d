"""What passes between nodes, fitted to who takes it. May import streams.

A stream is put together for a node that takes a value; a value is a stream of one chunk for one that takes a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

from sideband.streams import SKIP, SourceEnded, Stream, from_iterable, merge_named
from sideband.streams._waits import together

__all__ = ["copies", "is_stream", "merged", "stream_of", "value_of", "values_of"]

K = TypeVar("K")

_UNBOUNDED = 2**62


def is_stream(given: object) -> TypeGuard[Stream[Any]]:
    """Tell a stream from a value."""
    # Not by `isinstance`, which for an abstract class's heir is felt at each value that is none.
    return Stream in type(given).__mro__


async def value_of(given: Any) -> Any:
    """Put a stream together; a value is itself."""
    return await given.concat() if is_stream(given) else given


async def values_of(given: Mapping[K, Any]) -> dict[K, Any]:
    """Put all streams together, at the same time."""
    streams = {key: stream for key, stream in given.items() if is_stream(stream)}
    if not streams:
        return dict(given)
    tasks: dict[K, asyncio.Task[Any]] = {}
    async with together() as group:
        for key, stream in streams.items():
            tasks[key] = group.create_task(stream.concat())
    return {key: tasks[key].result() if key in tasks else value for key, value in given.items()}


def stream_of(given: Any) -> Stream[Any]:
    """Make a value a stream of one chunk; a stream is itself."""
    return given if is_stream(given) else from_iterable([given])


def merged(given: Mapping[str, Any]) -> Stream[Any]:
    """Make one stream of several, whose chunks are mappings from the source's key to its chunk."""
    named = merge_named(**{key: stream_of(value) for key, value in given.items()})
    return named.map(lambda part: SKIP if isinstance(part, SourceEnded) else {part.source: part.chunk})


def copies(given: Any, n: int) -> tuple[Any, ...]:
    """Return what each of n readers gets: a stream's copies, which keep what one of them has not read yet."""
    if n == 1 or not is_stream(given):
        return (given,) * n
    # Nothing may be dropped, and a reader may wait for another one's end, so none may hold the others back.
    return given.copy(n, max_lag=_UNBOUNDED, overflow="block")
