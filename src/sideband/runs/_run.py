"""One execution of one component.

A run holds no lock and no reference to a stream or a task. Its private parts belong to
`sideband.observe`, the one place where runs are made, fired and ended.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import Context
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, final

from sideband.runs._ids import new_run_id, new_trace_id
from sideband.runs._info import Component, Outcome, RunInfo
from sideband.runs._state import State

if TYPE_CHECKING:
    from sideband.runs._link import RunLink

__all__ = ["Ending", "Run"]

NO_METADATA: Mapping[str, Any] = MappingProxyType({})


class Ending(NamedTuple):
    """How a run ended, as a generator handler receives it."""

    outcome: Outcome
    output: Any
    """The output; None where the run failed."""
    error: BaseException | None
    """The exception; None where the run did not fail."""


class EventSink(Protocol):
    """Who is told of a run's events; the run's plan of handlers is one."""

    def fire_event(self, run: Run, name: str, payload: Any) -> None:
        """Tell the handlers of the run of one event."""


class Run:
    """One execution of one component: it starts once and ends exactly once.

    Handlers are given it at every timing and read it; a component's own code may set `output`,
    `usage`, and entries of `attributes`, and may `emit`.

    Threads: one run may be read, and may emit, from any thread.
    Cost: ids, state, attributes and links are made on first use.
    """

    # Defaults live on the class, so that making a run stores only what differs from them.
    parent: Run | None = None
    """The run in whose body this one started; None for a root."""
    input: Any = None
    """What the component was given; the stream itself if its input is a stream."""
    output: Any = None
    """What it gave: set once it ended; for a stream, the chunks put together if a handler wants them."""
    error: BaseException | None = None
    """The exception that ended it."""
    outcome: Outcome | None = None
    """How it ended; None while it goes on."""
    streamed: bool = False
    """Whether its output is a stream."""
    chunks: int = 0
    """How many chunks a streamed output has given so far."""
    time_to_first_chunk: float | None = None
    """Seconds from the start to the first chunk of a streamed output."""
    usage: Any = None
    """What it consumed (a `Usage`), where the component tells."""
    metadata: Mapping[str, Any] = NO_METADATA
    """Who and what it is for, inherited from the caller; immutable."""
    path: tuple[str, ...] = ()
    """The node keys from the outermost graph to this run; empty outside of graphs."""
    links: tuple[RunLink, ...] = ()
    """Other runs that it served, or that served it."""

    started_at: float
    """Unix seconds."""

    # Set by `begin`, whatever they are: what is read in each run is found quicker on the run than on its class.
    _info: RunInfo
    _sink: Any
    _t0: float
    _begun: int
    _streams: Any

    _duration: float | None = None
    _remote: tuple[str, str] | None = None
    _context: Context | None = None
    _open_streams: dict[int, Any] | None = None
    _failed: set[int] | None = None

    @property
    def name(self) -> str:
        """The component's name."""
        return self._info.name

    @property
    def type(self) -> str:
        """The implementation ("OpenAI"), or an empty string."""
        return self._info.type

    @property
    def component(self) -> Component:
        """The component's kind."""
        return self._info.component

    # Made on first use and kept by `setdefault`, which is atomic: every thread sees one value.

    @property
    def id(self) -> str:
        """16 hex digits, unique to this run."""
        found: str | None = self.__dict__.get("_id")
        return found or self.__dict__.setdefault("_id", new_run_id())

    @property
    def trace_id(self) -> str:
        """32 hex digits, shared by all runs under one root."""
        root = self
        while root.parent is not None:
            root = root.parent
        if root._remote is not None:
            return root._remote[0]
        found: str | None = root.__dict__.get("_trace_id")
        return found or root.__dict__.setdefault("_trace_id", new_trace_id())

    @property
    def parent_id(self) -> str | None:
        """The parent's id, also where the parent is in another process (`traceparent=`)."""
        if self.parent is not None:
            return self.parent.id
        return self._remote[1] if self._remote else None

    @property
    def traceparent(self) -> str:
        """The W3C header that joins what another process does to this run."""
        return f"00-{self.trace_id}-{self.id}-01"

    @property
    def state(self) -> State:
        """What handlers keep between timings, by handler."""
        found: State | None = self.__dict__.get("_state")
        return found if found is not None else self.__dict__.setdefault("_state", State())

    @property
    def attributes(self) -> dict[str, Any]:
        """What the component itself records of this run (`queue_time`, `batch_size`, …)."""
        found: dict[str, Any] | None = self.__dict__.get("_attributes")
        return found if found is not None else self.__dict__.setdefault("_attributes", {})

    @property
    def elapsed(self) -> float:
        """Seconds since the start, up to the end if it has ended."""
        return time.perf_counter() - self._t0 if self._duration is None else self._duration

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while it goes on."""
        return self._duration

    def link(self) -> RunLink:
        """Return the frozen identity by which another run can refer to this one."""
        # Most programs link no runs, and a dataclass takes longer to load than all else here.
        from sideband.runs._link import RunLink  # noqa: PLC0415

        return RunLink(id=self.id, trace_id=self.trace_id, name=self.name, component=self.component)

    def emit(self, name: str, payload: Any = None) -> None:
        """Tell the run's handlers of a named event, at once, on the caller's thread.

        Order: handlers are told first-given first.
        Closing: an event after the run's end goes nowhere.
        Cost: nothing where no handler wants events.
        """
        sink = self._sink
        if sink is not None and self.outcome is None:
            sink.fire_event(self, name, payload)

    def __repr__(self) -> str:
        """Show identity and outcome, never payloads."""
        state = self.outcome.value if self.outcome else "running"
        return f"<Run {self.component.value} {self.name!r} {self.id} {state}>"


@final
class InertRun(Run):
    """The run of an unwatched `observe`: it keeps what is assigned to it and tells nobody."""

    started_at = 0.0
    _sink = None
    _t0 = 0.0
    _begun = 0
    _streams = None

    def __init__(self, info: RunInfo, value: Any) -> None:
        """Make it without a clock reading, an id or a parent."""
        self._info = info
        self.input = value

    @property
    def elapsed(self) -> float:
        """Zero: nothing is measured where nobody watches."""
        return 0.0
