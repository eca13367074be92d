"""What a history keeps of one run."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias, final

from sideband.exporters.history._progress import Progress
from sideband.exporters.history._text import field
from sideband.runs import Component, Outcome, Run

__all__ = ["Chunk", "Event", "Fact", "Failure", "Record"]

Fact: TypeAlias = str | int | float | bool | tuple[int, ...]
"""A value of metadata or attributes, as it is kept; numbers are finite, and below `MOST`."""

NO_FACTS: Final[Mapping[str, Fact]] = MappingProxyType({})
NO_CHILDREN: Final[Mapping[int, None]] = MappingProxyType({})
_MOST_LINKS = 256
_MOST_NAME = 200
MOST: Final = 1e15
"""Larger numbers, and what is no number, would not be the same in JSON; nor can the largest be written at all."""
_OVERHEAD: Final = 100
"""Bytes that a chunk or an event takes beside its text."""


class Chunk(NamedTuple):
    """A chunk of a streamed output."""

    elapsed: float
    """Seconds since the run's start."""
    text: str | None
    """It as text; None where payloads are not kept."""
    written: bool
    """Whether it is a piece of a text, to be put behind the one before it; else a value by itself."""
    place: int
    """How many came before it."""


class Event(NamedTuple):
    """An event that a run emitted."""

    elapsed: float
    """Seconds since the run's start."""
    name: str
    payload: str | None
    """It as text; None where payloads are not kept."""
    place: int
    """How many came before it."""


class Failure(NamedTuple):
    """An exception, as text."""

    type: str
    text: str | None
    """What it says; None where payloads are not kept."""
    frames: tuple[str, ...]
    """Where it was raised: "file:line function", the innermost last."""
    relation: str
    """How it came to the one before it in the chain: "", "caused by", "raised while handling", "one of"."""


