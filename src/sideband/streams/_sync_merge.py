"""Many ordinary iterators as one, in order of arrival, by the rules of `merge`. May import errors.

Each source is pulled by a thread of its own. A thread that is inside of a source cannot be stopped: it
ends, and closes its source, when that pull returns.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import Any, NamedTuple, TypeVar, final

from sideband.errors import StreamError
from sideband.streams._merge import LATE, Named, NamedChunk, SourceEnded
from sideband.streams._sources import close_source_sync, iterator_of_sync
from sideband.streams._sync_pipe import SyncLink
from sideband.streams._sync_stream import SyncStream
from sideband.streams._waits import raise_all

__all__ = ["CLOSE_TIMEOUT", "merge_named_sync", "merge_sync"]

T = TypeVar("T")

CLOSE_TIMEOUT = 5.0
"""Seconds that the end of a merged stream waits for pulls in progress; the threads that are left end after theirs."""

_logger = logging.getLogger("sideband")


@final
class _Source(NamedTuple):
    """One of the streams that are merged."""

    name: str | None
    pull: Callable[[], Any]
    iterator: Any


@final
class _MergeSource(Iterator[Any]):
    """What a merged stream pulls, and the threads that pull for it."""

    __slots__ = ("_active", "_context", "_late", "_link", "_sources", "_threads")

    def __init__(self) -> None:
        """Remember the context; the sources are added next."""
        self._active = 0
        self._context = copy_context()
        self._late: list[BaseException] = []
        self._link: SyncLink[Any] = SyncLink(0)
        self._sources: list[_Source] = []
        self._threads: list[threading.Thread] | None = None

    def add(self, stream: Iterable[Any], name: str | None) -> None:
        """Take a source over."""
        if isinstance(stream, SyncStream):
            pull, iterator = stream._hand_over(self)
        else:
            iterator = iterator_of_sync(stream)
            pull = iterator.__next__
        self._sources.append(_Source(name, pull, iterator))

    def __next__(self) -> Any:
        """Return the chunk that has waited longest, or wait for one."""
        if self._threads is None:
            self._start()
        try:
            return next(self._link)
        except Exception:
            if self._link.channel.over:
                self._finish()
            raise

    def _start(self) -> None:
        self._active = len(self._sources)
        self._threads = [
            threading.Thread(
                target=self._context.copy().run,
                args=(self._pump, source),
                name=f"sideband-merge-{source.name or index}",
                daemon=True,
            )
            for index, source in enumerate(self._sources)
        ]
        for thread in self._threads:
            thread.start()
        if not self._sources:
            self._link.end()

    def _pump(self, source: _Source) -> None:
        channel, send = self._link.channel, self._link.send
        name, pull, iterator = source
        try:
            while not channel.over:
                chunk = pull()
                send(chunk if name is None else NamedChunk(name, chunk))
        except StopIteration:
            pass
        except BaseException as caught:  # noqa: BLE001 - it is the reader's; a thread's own would reach nobody
            self._failed(caught)
        try:
            close_source_sync(iterator)
            if name is not None and not channel.over:
                send(SourceEnded(name))
        except BaseException as caught:  # noqa: BLE001 - as above
            self._failed(caught)
        self._ended()

    def _ended(self) -> None:
        """Count a source that has ended or failed; the last one ends the stream."""
        with self._link.guard:
            self._active -= 1
            if not self._active:
                self._link.channel.end()

    def _failed(self, error: BaseException) -> None:
        """End the stream with the first error; our own stopping of the others is none."""
        with self._link.guard:
            if not self._link.channel.over:
                self._link.channel.end(error)
            elif not isinstance(error, StreamError):
                self._late.append(error)

    def _finish(self) -> None:
        self._join()
        late, self._late = self._late, []
        for error in late:
            _logger.error(LATE, exc_info=error)

    def _join(self) -> None:
        until = time.monotonic() + CLOSE_TIMEOUT
        for thread in self._threads or ():
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                _logger.warning(
                    "%s is still inside of its source; it ends when that pull returns", thread.name
                )

    def close(self) -> None:
        """Close all sources, and wait until they are, within `CLOSE_TIMEOUT`."""
        self._link.close()
        if self._threads is None:
            self._threads = []
            for source in self._sources:
                try:
                    close_source_sync(source.iterator)
                except Exception as error:  # noqa: BLE001 - raised below, once the other sources are closed
                    self._late.append(error)
        self._join()
        late, self._late = self._late, []
        raise_all(late)

    def abandon(self, _begun: bool) -> bool:
        """Let the threads end from wherever the stream was dropped; tell whether there were any."""
        lost = bool(self._threads) and not self._link.channel.over
        self._link.guard.leave(self._link.channel.close_reader)
        return lost


def merge_sync(*streams: Iterable[T]) -> SyncStream[T]:
    """Return one stream of what several ordinary iterables give, in order of arrival.

    Order: each source's own is kept.
    Errors: the first source that fails ends the merged stream: chunks that had arrived are given, the
        other sources are closed, then that very error is raised.
    Closing: closes all sources; waits up to 5 seconds for pulls in progress, whose threads end after them.
    Read-ahead: one chunk of each source, from the first pull on.
    Threads: each source is pulled in a thread of its own, in a copy of the context of this call.
    Cost: about 17 µs a chunk, for the switches of threads.
    """
    source = _MergeSource()
    for stream in streams:
        source.add(stream, None)
    return SyncStream(source)


def merge_named_sync(**streams: Iterable[T]) -> SyncStream[Named[T]]:
    """Merge as `merge_sync` does, and say of each chunk where it comes from, and of each source that it ended."""
    source = _MergeSource()
    for name, stream in streams.items():
        source.add(stream, name)
    return SyncStream(source)
