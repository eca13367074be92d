"""How a stream pulls from, closes and gives up whatever iterator it stands on. Knows nothing of the rest."""

from __future__ import annotations

import enum
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, Final, TypeVar, cast, final

__all__ = [
    "SKIP",
    "IteratorSource",
    "Skip",
    "abandon_source",
    "close_source",
    "close_source_sync",
    "iterator_of",
    "iterator_of_sync",
    "kept_by",
    "pull_of",
]

T = TypeVar("T")

_END: Any = object()


class Skip(enum.Enum):
    """The type of `SKIP`."""

    SKIP = enum.auto()

    def __repr__(self) -> str:
        return "SKIP"


SKIP: Final = Skip.SKIP
"""What a function given to `map` returns to leave a chunk out."""


def iterator_of(source: AsyncIterable[T]) -> AsyncIterator[T]:
    """Return what is to be pulled.

    A source that can be pulled itself is not asked for its iterator: nothing of it runs before the first pull.

    Raises:
        TypeError: it is no asynchronous iterable.
    """
    if hasattr(source, "__anext__"):
        return cast("AsyncIterator[T]", source)
    if not hasattr(source, "__aiter__"):
        raise TypeError(
            f"a Stream stands on an asynchronous iterable, got {source!r}; "
            "use from_iterable(…) for an ordinary one, and await a coroutine first"
        )
    return aiter(source)


def iterator_of_sync(source: Iterable[T]) -> Iterator[T]:
    """Return what is to be pulled.

    Raises:
        TypeError: it is no iterable.
    """
    if not hasattr(source, "__iter__"):
        raise TypeError(
            f"a SyncStream stands on an ordinary iterable, got {source!r}; use Stream for asynchronous ones"
        )
    return iter(source)


def pull_of(iterator: AsyncIterator[T]) -> Callable[[], Awaitable[T]]:
    """Return the bound method that gives the next chunk."""
    return iterator.__anext__


async def close_source(source: Any) -> None:
    """Close an iterator by `aclose`, or by `close` as the SDKs' streams and ordinary generators have it."""
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    if close is not None:
        closing = close()
        if inspect.isawaitable(closing):
            await closing


def close_source_sync(source: Any) -> None:
    """Close an ordinary iterator, where it can be closed."""
    close = getattr(source, "close", None)
    if close is not None:
        close()


def abandon_source(source: Any, begun: bool) -> bool:
    """Give up the source of a dropped stream, read or unread; tell whether something unfinished was lost.

    From a finalizer, and so from any thread: our own sources have `abandon`, which waits for nothing.
    """
    abandon = getattr(source, "abandon", None)
    if abandon is not None:
        return bool(abandon(begun))
    if not begun:
        return False
    # A generator knows whether it has ended; its own finalizer sees to the rest.
    return getattr(source, "ag_frame", _END) is not None and getattr(source, "gi_frame", _END) is not None


def kept_by(chunk: T, verdict: object) -> T | Skip:
    """Return the chunk, or SKIP if a predicate said no."""
    return chunk if verdict else SKIP


@final
class IteratorSource(AsyncIterator[T]):
    """An ordinary iterator, pulled inline."""

    __slots__ = ("_iterator",)

    def __init__(self, iterable: Iterable[T]) -> None:
        """Take the iterator."""
        self._iterator = iter(iterable)

    async def __anext__(self) -> T:
        """Return the next chunk."""
        chunk = next(self._iterator, _END)
        if chunk is _END:
            raise StopAsyncIteration
        return cast("T", chunk)

    async def aclose(self) -> None:
        """Close the iterator, where it can be closed."""
        close_source_sync(self._iterator)