@final
class Record:
    """One run, as far as it is known; read it, and change nothing.

    Threads: the watched program changes it while it is read, each field by itself; `outcome` is set last.
    """

    # Defaults live on the class, so that making a record stores only what differs from them.
    sequence: int = 0
    """That of its last change."""
    duration: float | None = None
    """Seconds; None while it goes on."""
    outcome: Outcome | None = None
    streamed: bool = False
    metadata: Mapping[str, Fact] = NO_FACTS
    attributes: Mapping[str, Fact] = NO_FACTS
    """As they were when it ended; of a batch also before."""
    input: str | None = None
    output: str | None = None
    error: tuple[Failure, ...] = ()
    """The exception that ended it, and its causes."""
    chunks: Sequence[Chunk] = ()
    """The last ones; `chunk_count` says how many there were."""
    chunk_count: int = 0
    events: Sequence[Event] = ()
    """The last ones; `event_count` says how many there were."""
    event_count: int = 0
    time_to_first_chunk: float | None = None
    """Seconds, of a streamed run."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    """In US dollars, where somebody told."""
    links: tuple[str, ...] = ()
    """Ids of the runs that it served, or that served it; the first 256 of `link_count`."""
    link_count: int = 0
    waiting: int = 0
    """Of a call of a serving, the items that wait to be executed."""
    progress: Progress = (0.0, 0.0)
    """How much is done, and of how much (zero where that is not known), by its events called "progress"."""
    children: Mapping[int, None] = NO_CHILDREN
    """The numbers of the runs inside of it, in the order of their starts."""
    dropped_children: int = 0
    """How many more there were."""
    dropped_payload: bool = False
    """Whether input, output, chunks, events and what the error says were dropped to make room."""
    gone: bool = False
    """Whether the history has dropped it."""
    kept_bytes: int = 0
    """About what its payloads take."""
    counted_bytes: int = 0
    encoded: tuple[int, str] | None = None
    """For whoever shows it: its summary, as it was at a sequence number."""
    _queued: bool = False
    _settled: bool = False

    def __init__(self, number: int, run: Run, parent: Record | None) -> None:
        """Begin it with what is known at the start."""
        info = run._info
        self.number = number
        """Counted from 1 in the order of the starts; unique in its history."""
        self.id: str = run.id
        self.trace_id: str = run.trace_id if parent is None else parent.trace_id
        self.parent: int = 0 if parent is None else parent.number
        """The number of the run around it; 0 if there is none, or none that the history was told of."""
        self.parent_id: str | None = run.parent_id
        """The id of the run around it, also where the history was not told of that one."""
        self.name: str = info.name[:_MOST_NAME]
        self.type: str = info.type[:_MOST_NAME]
        self.component: Component = info.component
        self.path: tuple[str, ...] = run.path
        self.started_at: float = run.started_at
        self._started = run._t0

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.outcome is None

    @property
    def elapsed(self) -> float:
        """Seconds since its start, up to its end."""
        return time.perf_counter() - self._started if self.duration is None else self.duration

    @property
    def text(self) -> str:
        """What its chunks have written so far, as far as they are kept."""
        return "".join(chunk.text for chunk in list(self.chunks) if chunk.written and chunk.text is not None)

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens a second, since the first chunk of a streamed run; None where nobody told tokens."""
        if not self.output_tokens or not self.duration:
            return None
        seconds = self.duration - (self.time_to_first_chunk or 0.0)
        return self.output_tokens / (seconds if seconds > 0 else self.duration)

    def link(self, run: Run) -> None:
        """Keep which other runs it belongs to."""
        links = run.links
        self.link_count = len(links)
        self.links = tuple([link.id for link in links[:_MOST_LINKS]])

    def use(self, usage: Any) -> None:
        """Keep what it consumed."""
        if usage is not None:
            self.input_tokens = count(field(usage, "input_tokens"))
            self.output_tokens = count(field(usage, "output_tokens"))
            cost = field(usage, "cost")
            self.cost = float(cost) if isinstance(cost, int | float) and is_sound(cost) else None

    def add_chunk(self, chunk: Chunk, most: int) -> None:
        """Keep a chunk more, `most` at most."""
        if not isinstance(self.chunks, deque):
            self.chunks = deque(maxlen=most)
        if len(self.chunks) == most:
            self.kept_bytes -= _OVERHEAD + len(self.chunks[0].text or "")
        self.chunks.append(chunk)
        self.kept_bytes += _OVERHEAD + len(chunk.text or "")
        self.chunk_count += 1

    def add_event(self, event: Event, most: int) -> None:
        """Keep an event more, `most` at most."""
        if not isinstance(self.events, deque):
            self.events = deque(maxlen=most)
        if len(self.events) == most:
            self.kept_bytes -= _OVERHEAD + len(self.events[0].payload or "")
        self.events.append(event)
        self.kept_bytes += _OVERHEAD + len(event.payload or "")
        self.event_count += 1

    def add_child(self, number: int) -> None:
        """Know of a run inside of it."""
        if not isinstance(self.children, dict):
            self.children = {}
        self.children[number] = None

    def drop_child(self, number: int) -> None:
        """Know of a run inside of it that is no longer kept."""
        if isinstance(self.children, dict) and number in self.children:
            del self.children[number]
            self.dropped_children += 1

    def drop_payload(self) -> None:
        """Let go of all that is large."""
        self.input = self.output = None
        self.chunks = self.events = ()
        self.error = tuple(one._replace(text=None, frames=()) for one in self.error)
        self.kept_bytes = 0
        self.dropped_payload = True

    def __repr__(self) -> str:
        """Show identity and outcome, never payloads."""
        state = self.outcome.value if self.outcome else "running"
        return f"<Record {self.number} {self.component.value} {self.name!r} {state}>"


def is_sound(number: float) -> bool:
    """Tell whether a number can be written down, and added up."""
    return -MOST < number < MOST


def count(given: Any) -> int:
    """Return a count that somebody gave; 0 if it is none."""
    return given if isinstance(given, int) and is_sound(given) else 0
