"""Random programs under handlers in the background: they do the same, and the handlers see the same, or a coherent part."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import Ending, Handler, Run, background, callbacks, handler
from sideband.testing import Record, Recorder

from .interpreter import execute
from .programs import Node, programs

pytestmark = pytest.mark.filterwarnings("ignore:the stream of .* was dropped half-read:ResourceWarning")

span: ContextVar[str] = ContextVar("background_span", default="")


def run(program: Node, *attached: Handler | background) -> Any:
    """Execute a program in a context of its own under some handlers."""

    async def main() -> Any:
        with callbacks(*attached):
            return await execute(program)

    return asyncio.run(main())


def told(records: list[Record]) -> dict[Run, list[Any]]:
    """Return what was told of each run, in its order."""
    found: dict[Run, list[Any]] = defaultdict(list)
    for record in records:
        found[record.run].append((record.timing, record.event, record.payload))
    return found


@given(programs())
def test_a_handler_is_told_the_same_in_the_background(program: Node) -> None:
    """Of every run of any program, in the same order, with the same objects; and the program does the same."""
    plain, recorder, wrong = Recorder(), Recorder(), list[str]()

    @handler
    def spanning(seen: Run, value: Any) -> Generator[None, Ending]:
        token = span.set(seen.id)
        yield
        if span.get() != seen.id:
            wrong.append(seen.id)
        span.reset(token)

    unwatched = run(program)
    with background(recorder) as behind, background(spanning) as spans:
        watched = run(program, behind, plain, spans)

    assert watched == unwatched
    assert (behind.dropped, spans.dropped, wrong) == (0, 0, [])
    assert told(list(recorder)) == told(list(plain))


@given(programs(), st.integers(1, 5), st.sampled_from(["drop_oldest", "drop_newest", "block"]))
def test_a_full_queue_leaves_whole_runs(program: Node, room: int, overflow: Any) -> None:
    """Of a run that a handler is told of it is told the start and the ending; all else is counted."""
    plain, recorder = Recorder(), Recorder()

    # Attached before there is a loop, so that "block" is accepted; what would wait on the loop is dropped.
    with background(recorder, max_events=room, overflow=overflow) as behind, callbacks(behind, plain):
        asyncio.run(execute(program))

    assert behind.delivered == len(recorder)
    assert behind.delivered + behind.dropped == len(plain)
    everything = told(list(plain))
    for seen, calls in told(list(recorder)).items():
        timings = [timing for timing, *_ in calls]
        assert timings[0] == "on_start"
        assert timings[-1] in {"on_end", "on_error"}
        rest = iter(everything[seen])
        assert all(call in rest for call in calls), "told in another order"
