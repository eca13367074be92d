"""`SyncStream`: one reader over any ordinary iterator, by the rules of `Stream`. May import errors."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, final

from sideband.errors import StreamBusyError, StreamClosedError, StreamDeadlockError
from sideband.streams._accumulate import join
from sideband.streams._fanout import DEFAULT_LAG, Overflow
from sideband.streams._sources import (
    SKIP,
    Skip,
    abandon_source,
    close_source_sync,
    iterator_of_sync,
    kept_by,
)

if TYPE_CHECKING:
    from sideband.streams._sync_copy import SyncCopy

__all__ = ["SyncStream"]

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


def _ended() -> Any:
    raise StopIteration


def _handed_over() -> Any:
    raise StreamClosedError(
        "this stream was handed over to a copy, a map or a merge of it; read what was made of it"
    )


class SyncStream(Iterator[T_co]):
    """Chunks that arrive one after the other: an ordinary iterator and context manager.

    Order: the source's. Nothing is pulled before it is asked for.
    Closing: `close`, or the end of `with`, closes the source, also if it was never read. It is
        idempotent; a closed stream is at its end. A stream dropped half-read warns (ResourceWarning).
    Threads: any, one reader at a time; a second one gets `StreamBusyError`.
    Cost: 0.3 µs a chunk; no thread, no buffer.
    """

    __slots__ = ("__weakref__", "_begun", "_pull", "_reading", "_source")

    def __init__(self, source: Iterable[T_co]) -> None:
        """Take an iterable over.

        Raises:
            TypeError: it is none; for asynchronous ones there is `Stream`.
        """
        self._begun = False
        self._reading = threading.Lock()
        self._source: Any
        self._pull: Callable[[], T_co]
        if isinstance(source, SyncStream):
            self._pull, self._source = source._hand_over(self)
        else:
            iterator = iterator_of_sync(source)
            self._pull, self._source = iterator.__next__, iterator

    def __iter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __next__(self) -> T_co:
        """Return the next chunk.

        Raises:
            StreamBusyError: another thread is waiting for one, or the source reads its own stream.
            StreamClosedError: the stream was handed over to what was made of it.
            StreamDeadlockError: it is a handler's copy, and this thread feeds it.
        """
        if not self._reading.acquire(blocking=False):
            raise StreamBusyError(self)
        self._begun = True
        try:
            return self._pull()
        except (StreamBusyError, StreamDeadlockError):
            raise
        except Exception:
            # An end or an error, either of them final. Of what interrupts, the source decides.
            self._end()
            raise
        finally:
            self._reading.release()
            del self  # an error that a copy keeps for others must not lead back to this stream

    def _end(self) -> None:
        if self._pull is not _handed_over:
            self._pull = _ended

    def close(self) -> None:
        """Close the source; harmless if done before.

        Raises:
            StreamBusyError: a generator is being read by another thread.
        """
        source = self._source
        if source is None:
            return
        if getattr(source, "gi_running", False):
            raise StreamBusyError(self, "closed")
        self._source = None
        self._end()
        close_source_sync(source)

    def __enter__(self) -> Self:
        """Return the stream; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream."""
        self.close()

    def copy(
        self, n: int = 2, *, max_lag: int = DEFAULT_LAG, overflow: Overflow = "drop_oldest"
    ) -> tuple[SyncCopy[T_co], ...]:
        """Return independent readers that each see every chunk from here on.

        Order: the source's, for each copy. The fastest one pulls; the others find the chunk waiting.
        Closing: closing one copy closes it alone; closing the last one closes the source, or has the
            thread that is pulling it close it. Nobody has to close or read a copy: it holds nobody
            back unless its overflow is "block".
        Context: the source runs in a copy of the context of this call, in the thread that pulls.
        Threads: different copies may be read in different threads.
        Cost: about 2 µs a chunk for the first reader, 0.6 µs for each other one.

        Args:
            n: how many, at least 1. Copies of copies share one source.
            max_lag: chunks that a copy holds at most.
            overflow: what a full copy does: drop its oldest chunk, drop the newest one (both count in
                `dropped`), or let every copy wait until it was read. Reading such copies in turn
                in one thread waits for ever.

        Raises:
            ValueError: `n` or `max_lag` is below 1, or the overflow unknown.
            StreamBusyError: the stream is being read.
        """
        # Copies are streams: their module stands on this one.
        from sideband.streams._sync_copy import copies  # noqa: PLC0415

        return copies(self, n, max_lag, overflow)

    def map(self, function: Callable[[T_co], U | Skip]) -> SyncStream[U]:
        """Return a stream of what a function makes of each chunk, `SKIP` left out.

        An error of the function closes the source and ends the stream.
        """
        source = _MapSource(function)
        source.pull, source.source = self._hand_over(source)
        return SyncStream(source)

    def filter(self, predicate: Callable[[T_co], object]) -> SyncStream[T_co]:
        """Return a stream of the chunks for which a predicate is true.

        An error of the predicate closes the source and ends the stream.
        """

        def judge(chunk: Any) -> Any:
            return kept_by(chunk, predicate(chunk))

        return cast("SyncStream[T_co]", self.map(judge))

    def collect(self) -> list[T_co]:
        """Read all chunks that are left, and close the stream."""
        with self:
            return list(self)

    def concat(self) -> Any:
        """Read all that is left, close the stream, and return the chunks put together; see `Accumulator`."""
        with self:
            return join(self)

    def _hand_over(self, heir: Any) -> tuple[Callable[[], T_co], Any]:
        """Give up how to pull and what to close to an heir, which is closed in place of the source."""
        if not self._reading.acquire(blocking=False):
            raise StreamBusyError(self, "handed over")
        try:
            pull, source = self._pull, self._source
            if pull is _handed_over:
                raise StreamClosedError(
                    f"{self!r} was handed over before; copy it instead, and use each copy once"
                )
            self._pull, self._source = _handed_over, heir
            return pull, source
        finally:
            self._reading.release()

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
        if _abandon(source, self._begun) and self._pull is not _ended:
            _warn(
                f"{self!r} was dropped half-read; close it with `with` or `close()`",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


@final
class _MapSource(Iterator[Any]):
    """The chunks that a function makes of another source's."""

    __slots__ = ("_function", "pull", "source")

    def __init__(self, function: Callable[[Any], Any]) -> None:
        """Wait for the source, which is handed over next."""
        self._function = function
        self.pull: Callable[[], Any] = _ended
        self.source: Any = None

    def __next__(self) -> Any:
        """Return the next chunk that is not skipped."""
        while True:
            chunk = self.pull()
            try:
                value = self._function(chunk)
            except BaseException:
                # The chunk is lost, so the stream must not go on as if it had not been.
                self.close()
                raise
            if value is not SKIP:
                return value

    @property
    def gi_running(self) -> bool:
        """Whether the generator at the bottom is being read, as generators tell it."""
        return bool(getattr(self.source, "gi_running", False))

    def close(self) -> None:
        """Close the source."""
        self.pull = _ended
        close_source_sync(self.source)

    def abandon(self, begun: bool) -> bool:
        """Give the source up."""
        return abandon_source(self.source, begun)
