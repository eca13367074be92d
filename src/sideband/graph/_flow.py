"""Streams between nodes: fitted to what takes them, and kept in the node that gives them. May import streams, scope.

1. What a node is given is fitted to it: a stream is put together for one that takes a value, a value
   is a stream of one chunk for one that takes a stream.
2. A node's stream is pulled by whoever reads it, in whatever task, yet its run is the graph's child:
   around each pull the node's scope and the graph's run are current.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar, Token
from typing import Any, TypeGuard, final

from sideband.scope._scope import restore
from sideband.streams import SKIP, SourceEnded, Stream, from_iterable, merge_named
from sideband.streams._sources import abandon_source, close_source

__all__ = ["Bound", "copies", "is_stream", "merged", "stream_of", "together", "value_of", "values_of"]

_UNBOUNDED = 2**62


@final
class Bound(AsyncIterator[Any]):
    """A stream that is pulled with some context variables set."""

    __slots__ = ("_pull", "_source", "_values")

    def __init__(self, source: Any, values: tuple[tuple[ContextVar[Any], Any], ...]) -> None:
        """Take an asynchronous iterator over."""
        self._source = source
        self._pull: Callable[[], Awaitable[Any]] = source.__anext__
        self._values = values

    async def __anext__(self) -> Any:
        """Return the next chunk."""
        tokens = self._set()
        try:
            return await self._pull()
        finally:
            self._reset(tokens)

    @property
    def ag_running(self) -> bool:
        """Whether the generator is being read, as generators tell it."""
        return bool(getattr(self._source, "ag_running", False))

    async def aclose(self) -> None:
        """Close the source."""
        tokens = self._set()
        try:
            await close_source(self._source)
        finally:
            self._reset(tokens)

    def abandon(self, begun: bool) -> bool:
        """Give the source up."""
        return abandon_source(self._source, begun)

    def _set(self) -> list[Token[Any]]:
        return [variable.set(value) for variable, value in self._values]

    def _reset(self, tokens: list[Token[Any]]) -> None:
        for (variable, _), token in zip(self._values, tokens, strict=True):
            restore(variable, token)


def is_stream(given: object) -> TypeGuard[Stream[Any]]:
    """Tell a stream from a value."""
    return isinstance(given, Stream)


async def value_of(given: Any) -> Any:
    """Put a stream together; a value is itself."""
    return await given.concat() if is_stream(given) else given


async def values_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Put all streams together, at the same time."""
    streams = {key: stream for key, stream in given.items() if is_stream(stream)}
    if not streams:
        return dict(given)
    tasks: dict[str, asyncio.Task[Any]] = {}
    async with together() as group:
        for key, stream in streams.items():
            tasks[key] = group.create_task(stream.concat())
    return {key: tasks[key].result() if key in tasks else value for key, value in given.items()}


@asynccontextmanager
async def together() -> AsyncGenerator[asyncio.TaskGroup]:
    """Give a task group that raises the one exception that was raised in it as it is, and several as a group."""
    failure: BaseException
    try:
        async with asyncio.TaskGroup() as group:
            yield group
        return
    except BaseExceptionGroup as raised:
        # One stream's failure may be raised by each node that reads it.
        distinct = {id(error): error for error in raised.exceptions}
        failure = next(iter(distinct.values())) if len(distinct) == 1 else raised
    try:
        raise failure
    finally:
        del failure


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
