"""What a request still has to read of its source, a little at a time. Reads only when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, cast, final

from sideband.observe._tap import Tap, tap
from sideband.streams import SyncStream
from sideband.streams._sources import close_source, close_source_sync, iterator_of, iterator_of_sync

__all__ = ["Feeding", "Values", "given", "watched"]

Values = Iterable[Any] | AsyncIterable[Any]
"""What callers give."""

_COLLECTIONS = (list, tuple, range)
"""What is known at once to be no stream."""


@final
class Feeding:
    """A source of items, an asynchronous or an ordinary one."""

    __slots__ = ("_closed", "_iterator", "_map", "_step", "asynchronous", "ended", "read", "window")

    def __init__(
        self,
        source: Values,
        mapping: Callable[[list[Any]], list[Any]],
        *,
        window: int,
        step: int = 1,
    ) -> None:
        """Read nothing yet.

        Args:
            source: what gives values.
            mapping: makes a list of items of a list of values.
            window: the most items that may be on their way: read, and not yet settled.
            step: the most values to read at a time.
        """
        self.asynchronous = isinstance(source, AsyncIterable)
        self._iterator: Any = (
            iterator_of(source) if isinstance(source, AsyncIterable) else iterator_of_sync(source)
        )
        self._closed = False
        self._map = mapping
        self._step = step
        self.window = window
        self.read = 0
        """Values that were read."""
        self.ended = False
        """Whether there are no more."""

    def next(self, room: int) -> list[Any]:
        """Return items of an ordinary source; none are left if it has `ended`."""
        source: Iterator[Any] = self._iterator
        values = list(islice(source, min(room, self._step)))
        self.ended = not values
        return self._mapped(values)

    async def next_async(self) -> list[Any]:
        """Return the items of an asynchronous source's next value; none are left if it has `ended`."""
        source: AsyncIterator[Any] = self._iterator
        try:
            values = [await anext(source)]
        except StopAsyncIteration:
            self.ended = True
            return []
        return self._mapped(values)

    def _mapped(self, values: list[Any]) -> list[Any]:
        self.read += len(values)
        return self._map(values) if values else []

    async def aclose(self) -> None:
        """Close the source, where it can be closed, once. Waits for nothing if it is an ordinary one."""
        closed, self._closed = self._closed, True
        if closed:
            return
        if self.asynchronous:
            await close_source(self._iterator)
        else:
            close_source_sync(self._iterator)


def given(values: Values, *, synchronous: bool = False, inline: bool = False) -> Values:
    """Return what a caller gave: a list, or a stream that is to be read as there is room.

    Args:
        values: a collection, which is read at once; or an iterator or an asynchronous iterable, which is a stream.
        synchronous: whether the caller is a thread, which cannot read an asynchronous iterable.
        inline: whether the caller executes the values itself, and so reads them all at first.

    Raises:
        TypeError: it is no iterable, is a string, or an asynchronous iterable that cannot be read here.
    """
    if type(values) in _COLLECTIONS:
        return list(cast("Iterable[Any]", values))
    if isinstance(values, str | bytes | bytearray):
        kind = type(values).__name__
        msg = f"values must be an iterable of items, got the single {kind} {values[:40]!r}; use dispatch"
        raise TypeError(msg)
    if isinstance(values, AsyncIterable):
        if synchronous or inline:
            where = "by a method without _sync" if synchronous else "by dispatch_many and stream_many"
            msg = f"values must be an ordinary iterable here, got {values!r}; an asynchronous one is read {where}"
            raise TypeError(msg)
        return values
    if isinstance(values, Iterator | SyncStream) and not inline:
        return values
    return list(values)


def watched(values: Values, *, synchronous: bool = False, inline: bool = False) -> tuple[Values, Tap | None]:
    """Return what a caller gave, and a tap for those who watch it being read, if it is a stream."""
    items = given(values, synchronous=synchronous, inline=inline)
    found = None if isinstance(items, list) else tap(items)
    return (items, None) if found is None else found
