"""What each user, team or tenant consumed: one handler for runs of every kind.

1. Usage is inclusive: a run's is its own and that of the runs below it. So of each run counts what is
   more than what was counted below it, and nothing counts twice, whichever of them tell.
2. A call is a run with no run of the same key above it.
3. Inside of a batch nobody's calls are counted: the callers of a batch have their parts of it, as time
   and usage of their runs of kind Serving. What batches took altogether is counted by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, final

from sideband.handlers._handler import Handler
from sideband.runs import Component, Outcome, Run

__all__ = ["Total", "Totals"]

_Used = tuple[int, int, float]
"""Input tokens, output tokens, cost."""

_NOTHING: _Used = (0, 0, 0.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What was counted for one key."""

    calls: int = 0
    """Runs with no run of the same key above them."""
    errors: int = 0
    """Calls that failed."""
    cancelled: int = 0
    """Calls that were cancelled."""
    seconds: float = 0.0
    """Time that calls took, from their start to their end."""
    items: int = 0
    """Items that servings executed."""
    execute_seconds: float = 0.0
    """The key's part of the time that batches took."""
    queue_seconds: float = 0.0
    """Time that requests waited to be executed; of several items the longest."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    """In US dollars, where models tell."""


@final
class _Other:
    """The key of all that has no place of its own."""

    def __repr__(self) -> str:
        """Say what it is."""
        return "<other keys>"


@final
class Totals(Handler):
    """Adds up calls, errors, time, tokens and cost by metadata.

    ```python
    totals = Totals(by="user")
    with callbacks(totals):
        ...
    totals.snapshot()["Ann"].input_tokens
    ```

    Give it to callers, or register it globally; a serving's own `callbacks` see no callers.

    Order: a run is counted when it ends, what is below it before it.
    Cancellation: cancelled runs are counted as such, with what they consumed as far as they tell.
    Closing: nothing to close.
    Threads: one may count runs of any number of threads, and be read and reset from any.
    Cost: one entry a key, at most `max_keys`, and about 5 µs a run.
    """

    wants_output = False

    OTHER: Final = _Other()
    """The key of what came when `max_keys` were there already, or cannot be a key."""

    def __init__(self, *, by: str | Sequence[str] = "user", max_keys: int = 10_000) -> None:
        """Start with nothing counted.

        Args:
            by: the metadata whose value is the key; of several names the key is a tuple of their values.
                A run without it has None in its place.
            max_keys: the most keys that are kept apart; what comes for others is counted for `OTHER`, so
                that callers who invent keys cannot exhaust the memory.

        Raises:
            TypeError: `by` is no name and no names.
            ValueError: `max_keys` is less than 1, or `by` is empty.
        """
        names = (by,) if isinstance(by, str) else tuple(by)
        if not all(isinstance(name, str) for name in names):
            msg = f"by must be the name of an entry of the metadata, or several, got {by!r}"
            raise TypeError(msg)
        if not names or not all(names):
            msg = f"by must not be empty, got {by!r}"
            raise ValueError(msg)
        if max_keys < 1:
            msg = f"max_keys must be at least 1, got {max_keys!r}"
            raise ValueError(msg)
        self._names = names
        self._single = isinstance(by, str)
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._sums: dict[Hashable, _Sum] = {}
        self._batches = _Sum()

    # -- reading ---------------------------------------------------------------------------------

    def snapshot(self) -> dict[Hashable, Total]:
        """Return what was counted so far, by key."""
        with self._lock:
            return {key: found.total() for key, found in self._sums.items()}

    def reset(self) -> dict[Hashable, Total]:
        """Return what was counted so far, and start anew, `batches` too; nothing is lost in between."""
        with self._lock:
            sums, self._sums, self._batches = self._sums, {}, _Sum()
        return {key: found.total() for key, found in sums.items()}

    @property
    def batches(self) -> Total:
        """What the batches took altogether of which this handler saw the runs, as a global handler does.

        More than the keys have together is what nobody was charged for: parts of callers who left before
        their batch was done, or who were not watched.
        """
        with self._lock:
            return self._batches.total()

    # -- counting --------------------------------------------------------------------------------

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002, ARG002 - as every handler
        """Know whose the run is."""
        key = self._key(run)
        call = run.parent is None or all(
            above.state[self].key != key for above in _above(run) if self in above.state
        )
        run.state[self] = _Ledger(key, call=call)

    def on_end(self, run: Run, output: Any) -> None:  # noqa: ARG002 - as every handler
        """Count a run."""
        self._count(run)

    def on_error(self, run: Run, error: BaseException) -> None:  # noqa: ARG002 - as every handler
        """Count a run that failed or was cancelled."""
        self._count(run)

    def _key(self, run: Run) -> Hashable:
        found = run.metadata
        key: Hashable = found.get(self._names[0]) if self._single else tuple(map(found.get, self._names))
        try:
            hash(key)
        except TypeError:
            return self.OTHER
        return key

    def _count(self, run: Run) -> None:
        if self not in run.state:  # it was not told of the start
            return
        ledger: _Ledger = run.state[self]
        with self._lock:
            more = ledger.more_than_below(run.usage)
            outermost = run
            for outermost in _above(run):
                if more is not _NOTHING and self in outermost.state:
                    outermost.state[self].add_below(more)
            if run.component is Component.BATCH:
                self._batches.add_batch(run)
                self._batches.add_usage(_plus(more, ledger.below))
            elif outermost.component is not Component.BATCH:
                self._add(self._sum(ledger.key), run, ledger, more)

    def _add(self, found: _Sum, run: Run, ledger: _Ledger, more: _Used) -> None:
        if ledger.call:
            found.add_call(run)
        if run.component is Component.SERVING:
            found.add_served(run)
        if more is not _NOTHING:
            found.add_usage(more)

    def _sum(self, key: Hashable) -> _Sum:
        found = self._sums.get(key)
        if found is None:
            if len(self._sums) >= self._max_keys and key is not self.OTHER:
                return self._sum(self.OTHER)
            found = self._sums[key] = _Sum()
        return found


def _above(run: Run) -> Iterator[Run]:
    """Give the runs above one, the outermost last."""
    above = run.parent
    while above is not None:
        yield above
        above = above.parent


@final
class _Ledger:
    """What a handler keeps of a run that goes on."""

    __slots__ = ("below", "call", "key")

    def __init__(self, key: Hashable, *, call: bool) -> None:
        self.key = key
        self.call = call
        self.below: _Used = _NOTHING

    def more_than_below(self, usage: Any) -> _Used:
        """Return by how much a run's usage exceeds what was counted below it."""
        if usage is None:
            return _NOTHING
        below = self.below
        return (
            max(0, usage.input_tokens - below[0]),
            max(0, usage.output_tokens - below[1]),
            max(0.0, (getattr(usage, "cost", None) or 0.0) - below[2]),
        )

    def add_below(self, more: _Used) -> None:
        """Know of what a run below consumed."""
        self.below = _plus(self.below, more)


