"""What changed since when, and what is dropped to make room: the history without threads or handlers.

1. Each change of a run gives it the next sequence number. Runs are kept in the order of their last changes, so
   that "what changed since N" is the end of that order: a run that changed often is told once, as it is.
2. What ended first is dropped first; if more runs are going on than there is room for, the oldest of them.
   Drops are kept, in the same sequence, as many as there may be runs.
3. A reader is at a `Position`: up to which change it has been told, and up to which drop. It may be away as long
   as it likes: only if it has missed drops that are no longer kept has it to begin anew.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, final

from sideband.exporters.history._histogram import Histogram
from sideband.exporters.history._record import Record
from sideband.runs import Component, Outcome

__all__ = ["Changes", "Journal", "Position", "Totals"]


@final
class Position(NamedTuple):
    """Up to where a reader has been told."""

    changed: int
    """The sequence number of the last change."""
    dropped: int
    """The sequence number up to which it was told of drops."""


@final
@dataclass(frozen=True, slots=True)
class Changes:
    """What a reader has not been told yet."""

    position: Position
    """Where the reader is after this."""
    records: tuple[Record, ...]
    """Runs that are new or have changed, the earliest change first."""
    dropped: tuple[int, ...]
    """The numbers of runs that are no longer kept, some of them never told."""
    anew: bool
    """Whether the reader has to forget what it knows: these are the first changes of all."""
    more: bool
    """Whether there are more changes than were asked for."""


@final
@dataclass(slots=True)
class Totals:
    """What there was since the beginning, kept or not."""

    runs: int = 0
    ended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    """By outcome."""
    dropped_runs: int = 0
    dropped_payloads: int = 0
    """Runs that are kept without input, output, chunks and events."""
    input_tokens: int = 0
    """Of chat models and embedders; so are `output_tokens` and `cost`."""
    output_tokens: int = 0
    cost: float = 0.0
    queue_time: Histogram = field(default_factory=Histogram)
    """Seconds that items of a call waited, of several the longest."""
    time_to_first_chunk: Histogram = field(default_factory=Histogram)
    """Seconds, of streamed runs."""
    tokens_per_second: Histogram = field(default_factory=Histogram)
    """Output tokens, of chat models, since the first chunk."""

    @property
    def running(self) -> int:
        """How many have not ended."""
        return self.runs - sum(self.ended.values())

    def copy(self) -> Totals:
        """Return what does not change with this."""
        numbers = (self.dropped_runs, self.dropped_payloads, self.input_tokens, self.output_tokens, self.cost)
        histograms = (self.queue_time, self.time_to_first_chunk, self.tokens_per_second)
        return Totals(self.runs, dict(self.ended), *numbers, *[one.copy() for one in histograms])

    def add(self, record: Record) -> None:
        """Count a run that has ended."""
        if record.outcome is not None:
            self.ended[record.outcome] += 1
        # What else tells usage tells it of these, which are inside of it.
        if record.component in (Component.CHAT_MODEL, Component.EMBEDDING):
            self.input_tokens += record.input_tokens
            self.output_tokens += record.output_tokens
            self.cost += record.cost or 0.0
        if record.component is Component.CHAT_MODEL and record.tokens_per_second is not None:
            self.tokens_per_second.add(record.tokens_per_second)
        if record.time_to_first_chunk is not None:
            self.time_to_first_chunk.add(record.time_to_first_chunk)
        if record.component is Component.SERVING:
            waited = record.attributes.get("queue_time")
            if isinstance(waited, int | float):
                self.queue_time.add(waited)


@final
class Journal:
    """The runs that are kept, in the order of their last changes.

    Threads: none; whoever calls it holds a lock.
    Cost: a change about 1 µs; what changed is read in time proportional to what changed.
    """

    def __init__(self, max_runs: int, max_bytes: int) -> None:
        """Start empty."""
        self._max_runs = max_runs
        self._max_bytes = max_bytes
        self._changed: OrderedDict[int, Record] = OrderedDict()
        self._by_id: dict[str, Record] = {}
        self._running: dict[int, Record] = {}
        self._ended: deque[Record] = deque()
        self._heavy: deque[Record] = deque()
        self._drops: deque[tuple[int, int]] = deque(maxlen=max_runs)
        self._drops_lost = 0
        self.sequence = 0
        self.bytes = 0
        self.totals = Totals()

    def note(self, record: Record) -> None:
        """Take a run in, or know of its change."""
        if record.gone:
            self._settle(record)
            return
        if not record.sequence:
            self._by_id[record.id] = self._running[record.number] = record
            self.totals.runs += 1
            around = self._changed.get(record.parent)
            if around is not None:
                around.add_child(record.number)
        self._touch(record)
        kept = record.kept_bytes  # once: another thread may be writing it
        self.bytes += kept - record.counted_bytes
        record.counted_bytes = kept
        if record.outcome is not None and not record._settled:
            self._settle(record)
            self._ended.append(record)
            if record.kept_bytes:
                self._heavy.append(record)
        self._make_room()

    def _touch(self, record: Record) -> None:
        self.sequence = record.sequence = self.sequence + 1
        self._changed[record.number] = record
        self._changed.move_to_end(record.number)

    def _settle(self, record: Record) -> None:
        if record.outcome is not None and not record._settled:
            record._settled = True
            self._running.pop(record.number, None)
            self.totals.add(record)

    # -- making room -----------------------------------------------------------------------------

    def _make_room(self) -> None:
        while len(self._changed) > self._max_runs:
            self._drop(self._ended.popleft() if self._ended else next(iter(self._running.values())))
        while self.bytes > self._max_bytes and self._heavy:
            record = self._heavy.popleft()
            self.bytes -= record.counted_bytes
            record.drop_payload()
            record.counted_bytes = 0
            self.totals.dropped_payloads += 1
            self._touch(record)

    def _drop(self, record: Record) -> None:
        record.gone = True
        del self._changed[record.number]
        del self._by_id[record.id]
        self._running.pop(record.number, None)
        if self._heavy and self._heavy[0] is record:  # both are in the order of the endings
            self._heavy.popleft()
        self.bytes -= record.counted_bytes
        record.counted_bytes = 0
        self.totals.dropped_runs += 1
        self.totals.dropped_payloads -= record.dropped_payload
        if len(self._drops) == self._max_runs:
            self._drops_lost = self._drops[0][0]
        self.sequence += 1
        self._drops.append((self.sequence, record.number))
        around = self._changed.get(record.parent)
        if around is not None:
            around.drop_child(record.number)
            self._touch(around)

    # -- reading ---------------------------------------------------------------------------------

    def changes(self, since: Position | None, limit: int | None) -> Changes:
        """Return what a reader has not been told, at most `limit` runs."""
        anew = since is None or since.dropped < self._drops_lost or max(since) > self.sequence
        if since is None or anew:
            since = Position(0, self.sequence)
        found = list(_since(reversed(self._changed.values()), since.changed))
        found.reverse()
        more = limit is not None and len(found) > limit
        records = found[:limit]
        drops: list[int] = []
        for sequence, number in reversed(self._drops):
            if sequence <= since.dropped:
                break
            drops.append(number)
        told = records[-1].sequence if more and records else self.sequence
        position = Position(told, self.sequence)
        return Changes(position, tuple(records), tuple(reversed(drops)), anew, more)

    def find(self, identity: str) -> Record | None:
        """Return the run of that id, if it is kept."""
        return self._by_id.get(identity)

    def get(self, number: int) -> Record | None:
        """Return the run of that number, if it is kept."""
        return self._changed.get(number)

    def latest(self, count: int) -> list[Record]:
        """Return the runs that are going on, the newest first, then those that ended last."""
        running = list(islice(reversed(self._running.values()), count))
        return running + list(islice(reversed(self._ended), count - len(running)))

    def __len__(self) -> int:
        """Count the runs that are kept."""
        return len(self._changed)


def _since(records: Iterator[Record], sequence: int) -> Iterator[Record]:
    for record in records:
        if record.sequence <= sequence:
            return
        yield record
