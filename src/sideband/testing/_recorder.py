"""A handler that remembers, in order, everything that it was told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from sideband.handlers import Handler
from sideband.runs import Component, Outcome, Run
from sideband.scope import current_run

__all__ = ["Record", "Recorder"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One call of a handler, with what was true at that moment."""

    timing: str
    """The method that was called, "on_start" for instance."""
    run: Run
    payload: Any
    """The input, output, exception, chunk, or the event's payload."""
    event: str | None = None
    """The event's name; None for other timings."""
    outcome: Outcome | None
    """The run's outcome at that moment."""
    current: Run | None
    """The current run at that moment."""
    thread: int
    """The thread on which the handler was called."""

    def __repr__(self) -> str:
        """Show what fired on which run, and the payload."""
        what = self.timing if self.event is None else f"{self.timing} {self.event!r}"
        return f"<{what} of {self.run.name!r} {self.run.id}: {self.payload!r}>"


class Recorder(Handler):
    """A handler that keeps an ordered list of what fired.

    ```python
    recorder = Recorder()
    with callbacks(recorder):
        greet("world")

    assert recorder.timings() == ["on_start", "on_end"]
    assert recorder.run("greet").output == "hello world"
    check_lifecycle(recorder)
    ```

    Order: `records` has the order of the calls, those of all runs together.
    Threads: it may watch runs on any number of threads.
    Cost: it keeps every run, and so every payload, until `clear`.
    """

    def __init__(self, *, wants_output: bool = True) -> None:
        """Start empty; with `wants_output=False` the whole output of streams is not kept for it."""
        self.records: list[Record] = []
        self.wants_output = wants_output

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        """Record a start and its input."""
        self._keep("on_start", run, input)

    def on_end(self, run: Run, output: Any) -> None:
        """Record an ending and its output."""
        self._keep("on_end", run, output)

    def on_error(self, run: Run, error: BaseException) -> None:
        """Record an ending and its exception."""
        self._keep("on_error", run, error)

    def on_chunk(self, run: Run, chunk: Any) -> None:
        """Record a chunk."""
        self._keep("on_chunk", run, chunk)

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        """Record an event's name and payload."""
        self._keep("on_event", run, payload, name)

    def _keep(self, timing: str, run: Run, payload: Any, event: str | None = None) -> None:
        self.records.append(
            Record(
                timing=timing,
                run=run,
                payload=payload,
                event=event,
                outcome=run.outcome,
                current=current_run(),
                thread=threading.get_ident(),
            )
        )

    def clear(self) -> None:
        """Forget everything."""
        self.records.clear()

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records."""
        return iter(list(self.records))

    def __len__(self) -> int:
        """Count the records."""
        return len(self.records)

    def __bool__(self) -> bool:
        """Be true, also while empty."""
        return True

    def of(self, run: Run | str) -> list[Record]:
        """Return the records of one run, or of the only run of that name.

        Raises:
            AssertionError: there is no run of that name, or more than one.
        """
        wanted = self.run(run) if isinstance(run, str) else run
        return [record for record in self if record.run is wanted]

    def timings(self, run: Run | str | None = None) -> list[str]:
        """Return the names of the timings that fired, of all runs or of one.

        Raises:
            AssertionError: there is no run of that name, or more than one.
        """
        return [record.timing for record in (self if run is None else self.of(run))]

    def chunks(self, run: Run | str | None = None) -> list[Any]:
        """Return the chunks seen, of all runs or of one.

        Raises:
            AssertionError: there is no run of that name, or more than one.
        """
        records = self if run is None else self.of(run)
        return [record.payload for record in records if record.timing == "on_chunk"]

    def events(self, name: str | None = None, *, run: Run | str | None = None) -> list[Any]:
        """Return the payloads of the events of that name, or `(name, payload)` of all.

        Raises:
            AssertionError: there is no run of the name `run`, or more than one.
        """
        seen = [record for record in (self if run is None else self.of(run)) if record.event is not None]
        if name is None:
            return [(record.event, record.payload) for record in seen]
        return [record.payload for record in seen if record.event == name]

    def runs(
        self,
        name: str | None = None,
        *,
        component: Component | str | None = None,
        outcome: Outcome | str | None = None,
    ) -> list[Run]:
        """Return the runs seen that match all that is given, in the order in which they were first seen."""
        found = {id(record.run): record.run for record in self}.values()
        return [
            run
            for run in found
            if name in (None, run.name)
            and component in (None, run.component)
            and outcome in (None, run.outcome)
        ]

    def run(self, name: str | None = None, *, component: Component | str | None = None) -> Run:
        """Return the only run that matches.

        Raises:
            AssertionError: there is none, or more than one; the message lists all runs seen.
        """
        found = self.runs(name, component=component)
        if len(found) != 1:
            msg = f"{len(found)} runs match name={name!r}, component={component!r}; seen were:\n{self.tree()}"
            raise AssertionError(msg)
        return found[0]

    def children(self, run: Run) -> list[Run]:
        """Return the runs seen whose parent is this one."""
        return [child for child in self.runs() if child.parent is run]

    def tree(self) -> str:
        """Draw the runs seen, one a line, children indented under their parents."""
        runs = self.runs()
        known = {id(run) for run in runs}

        def lines(run: Run, depth: int) -> Iterator[str]:
            outcome = "running" if run.outcome is None else run.outcome.value
            yield f"{'  ' * depth}{run.name} ({run.component.value}): {outcome}"
            for child in self.children(run):
                yield from lines(child, depth + 1)

        roots = [run for run in runs if run.parent is None or id(run.parent) not in known]
        return "\n".join(line for root in roots for line in lines(root, 0)) or "no runs"

    def __repr__(self) -> str:
        """Show how much was recorded."""
        return f"<Recorder of {len(self.runs())} runs, {len(self)} records>"
