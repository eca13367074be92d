"""The handler: what happens is noted at once, and put in order by whoever reads.

1. A timing writes what it is told into its run's record, and puts that into an inbox unless it is in there; both
   are single steps, so that no thread waits for another, nor a finalizer, which may come amid anything, for itself.
2. Whoever reads empties the inbox, under a lock. If nobody does, a writer does when it has filled, unless another
   thread is about it.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from typing import Any, Final, cast, final

from sideband.exporters.history._capture import Capture, CaptureMode, Redact
from sideband.exporters.history._failure import failures
from sideband.exporters.history._journal import Changes, Journal, Position, Totals
from sideband.exporters.history._progress import advanced
from sideband.exporters.history._record import Chunk, Event, Record, count
from sideband.exporters.history._text import field
from sideband.handlers import Handler
from sideband.runs import Component, Run

__all__ = ["History"]

_FULL: Final = 64
"""Records in the inbox at which a writer empties it."""
_MAX_PIECE: Final = 2_000
_WAITING: Final = {"queued": 1, "executing": -1}
"""What a serving's own events do to the number of items that wait."""


@final
class History(Handler):
    """Keeps the runs now going and the latest finished ones, within bounds, for whoever shows them.

    ```python
    history = History(max_runs=1_000)
    with callbacks(history):
        ...
    history.latest()[0].output
    ```

    Payloads are kept as text: bounded, with secrets masked, and made at once, so that nothing of the program's is
    held. `capture` says whether: "on", "redacted" (what `redact` leaves of them; without it their types and lengths
    alone), "off" (names, times, counts and outcomes alone). By default it is "off" where the environment variable
    `SIDEBAND_ENV` is `production`, "redacted" with `redact`, else "on".

    Order: records are numbered in the order of the starts, and dropped in the order of the endings.
    Cancellation: cancelled runs end as such.
    Closing: nothing to close.
    Threads: one may watch runs of any number of threads, and be read from any; no writer waits.
    Cost: about 15 µs a run with small payloads, 1 µs a chunk; at most `max_runs` records and about `max_bytes` of what
        ended runs hold; one that goes on holds `max_chunks` and `max_events` of its own besides.
    """

    wants_output = False

    def __init__(
        self,
        *,
        max_runs: int = 10_000,
        max_bytes: int = 64_000_000,
        max_value: int = 4_000,
        max_chunks: int = 1_000,
        max_events: int = 200,
        capture: CaptureMode | None = None,
        redact: Redact | None = None,
    ) -> None:
        """Start empty.

        Args:
            max_runs: the most runs that are kept; the one that ended first is dropped first.
            max_bytes: the most that payloads and errors of ended runs take together; the oldest are dropped, their
                runs stay.
            max_value: the most characters that are kept of an input, an output, a chunk or an event's payload.
            max_chunks: the most chunks of a run, the last ones.
            max_events: the most events of a run, the last ones.
            capture: whether payloads are kept; see above.
            redact: called with "input", "output", "chunk", "event" or "error", and the value; returns what may be
                kept of it.

        Raises:
            ValueError: a limit is less than 1, or `capture` is none of its words.
        """
        limits = {
            "max_runs": max_runs,
            "max_bytes": max_bytes,
            "max_value": max_value,
            "max_chunks": max_chunks,
            "max_events": max_events,
        }
        for name, limit in limits.items():
            if limit < 1:
                raise ValueError(f"{name} must be at least 1, got {limit!r}")
        self._capture = Capture(capture, redact, max_value)
        self._max_piece = min(max_value, _MAX_PIECE)
        self._max_chunks, self._max_events = max_chunks, max_events
        self.max_runs = max_runs
        self._numbers = itertools.count(1)
        self._inbox: deque[Record] = deque()
        self._lock = threading.Lock()
        self._journal = Journal(max_runs, max_bytes)

    @property
    def capture(self) -> CaptureMode:
        """Whether payloads are kept."""
        return self._capture.mode

    # -- reading ---------------------------------------------------------------------------------

    def changes(self, since: Position | None = None, limit: int | None = None) -> Changes:
        """Return the runs that are new or have changed since a position, each as it is now.

        Read on from `Changes.position`: what changed often in between is told once, and nothing is missed.

        Args:
            since: the position that was returned last; None to begin.
            limit: the most runs to return; `Changes.more` tells whether there are others.
        """
        with self._lock:
            self._empty()
            return self._journal.changes(since, limit)

    def latest(self, count: int = 100) -> list[Record]:
        """Return the runs that are going on, the newest first, then those that ended last; `count` at most."""
        with self._lock:
            self._empty()
            return self._journal.latest(count)

    def find(self, id: str) -> Record | None:  # noqa: A002 - as it is called of a run
        """Return the run of that id, if it is kept."""
        with self._lock:
            self._empty()
            return self._journal.find(id)

    def get(self, number: int) -> Record | None:
        """Return the run of that number, if it is kept."""
        with self._lock:
            self._empty()
            return self._journal.get(number)

    def children(self, record: Record) -> list[Record]:
        """Return the runs inside of one, in the order of their starts, as far as they are kept."""
        with self._lock:
            self._empty()
            found = map(self._journal.get, record.children)
            return [child for child in found if child is not None]

    @property
    def totals(self) -> Totals:
        """What there was since the beginning, dropped or not, as it stands now."""
        with self._lock:
            self._empty()
            return self._journal.totals.copy()

    def __len__(self) -> int:
        """Count the runs that are kept."""
        with self._lock:
            self._empty()
            return len(self._journal)

    def _empty(self) -> None:
        inbox, note = self._inbox, self._journal.note
        while inbox:
            record = inbox.popleft()
            # Before it is read: what comes from now on puts it in again.
            record._queued = False
            note(record)

    # -- watching --------------------------------------------------------------------------------

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002 - as every handler
        """Begin a record."""
        parent = run.parent
        around: Record | None = None
        if parent is not None and self in parent.state:
            around = parent.state[self]
        record = Record(next(self._numbers), run, around)
        if run.metadata:
            record.metadata = self._capture.facts(run.metadata)
        if run.component is Component.BATCH:
            record.link(run)
            record.attributes = self._capture.facts(run.attributes)
        if input is not None:
            record.input = self._capture.text("input", input)
            record.kept_bytes = len(record.input or "")
        run.state[self] = record
        self._tell(record)

    def on_chunk(self, run: Run, chunk: Any) -> None:
        """Keep a chunk."""
        record = self._record(run)
        if record is None:
            return
        piece, written = _piece(chunk)
        text = self._capture.text("chunk", piece, self._max_piece)
        record.add_chunk(Chunk(run.elapsed, text, written, record.chunk_count), self._max_chunks)
        record.streamed = True
        if record.time_to_first_chunk is None:
            record.time_to_first_chunk = run.time_to_first_chunk
        self._tell(record)

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        """Keep an event."""
        record = self._record(run)
        if record is None:
            return
        if record.component is Component.SERVING and name in _WAITING and type(payload) is dict:
            items: Any = cast("dict[str, Any]", payload).get("items")
            record.waiting += _WAITING[name] * count(items)
            if name == "queued":
                record.progress = record.progress[0], record.progress[1] + count(items)
        if name == "progress":
            record.progress = advanced(record.progress, payload)
        text = None if payload is None else self._capture.text("event", payload, self._max_piece)
        record.add_event(Event(run.elapsed, name[:200], text, record.event_count), self._max_events)
        self._tell(record)

    def on_end(self, run: Run, output: Any) -> None:
        """Complete a record."""
        record = self._record(run)
        if record is not None:
            if output is not None:
                record.output = self._capture.text("output", output)
                record.kept_bytes += len(record.output or "")
            self._end(record, run)

    def on_error(self, run: Run, error: BaseException) -> None:
        """Complete a record with the exception and its causes."""
        record = self._record(run)
        if record is not None:
            cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
            record.error = failures(error, self._capture, frames=not cancelled)
            record.kept_bytes += sum(len(one.text or "") + sum(map(len, one.frames)) for one in record.error)
            self._end(record, run)

    def _record(self, run: Run) -> Record | None:
        if self not in run.state:  # it was attached after the start
            return None
        record: Record = run.state[self]
        return record

    def _end(self, record: Record, run: Run) -> None:
        attributes = run.__dict__.get("_attributes")
        if attributes:
            record.attributes = self._capture.facts(attributes)
        if run.usage is not None:
            record.use(run.usage)
        if run.links:
            record.link(run)
        record.streamed = run.streamed
        record.time_to_first_chunk = run.time_to_first_chunk
        record.waiting = 0
        record.duration = run.elapsed
        record.outcome = run.outcome
        self._tell(record)

    def _tell(self, record: Record) -> None:
        if not record._queued:
            record._queued = True
            self._inbox.append(record)
            if len(self._inbox) >= _FULL and self._lock.acquire(blocking=False):
                try:
                    self._empty()
                finally:
                    self._lock.release()


def _piece(chunk: Any) -> tuple[Any, bool]:
    """Return what to keep of a chunk, and whether it is a piece of a text."""
    if type(chunk) is str:
        return chunk, True
    # A frame of a chat model; other objects with a text of their own are values.
    if field(chunk, "kind") == "text" and isinstance(content := field(chunk, "content"), str):
        return content, True
    return chunk, False
