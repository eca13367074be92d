"""Counts what indexing does, as a handler of its runs. May import the core."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, final

from sideband import Component, Handler, Run

__all__ = ["Meter"]


@final
class Meter(Handler):
    """What has been read, embedded and stored so far; the numbers behind a progress bar.

    Threads: events come from the loop, the ends of batches from the serving's one worker; the numbers
        may be read from any thread.
    Cost: additions; it draws nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Start at zero; `clock` gives seconds."""
        self._clock = clock
        self._started = clock()
        self._ended: float | None = None
        self._items = 0
        self._queue_time = 0.0
        self._dispatched = 0
        self.files = 0
        """Files there are to read."""
        self.files_read = 0
        self.skipped = 0
        self.unchanged = 0
        """Documents that the store has already."""
        self.chunks_found = 0
        """Chunks that are to be embedded, of the files read so far."""
        self.chunks = 0
        """Chunks embedded."""
        self.tokens = 0
        self.batches = 0
        self.documents_stored = 0
        self.chunks_stored = 0

    @property
    def seconds(self) -> float:
        """Seconds since the start, up to the end."""
        return (self._clock() if self._ended is None else self._ended) - self._started

    @property
    def rate(self) -> float:
        """Chunks embedded a second, since the start."""
        return self.chunks / self.seconds if self.seconds > 0 else 0.0

    @property
    def mean_batch_size(self) -> float:
        """Chunks in a batch, on average."""
        return self._items / self.batches if self.batches else 0.0

    @property
    def mean_queue_time(self) -> float:
        """Seconds that a chunk waited for its batch to begin, on average."""
        return self._queue_time / self._dispatched if self._dispatched else 0.0

    @property
    def chunks_expected(self) -> int:
        """Chunks there will be in all: exact once every file is read, until then projected from those read."""
        if not self.files_read or self.files_read >= self.files:
            return self.chunks_found
        return max(self.chunks_found, round(self.chunks_found * self.files / self.files_read))

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002, ARG002
        if run.name == "index":
            self._started = self._clock()

    def on_event(self, run: Run, name: str, payload: Any) -> None:  # noqa: ARG002
        if name == "progress":
            self.chunks += len(payload)
            self.tokens += sum(item["tokens"] for item in payload)
        elif name == "executing":
            self._dispatched += payload["items"]
            self._queue_time += payload["items"] * payload["queue_time"]
        elif name == "planned":
            self.files = payload["files"]
        elif name == "read":
            self.files_read += payload["files"]
            self.unchanged += payload["unchanged"]
            self.chunks_found += payload["chunks"]
        elif name == "skipped":
            self.skipped += 1
        elif name == "stored":
            self.documents_stored += payload["documents"]
            self.chunks_stored += payload["chunks"]

    def on_end(self, run: Run, output: Any) -> None:  # noqa: ARG002
        if run.component is Component.BATCH:
            self.batches += 1
            self._items += run.attributes["batch_size"]
        elif run.name == "index":
            self._ended = self._clock()

    def on_error(self, run: Run, error: BaseException) -> None:  # noqa: ARG002
        if run.name == "index":
            self._ended = self._clock()