def _plus(one: _Used, other: _Used) -> _Used:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


@dataclass(slots=True)
class _Sum:
    """A total that grows: written out, since it grows with each run."""

    calls: int = 0
    errors: int = 0
    cancelled: int = 0
    seconds: float = 0.0
    items: int = 0
    execute_seconds: float = 0.0
    queue_seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0

    def total(self) -> Total:
        """Return it as it stands."""
        return Total(**{field.name: getattr(self, field.name) for field in fields(Total)})

    def add_call(self, run: Run) -> None:
        """Add how a run went."""
        self.calls += 1
        self.seconds += run.elapsed
        if run.outcome is Outcome.ERROR:
            self.errors += 1
        elif run.outcome is Outcome.CANCELLED:
            self.cancelled += 1

    def add_served(self, run: Run) -> None:
        """Add what servings did for a run of kind Serving."""
        found = run.attributes
        self.items += found.get("items", 0)
        self.execute_seconds += found.get("execute_share", 0.0)
        self.queue_seconds += found.get("queue_time", 0.0)

    def add_batch(self, run: Run) -> None:
        """Add a run of kind Batch."""
        self.add_call(run)
        self.items += run.attributes.get("batch_size", 0)
        self.execute_seconds += run.attributes.get("execute_time", 0.0)

    def add_usage(self, usage: _Used) -> None:
        """Add what was consumed."""
        self.input_tokens += usage[0]
        self.output_tokens += usage[1]
        self.cost += usage[2]
