"""Sources of numbers that remember how they were read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from sideband.serving import BatchOutput

from .helpers import rest


class Source:
    """Numbers, as an iterator of either sort, that remembers how many were read and whether it was closed."""

    def __init__(self, count: int | None = None, pause: float = 0.0, fails_at: int | None = None) -> None:
        self.count = count
        self.pause = pause
        self.fails_at = fails_at
        self.error = LookupError("the source is broken")
        self.read = 0
        self.closed = 0

    def _next(self, end: type[Exception]) -> int:
        if self.read == self.fails_at:
            raise self.error
        if self.read == self.count:
            raise end
        self.read += 1
        return self.read - 1


class Later(Source, AsyncIterator[int]):
    """One that has to be awaited."""

    async def __anext__(self) -> int:
        if self.pause:
            await rest(self.pause)
        return self._next(StopAsyncIteration)

    async def aclose(self) -> None:
        self.closed += 1


class Now(Source, Iterator[int]):
    """An ordinary one."""

    def __next__(self) -> int:
        return self._next(StopIteration)

    def close(self) -> None:
        self.closed += 1


SORTS = [Later, Now]


def flat(events: list[Any]) -> list[Any]:
    """Return the results of a stream's events."""
    return [result for event in events if isinstance(event, BatchOutput) for result in event.output]
