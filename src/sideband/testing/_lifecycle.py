"""The invariants of runs, checked over what a `Recorder` has seen.

1. A run is told to have started first, once, and to have ended last, once.
2. `on_end` goes with ok, closed and interrupted and has the run's output; `on_error` goes with error
   and cancelled and has the run's exception.
3. A run has no outcome before its ending, and an ending says the outcome that the run keeps.
4. Chunks are those of streamed outputs; all of them, in the run's count and in its joined output.
5. A child has its parent's trace, and starts after its parent. Identities are unique and well-formed.
6. Handlers stand inside the run that they are told of.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator

from sideband.runs import Outcome, Run
from sideband.testing._recorder import Record, Recorder

__all__ = ["LifecycleError", "check_lifecycle", "violations"]

_ENDINGS = frozenset({"on_end", "on_error"})
_FAILED = frozenset({Outcome.ERROR, Outcome.CANCELLED})
_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


class LifecycleError(AssertionError):
    """What was recorded breaks the invariants of runs; `violations` says where."""

    def __init__(self, found: list[str], recorder: Recorder) -> None:
        """List what is wrong, and all that was seen."""
        self.violations: tuple[str, ...] = tuple(found)
        problems = "\n".join(f"- {violation}" for violation in found)
        super().__init__(f"{len(found)} violations:\n{problems}\nSeen were:\n{recorder.tree()}")


def check_lifecycle(recorder: Recorder, *, ended: bool = True) -> None:
    """Assert that everything recorded keeps the invariants of runs.

    Args:
        recorder: what has watched the program.
        ended: whether every run has to have ended by now.

    Raises:
        LifecycleError: (an AssertionError) something does not; it lists all that does not.
    """
    found = violations(recorder, ended=ended)
    if found:
        raise LifecycleError(found, recorder)


def violations(recorder: Recorder, *, ended: bool = True) -> list[str]:
    """Return what breaks the invariants of runs, one sentence each; empty if nothing does."""
    by_run: dict[int, list[Record]] = {}
    for record in recorder:
        by_run.setdefault(id(record.run), []).append(record)
    found: list[str] = []
    for records in by_run.values():
        run = records[0].run
        for check in _CHECKS:
            found += [f"{run!r}: {violation}" for violation in check(run, records)]
        if ended and records[-1].timing not in _ENDINGS:
            found.append(f"{run!r}: has not ended; the last that was told is {records[-1].timing}")
    found += _family(recorder)
    return found


def _order(_run: Run, records: list[Record]) -> Iterator[str]:
    timings = [record.timing for record in records]
    starts = timings.count("on_start")
    endings = sum(timing in _ENDINGS for timing in timings)
    if starts != 1:
        yield f"was told to start {starts} times"
    elif timings[0] != "on_start":
        yield f"{timings[0]} was told before on_start"
    if endings > 1:
        yield f"was told to end {endings} times"
    if endings and timings[-1] not in _ENDINGS:
        yield f"{timings[-1]} was told after the ending"


def _outcome(run: Run, records: list[Record]) -> Iterator[str]:
    for record in records:
        ending = record.timing in _ENDINGS
        if not ending and record.outcome is not None:
            yield f"{record.timing} was told with the outcome {record.outcome.value}"
        if ending and record.outcome is not run.outcome:
            yield f"{record.timing} was told with the outcome {record.outcome}, the run has {run.outcome}"
        if ending and (record.timing == "on_error") != (record.outcome in _FAILED):
            yield f"{record.timing} was told for the outcome {record.outcome}"
        if record.timing == "on_start" and record.payload is not run.input:
            yield f"on_start had the input {record.payload!r}, the run has {run.input!r}"


def _result(run: Run, records: list[Record]) -> Iterator[str]:
    for record in records:
        if record.timing == "on_error":
            if record.payload is not run.error:
                yield f"on_error had {record.payload!r}, the run has {run.error!r}"
            cancelled = isinstance(record.payload, asyncio.CancelledError | GeneratorExit)
            if cancelled != (run.outcome is Outcome.CANCELLED):
                yield f"ended as {run.outcome} with {record.payload!r}"
        if record.timing == "on_end":
            if record.payload is not run.output:
                yield f"on_end had the output {record.payload!r}, the run has {run.output!r}"
            if run.error is not None:
                yield f"ended well with the error {run.error!r}"


def _stream(run: Run, records: list[Record]) -> Iterator[str]:
    chunks = [record.payload for record in records if record.timing == "on_chunk"]
    if chunks and not run.streamed:
        yield f"{len(chunks)} chunks were told, but its output is no stream"
    # A handler that stops the run at a chunk keeps it from those outside of it.
    if run.chunks - len(chunks) not in ((0, 1) if run.error is not None else (0,)):
        yield f"{len(chunks)} chunks were told, the run counts {run.chunks}"
    if (run.time_to_first_chunk is None) != (run.chunks == 0):
        yield f"its time to first chunk is {run.time_to_first_chunk} with {run.chunks} chunks"
    text = chunks and all(isinstance(chunk, str) for chunk in chunks)
    if text and isinstance(run.output, str) and run.output != "".join(chunks):
        yield f"its output is {run.output!r}, its chunks were {chunks!r}"


def _time(run: Run, _records: list[Record]) -> Iterator[str]:
    if (run.duration is None) != (run.outcome is None):
        yield f"has the duration {run.duration} and the outcome {run.outcome}"
    if run.duration is not None and not 0 <= (run.time_to_first_chunk or 0) <= run.duration:
        yield f"had its first chunk after {run.time_to_first_chunk} s and took {run.duration} s"


def _identity(run: Run, _records: list[Record]) -> Iterator[str]:
    if not _ID.fullmatch(run.id):
        yield f"has the id {run.id!r}"
    if not _TRACE_ID.fullmatch(run.trace_id):
        yield f"has the trace id {run.trace_id!r}"
    if run.parent is not None and run.trace_id != run.parent.trace_id:
        yield f"has the trace {run.trace_id}, its parent {run.parent.trace_id}"


def _inside(run: Run, records: list[Record]) -> Iterator[str]:
    # Events are told where they are emitted if the run's own context is in use at that moment.
    for record in records:
        if record.event is None and record.current is not run:
            yield f"{record.timing} was told where {record.current!r} is the current run"


_CHECKS: tuple[Callable[[Run, list[Record]], Iterator[str]], ...] = (
    _order,
    _outcome,
    _result,
    _stream,
    _time,
    _identity,
    _inside,
)


def _family(recorder: Recorder) -> Iterator[str]:
    place = {id(record.run): at for at, record in reversed(list(enumerate(recorder)))}
    ids: dict[str, Run] = {}
    for run in recorder.runs():
        other = ids.setdefault(run.id, run)
        if other is not run:
            yield f"{run!r} and {other!r} have the same id"
        parent = run.parent
        if parent is not None and place.get(id(parent), -1) > place[id(run)]:
            yield f"{run!r} started before its parent {parent!r}"
