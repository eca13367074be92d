"""Random programs keep the invariants, and do the same whoever watches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sideband import Abort, Ending, Handler, Run, callbacks, handler
from sideband.testing import Recorder, check_lifecycle

from .interpreter import execute
from .programs import Node, programs

pytestmark = pytest.mark.filterwarnings("ignore:the stream of .* was dropped half-read:ResourceWarning")

span: ContextVar[str] = ContextVar("span", default="")


class Raising(Handler):
    """Fails at some timings, plain and asynchronous."""

    def __init__(self, timings: frozenset[str], *, asynchronous: bool) -> None:
        for timing in timings:
            plain = timing == "on_event" or not asynchronous
            setattr(self, timing, self.fail if plain else self.fail_async)

    def fail(self, *_: Any) -> None:
        raise LookupError

    async def fail_async(self, *_: Any) -> None:
        await asyncio.sleep(0)
        raise LookupError


@handler
def spanning(run: Run, value: Any) -> Generator[None, Ending]:
    """Set a variable around each run, as a tracer does."""
    token = span.set(f"{span.get()}/{run.name}")
    yield
    span.reset(token)


@handler
async def spanning_async(run: Run, value: Any) -> AsyncGenerator[None, Ending]:
    """Set a variable around each run, waiting."""
    await asyncio.sleep(0)
    token = span.set(f"{span.get()}/{run.name}")
    yield
    await asyncio.sleep(0)
    span.reset(token)


class Reading(Handler):
    """Deals with streams itself, in tasks, or keeps its copies."""

    def __init__(self, *, asynchronous: bool) -> None:
        self.kept: list[Any] = []
        for timing in ("on_start_with_stream_input", "on_end_with_stream_output"):
            setattr(self, timing, self.read if asynchronous else self.keep)

    def keep(self, _run: Run, stream: Any) -> None:
        self.kept.append(stream)

    async def read(self, _run: Run, stream: Any) -> None:
        self.kept.append([chunk async for chunk in stream])


TIMINGS = ["on_start", "on_end", "on_error", "on_chunk", "on_event"]
handlers = st.lists(
    st.one_of(
        st.sampled_from([spanning, spanning_async]),
        st.builds(Reading, asynchronous=st.booleans()),
        st.builds(Raising, st.frozensets(st.sampled_from(TIMINGS)), asynchronous=st.booleans()),
    ),
    max_size=3,
)


def run(program: Node, *attached: Handler) -> Any:
    """Execute a program in a context of its own under some handlers."""

    async def main() -> Any:
        with callbacks(*attached):
            return await execute(program)

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def no_log() -> Generator[None]:
    """Raising handlers would fill the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class Aborting(Handler):
    """Stops runs of a name at one timing."""

    def __init__(self, timing: str, name: str, *, asynchronous: bool) -> None:
        self.name = name
        setattr(self, timing, self.stop_async if asynchronous else self.stop)

    def stop(self, run: Run, _: Any) -> None:
        if run.name == self.name:
            raise Abort

    async def stop_async(self, run: Run, _: Any) -> None:
        await asyncio.sleep(0)
        self.stop(run, _)


aborting = st.builds(
    Aborting, st.sampled_from(["on_start", "on_chunk"]), st.sampled_from("abc"), asynchronous=st.booleans()
)


def examples(deep: int) -> settings:
    """Say how many programs a property is to be tried with where time does not matter; together 20,000."""
    return settings(max_examples=deep if settings.default == settings.get_profile("deep") else 50)


@examples(deep=8_000)
@given(programs(), handlers)
def test_every_run_of_a_random_program_keeps_the_invariants(program: Node, attached: list[Handler]) -> None:
    """Whatever it does, and whatever other handlers do, inside or outside of the recorder."""
    inner, outer = Recorder(), Recorder()

    run(program, inner, *attached, outer)

    check_lifecycle(inner)
    check_lifecycle(outer)
    assert set(inner.runs()) == set(outer.runs())


@examples(deep=2_000)
@given(programs(), handlers, aborting)
def test_every_run_that_a_handler_may_stop_keeps_the_invariants(
    program: Node, attached: list[Handler], aborts: Handler
) -> None:
    """For those outside of the one that stops it, at its start or at a chunk; those inside see no more than the rest."""
    inner, outer = Recorder(), Recorder()

    run(program, inner, aborts, *attached, outer)

    check_lifecycle(inner)
    check_lifecycle(outer)
    assert set(inner.runs()) <= set(outer.runs())


@examples(deep=8_000)
@given(programs(), handlers)
def test_watching_a_random_program_changes_nothing(program: Node, attached: list[Handler]) -> None:
    """The same results, the same exception objects in the same places, the same variables: with none, one, several."""
    recorder = Recorder()
    unwatched = run(program)

    assert run(program, recorder) == unwatched
    assert run(program, *attached) == unwatched
    assert run(program, Recorder(), *attached, Recorder(wants_output=False)) == unwatched
    check_lifecycle(recorder)


@examples(deep=2_000)
@given(programs())
def test_a_handlers_variable_reaches_nobody_outside_of_its_run(program: Node) -> None:
    """After any program, the variable that a tracer sets around each run is what it was."""
    recorder = Recorder()

    async def main() -> str:
        with callbacks(spanning, spanning_async, recorder):
            await execute(program)
        return span.get()

    assert asyncio.run(main()) == ""
    check_lifecycle(recorder)
