"""Handlers in the background: who is called, where, in what order, and what it costs whom."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

import sideband
from sideband import (
    Abort,
    Ending,
    Handler,
    Run,
    add_global_handler,
    background,
    callbacks,
    compose,
    current_run,
    metadata,
    observe,
    only,
)
from sideband.handlers import Plan, entries
from sideband.testing import Recorder, check_lifecycle

from .helpers import PATIENCE, Held, atell, double, fail, tell


def test_a_handler_is_called_on_a_thread_of_its_own() -> None:
    """With the same timings and payloads as it would be without."""
    plain, recorder = Recorder(), Recorder()

    with background(recorder) as behind, callbacks(behind, plain):
        assert double(2) == 4
        assert "".join(tell(2)) == "<0><1>"
        with pytest.raises(LookupError):
            fail(1)

    told = [(record.timing, record.run, record.payload, record.current) for record in plain]
    assert [(record.timing, record.run, record.payload, record.current) for record in recorder] == told
    assert {record.thread for record in recorder}.isdisjoint({threading.get_ident()})
    assert len({record.thread for record in recorder}) == 1
    assert (behind.delivered, behind.dropped, behind.pending) == (len(told), 0, 0)


async def test_asynchronous_programs_are_seen_as_well() -> None:
    """Streams, events and concurrent runs."""
    plain, recorder = Recorder(), Recorder()

    async def one(number: int) -> None:
        async with observe("one", input=number):
            sideband.emit("seen", number)
            async for _ in atell(3):
                pass

    async with background(recorder) as behind:
        with callbacks(behind, plain):
            await asyncio.gather(*(one(number) for number in range(10)))

    check_lifecycle(plain)
    told = [(record.timing, record.run, record.payload, record.event) for record in plain]
    assert [(record.timing, record.run, record.payload, record.event) for record in recorder] == told


def test_a_slow_handler_holds_nobody_up() -> None:
    """The program is done before the handler has taken in its first event."""
    with Held() as held, background(held) as behind:
        with callbacks(behind):
            assert double(2) == 4
        assert held.entered.wait(PATIENCE)
        assert held.seen == []
        assert behind.pending == 2
        held.go.set()

    assert held.seen == [("start", "double"), ("end", "double")]


def test_the_order_of_a_bundle_is_kept() -> None:
    """Onion order within what is wrapped, around and inside of the other handlers, as it is without."""
    calls: list[str] = []

    def named(name: str) -> Handler:
        return sideband.handler(
            on_start=lambda run, value: calls.append(f"+{name}"),
            on_end=lambda run, output: calls.append(f"-{name}"),
        )

    with background(compose(named("a"), named("b"))) as behind, callbacks(behind, only(behind, name="x")):
        double(1)

    assert calls == ["+b", "+a", "-a", "-b"]


def test_what_is_wrapped_may_be_filtered_and_adapted() -> None:
    """By `only` inside and outside, and through `__sideband_handler__`; `when` is asked in the program."""
    recorder = Recorder()
    asked: list[int] = []

    def asks(_: Run) -> bool:
        asked.append(threading.get_ident())
        return True

    class Adapter:
        def __sideband_handler__(self) -> Any:
            return only(recorder, name="double", when=asks)

    with background(Adapter()) as behind, callbacks(only(behind, component="Tool")):
        double(1)
        list(tell(1))

    assert [run.name for run in recorder.runs()] == ["double"]
    assert asked == [threading.get_ident()]


def test_a_handler_attached_in_several_scopes_is_called_once() -> None:
    """As any other handler, also where it is inherited, global, and wrapped twice in one bundle."""
    recorder = Recorder()

    with background(compose(recorder, only(recorder, name="double"))) as behind, add_global_handler(behind):
        with callbacks(behind), callbacks(compose(behind)):
            double(1)
        double(2)

    assert recorder.timings() == ["on_start", "on_end"] * 2


def test_timings_that_a_handler_does_not_want_are_not_queued() -> None:
    """What it wants is found out when it is wrapped; the rest costs the program nothing."""
    seen: list[Any] = []

    with background(sideband.handler(on_end=lambda run, output: seen.append(output), output=False)) as behind:
        (entry,) = entries(behind)
        with callbacks(behind):
            double(2)
            list(tell(100))

    plan = Plan([entry.handler])
    assert (plan.starts, plan.errors, plan.chunks, plan.events) == ((), (), (), ())
    assert not plan.keeps_output
    assert seen == [4, None]
    assert behind.delivered == 2


def test_a_handler_without_endings_is_told_of_none() -> None:
    """Also where the start has to be remembered."""
    seen: list[Any] = []
    starts = sideband.handler(
        on_start=lambda run, value: seen.append(value), on_chunk=lambda run, chunk: seen.append(chunk)
    )

    with background(starts) as behind, callbacks(behind):
        assert list(tell(1)) == ["<0>"]
        with pytest.raises(LookupError):
            fail(7)

    assert seen == [1, "<0>", 7]
    assert behind.delivered == 3


def test_generators_keep_their_state_between_timings() -> None:
    """Plain and asynchronous ones, on synchronous runs too, with the context of their run."""
    where = contextvars.ContextVar("where", default="outside")
    endings: list[tuple[str, Ending, str, Run | None]] = []

    @sideband.handler
    def plain(run: Run, value: Any) -> Generator[None, Ending]:
        token = where.set(f"plain {run.name}")
        ending = yield
        endings.append(("plain", ending, where.get(), current_run()))
        where.reset(token)

    @sideband.handler
    async def asynchronous(run: Run, value: Any) -> AsyncGenerator[None, Ending]:
        await asyncio.sleep(0)
        ending = yield
        await asyncio.sleep(0)
        endings.append(("asynchronous", ending, where.get(), current_run()))

    with (
        background(plain) as one,
        background(asynchronous) as two,
        callbacks(one, two),
        observe("outer") as outer,
    ):
        double(2)

    runs = {name: run for name, _, _, run in endings if run is not outer}
    assert {(name, ending.output, place) for name, ending, place, run in endings if run is not outer} == {
        ("plain", 4, "plain double"),
        ("asynchronous", 4, "outside"),
    }
    assert all(run is not None and run.name == "double" for run in runs.values())
    assert where.get() == "outside"


def test_a_handler_finds_the_context_of_its_run() -> None:
    """The current run, metadata, and what the program had set; events that it emits go to its run."""
    who = contextvars.ContextVar("who", default="nobody")
    seen: list[Any] = []
    go = threading.Event()

    class Look(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            seen.append((current_run() is run, who.get(), dict(run.metadata)))
            sideband.emit("seen")
            go.set()

        def on_event(self, run: Run, name: str, payload: Any) -> None:
            seen.append(name)

    who.set("Ann")
    with background(Look()) as behind, callbacks(behind), metadata(tenant="x"), observe("outer"):
        assert go.wait(PATIENCE)
        assert behind.flush()
        who.set("Bob")

    assert seen == [(True, "Ann", {"tenant": "x"}), "seen"]


def test_failures_and_aborts_are_logged_once_a_run(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is raised: the run is over or on its way, and the next event comes."""

    class Failing(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            raise Abort("too late") if input == 1 else SystemExit

        def on_end(self, run: Run, output: Any) -> None:
            raise ValueError

    with background(Failing()) as behind, callbacks(behind):
        assert [double(1), double(2)] == [2, 4]

    assert behind.delivered == 4
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert all("failed in on_start of the Tool run 'double'" in message for message in messages)


def test_every_asynchronous_timing_is_awaited_on_one_loop() -> None:
    """One after the other, on a loop of the worker's own, whatever loops the program has had."""
    loops: list[asyncio.AbstractEventLoop] = []
    calls: list[str] = []

    class Slow(Handler):
        async def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            calls.append("start")
            await asyncio.sleep(0)
            loops.append(asyncio.get_running_loop())

        async def on_end(self, run: Run, output: Any) -> None:
            calls.append("end")
            raise ValueError

    async def program() -> None:
        async for _ in atell(1):
            pass

    with background(Slow()) as behind, callbacks(behind):
        asyncio.run(program())
        asyncio.run(program())
        double(1)

    assert calls == ["start", "end"] * 3
    assert len(set(loops)) == 1
    assert loops[0].is_closed()
