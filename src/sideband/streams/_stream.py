"""`Stream`: one reader over any asynchronous iterator. May import errors.

1. A stream takes its source over: it alone pulls it, and closing the stream closes the source.
2. What is made of a stream (a copy, a map, a merge) takes the stream over in the same way. Reading
   the original is then an error; closing it closes what was made of it.
3. The source's end, and its error after it was raised once, are final: from then on the stream ends.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, final, overload

from sideband.errors import StreamBusyError, StreamClosedError, StreamLoopError
from sideband.streams._accumulate import Accumulator
from sideband.streams._fanout import DEFAULT_LAG, Overflow
from sideband.streams._sources import (
    SKIP,
    IteratorSource,
    Skip,
    abandon_source,
    close_source,
    iterator_of,
    kept_by,
    pull_of,
)

if TYPE_CHECKING:
    from sideband.streams._copy import Copy

__all__ = ["Stream", "concat", "from_iterable"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


async def _ended() -> Any:
    raise StopAsyncIteration


async def _handed_over() -> Any:
    raise StreamClosedError(
        "this stream was handed over to a copy, a map or a merge of it; read what was made of it"
    )


class Stream(AsyncIterator[T_co]):
    """Chunks that arrive one after the other: an asynchronous iterator and context manager.

    Order: the source's. Nothing is pulled before it is asked for.
    Cancellation: goes to the source, as without the stream; a generator ends by it. Readers of copies,
        pipes and merges lose nothing.
    Closing: `aclose`, or the end of `async with`, closes the source, also if it was never read. It is
        idempotent; a closed stream is at its end. A stream dropped half-read warns (ResourceWarning).
    Threads: one event loop, one reader at a time; a second one gets `StreamBusyError`.
    Cost: 0.2 µs a chunk; no task, no buffer.
    """

    __slots__ = ("__weakref__", "_pull", "_reading", "_source")

    def __init__(self, source: AsyncIterable[T_co]) -> None:
        """Take a source over.

        Args:
            source: an asynchronous iterator or iterable. A stream among the SDKs' kinds may have `close`
                instead of `aclose`.

        Raises:
            TypeError: it is not asynchronous; see `from_iterable`.
        """
        self._reading: bool | None = None
        self._source: Any
        self._pull: Callable[[], Awaitable[T_co]]
        if isinstance(source, Stream):
            self._pull, self._source = source._hand_over(self)
        else:
            iterator = iterator_of(source)
            self._pull, self._source = pull_of(iterator), iterator

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> T_co:
        """Wait for the next chunk.

        Raises:
            StreamBusyError: another task is waiting for one.
            StreamClosedError: the stream was handed over to what was made of it.
        """
        if self._reading:
            raise StreamBusyError(self)
        self._reading = True
        try:
            return await self._pull()
        except StreamLoopError:
            raise
        except Exception:
            # An end or an error, either of them final. A cancellation is not: the source decides.
            self._end()
            raise
        finally:
            self._reading = False
            del self  # an error that a copy keeps for others must not lead back to this stream

    def _end(self) -> None:
        if self._pull is not _handed_over:
            self._pull = _ended

    async def aclose(self) -> None:
        """Close the source; harmless if done before.

        Raises:
            StreamBusyError: a generator is being read by another task, which has to be cancelled first.
        """
        source = self._source
        if source is None:
            return
        if getattr(source, "ag_running", False):
            raise StreamBusyError(self, "closed")
        self._source = None
        self._end()
        await close_source(source)

    async def __aenter__(self) -> Self:
        """Return the stream; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.aclose()

    def copy(
        self, n: int = 2, *, max_lag: int = DEFAULT_LAG, overflow: Overflow = "drop_oldest"
    ) -> tuple[Copy[T_co], ...]:
        """Return independent readers that each see every chunk from here on.

        Order: the source's, for each copy. The fastest one pulls; the others find the chunk waiting.
        Cancellation: a reader that is cancelled in the middle of a pull loses nothing, for itself or
            the others: the pull goes on to its end.
        Closing: closing one copy closes it alone; closing the last one closes the source. Nobody has to
            close or read a copy: it holds nobody back unless its overflow is "block".
        Context: the source runs in a task of its own, in a copy of the context of this call.
        Cost: about 7 µs a chunk (4.5 on uvloop), most of it two switches between tasks; 0.3 µs for each copy
            more.

        Args:
            n: how many, at least 1. Copies of copies share one source.
            max_lag: chunks that a copy holds at most.
            overflow: what a full copy does: drop its oldest chunk, drop the newest one (both count in
                `dropped`), or let every copy wait until it was read. Reading such copies in turn
                in one task waits for ever.

        Raises:
            ValueError: `n` or `max_lag` is below 1, or the overflow unknown.
            StreamBusyError: the stream is being read.
        """
        # Copies are streams: their module stands on this one.
        from sideband.streams._copy import copies  # noqa: PLC0415

        return copies(self, n, max_lag, overflow)

    @overload
    def map(self, function: Callable[[T_co], Coroutine[Any, Any, U | Skip]]) -> Stream[U]: ...
    @overload
    def map(self, function: Callable[[T_co], U | Skip]) -> Stream[U]: ...
    def map(self, function: Callable[[T_co], Any]) -> Stream[Any]:
        """Return a stream of what a function makes of each chunk, `SKIP` left out.

        An error of the function, or its cancellation, closes the source and ends the stream.

        Args:
            function: plain, or a coroutine function, which is awaited before the next pull.

        Cost: 0.15 µs a chunk over the stream's own, and the function.
        """
        source = _MapSource(function)
        source.pull, source.source = self._hand_over(source)
        return Stream(source)

    def filter(self, predicate: Callable[[T_co], object]) -> Stream[T_co]:
        """Return a stream of the chunks for which a predicate, plain or a coroutine function, is true.

        An error of the predicate closes the source and ends the stream.
        """

        def judge(chunk: Any) -> Any:
            verdict: Any = predicate(chunk)
            return _judged(chunk, verdict) if verdict.__class__ is CoroutineType else kept_by(chunk, verdict)

        return cast("Stream[T_co]", self.map(judge))

    async def collect(self) -> list[T_co]:
        """Read all chunks that are left, and close the stream."""
        async with self:
            return [chunk async for chunk in self]

    async def concat(self) -> Any:
        """Read all that is left, close the stream, and return the chunks put together; see `Accumulator`."""
        total = Accumulator()
        async with self:
            async for chunk in self:
                total.add(chunk)
        return total.value

    def _hand_over(self, heir: Any) -> tuple[Callable[[], Awaitable[T_co]], Any]:
        """Give up how to pull and what to close to an heir, which is closed in place of the source."""
        if self._reading:
            raise StreamBusyError(self, "handed over")
        pull, source = self._pull, self._source
        if pull is _handed_over:
            raise StreamClosedError(
                f"{self!r} was handed over before; copy it instead, and use each copy once"
            )
        self._pull, self._source = _handed_over, heir
        return pull, source

    def __del__(
        self,
        _abandon: Callable[[Any, bool], bool] = abandon_source,
        _finalizing: Callable[[], bool] = sys.is_finalizing,
        _warn: Callable[..., None] = warnings.warn,
    ) -> None:
        """Give the source up; the last resort, for a stream that was dropped before its end."""
        source = getattr(self, "_source", None)
        if source is None or self._pull is _handed_over or _finalizing():
            return
        if _abandon(source, self._reading is not None) and self._pull is not _ended:
            _warn(
                f"{self!r} was dropped half-read; close it with `async with` or `aclose()`",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


async def _judged(chunk: T, verdict: Awaitable[object]) -> T | Skip:
    return kept_by(chunk, await verdict)


@final
class _MapSource(AsyncIterator[Any]):
    """The chunks that a function makes of another source's."""

    __slots__ = ("_function", "pull", "source")

    def __init__(self, function: Callable[[Any], Any]) -> None:
        """Wait for the source, which is handed over next."""
        self._function = function
        self.pull: Callable[[], Awaitable[Any]] = _ended
        self.source: Any = None

    async def __anext__(self) -> Any:
        """Return the next chunk that is not skipped."""
        while True:
            chunk = await self.pull()
            try:
                value = self._function(chunk)
                if value.__class__ is CoroutineType:
                    value = await value
            except (Exception, asyncio.CancelledError):
                # The chunk is lost, so the stream must not go on as if it had not been.
                self.pull = _ended
                await close_source(self.source)
                raise
            if value is not SKIP:
                return value

    @property
    def ag_running(self) -> bool:
        """Whether the generator at the bottom is being read, as generators tell it."""
        return bool(getattr(self.source, "ag_running", False))

    async def aclose(self) -> None:
        """Close the source."""
        self.pull = _ended
        await close_source(self.source)

    def abandon(self, begun: bool) -> bool:
        """Give the source up."""
        return abandon_source(self.source, begun)


def from_iterable(chunks: AsyncIterable[T] | Iterable[T]) -> Stream[T]:
    """Return a stream of what an iterable of either kind gives.

    An ordinary iterable is pulled inline, on the event loop: one that blocks belongs in a thread, behind a pipe.

    Raises:
        TypeError: it is no iterable.
    """
    if isinstance(chunks, AsyncIterable):
        return Stream(chunks)
    return Stream(IteratorSource(chunks))


async def concat(chunks: AsyncIterable[Any]) -> Any:
    """Read an asynchronous iterable to its end, close it, and return its chunks put together.

    For chunks at hand there is `join`; what becomes of which type, `Accumulator` says.
    """
    return await Stream(chunks).concat()
