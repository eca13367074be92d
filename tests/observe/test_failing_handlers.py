"""Handlers that raise: logged once, never the run's affair, unless they raise Abort."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextvars import copy_context
from typing import Any

import pytest

import sideband
from sideband import Abort, Outcome, callbacks, component, observe
from sideband.testing import Recorder, check_lifecycle

from .helpers import Log, On, collected, errors, raising, watched

TIMINGS = ["on_start", "on_chunk", "on_event", "on_end", "on_error"]


@component("Lambda")
def numbers(fail: bool) -> Generator[int]:
    """Fire every timing."""
    sideband.emit("hello", 1)
    yield 1
    yield 2
    if fail:
        msg = "broken"
        raise ValueError(msg)


@component("Lambda")
async def numbers_async(fail: bool) -> AsyncGenerator[int]:
    """Fire every timing."""
    sideband.emit("hello", 1)
    for number in numbers(fail):
        yield number


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("fail", [False, True])
async def test_a_handler_that_raises_changes_nothing_for_anybody_else(
    timing: str, fail: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on, the other handlers see all of it, and the failure is logged with its traceback."""
    error = LookupError("handler")
    calls: list[str] = []

    with watched(Log("A", calls), raising(timing, error), Log("B", calls)):
        with pytest.raises(ValueError, match="broken") if fail else callbacks():
            assert list(numbers(fail)) == [1, 2]
        with pytest.raises(ValueError, match="broken") if fail else callbacks():
            assert await collected(numbers_async(fail)) == [1, 2]

    assert [call[2:] for call in calls if call[0] == "A"] == [call[2:] for call in calls if call[0] == "B"]
    fired = timing != ("on_end" if fail else "on_error")
    assert len(errors(caplog)) == 3 * fired
    assert all(record.exc_info[1] is error for record in caplog.records if record.exc_info)


def test_a_failing_handler_is_logged_once_a_run(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that fails at each chunk writes one line for each run, not one for each chunk."""

    class Broken(sideband.Handler):
        def on_chunk(self, run: sideband.Run, chunk: Any) -> None:
            raise LookupError

        def on_event(self, run: sideband.Run, name: str, payload: Any) -> None:
            raise LookupError

    with watched(Broken(), Broken()):
        list(numbers(fail=False))
        list(numbers(fail=False))

    assert len(errors(caplog)) == 4
    assert "further failures of this handler in this run are not logged" in errors(caplog)[0]


@component("Lambda")
def work(calls: list[str]) -> None:
    """Tell that the body ran."""
    calls.append("body")


@component("Lambda")
async def work_async(calls: list[str]) -> None:
    """Tell that the body ran."""
    calls.append("body")


async def run_sync_or_async(asynchronous: bool, calls: list[str]) -> None:
    """Call one of the two."""
    if asynchronous:
        await work_async(calls)
    else:
        work(calls)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_abort_from_start_ends_the_run_for_those_who_saw_it_start(asynchronous: bool) -> None:
    """The body does not run; the caller gets the very object; inner handlers never hear of the run."""
    abort = Abort("no budget")
    calls: list[str] = []
    recorder = Recorder()

    with (
        callbacks(Log("inner", calls), raising("on_start", abort), Log("outer", calls), recorder),
        pytest.raises(Abort) as caught,
    ):
        await run_sync_or_async(asynchronous, calls)

    assert caught.value is abort
    assert calls == ["outer start", "outer error"]
    assert recorder.run().outcome is Outcome.ERROR
    assert recorder.run().error is abort
    check_lifecycle(recorder)


def test_an_abort_from_the_outermost_start_is_told_to_nobody() -> None:
    """Where no handler has seen the start, none sees an ending."""
    calls: list[str] = []

    with callbacks(Log("inner", calls), raising("on_start", Abort())), pytest.raises(Abort):
        work(calls)

    assert calls == []


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_abort_from_start_keeps_a_stream_from_running(asynchronous: bool) -> None:
    """The generator is closed unstarted, and a later pull finds it exhausted."""
    calls: list[str] = []

    with callbacks(raising("on_start", Abort()), Log("outer", calls)):
        stream: Any = numbers_async(fail=False) if asynchronous else numbers(fail=False)
        with pytest.raises(Abort):
            await anext(stream) if asynchronous else next(stream)
        assert await collected(stream) == [] if asynchronous else list(stream) == []

    assert calls == ["outer start", "outer error"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_abort_from_a_chunk_closes_the_source_first(asynchronous: bool) -> None:
    """The body's cleanup has run when handlers learn of the error, and the consumer gets the Abort, no chunk."""
    calls: list[str] = []
    abort = Abort()

    def body() -> Generator[int]:
        try:
            yield 1
            calls.append("never")
        finally:
            calls.append("closed")

    async def body_async() -> AsyncGenerator[int]:
        try:
            yield 1
            calls.append("never")
        finally:
            calls.append("closed")

    with callbacks(raising("on_chunk", abort), Log("A", calls)), pytest.raises(Abort) as caught:
        if asynchronous:
            await collected(component("Lambda")(body_async)())
        else:
            list(component("Lambda")(body)())

    assert caught.value is abort
    assert calls == ["A start", "closed", "A error"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_abort_wins_over_a_source_that_fails_to_close(
    asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The consumer gets the Abort; what the body's cleanup raised is logged."""

    @component("Lambda")
    def stubborn() -> Generator[int]:
        try:
            yield 1
        finally:
            raise LookupError

    @component("Lambda")
    async def stubborn_async() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            raise LookupError

    with watched(raising("on_chunk", Abort())), pytest.raises(Abort):
        if asynchronous:
            await collected(stubborn_async())
        else:
            list(stubborn())

    assert "failed to close" in errors(caplog)[0]


@pytest.mark.parametrize("timing", ["on_end", "on_event"])
def test_an_abort_from_an_ending_or_an_event_is_logged(timing: str, caplog: pytest.LogCaptureFixture) -> None:
    """The work is done: there is nothing left to stop."""
    with watched(raising(timing, Abort())):
        assert list(numbers(fail=False)) == [1, 2]

    assert len(errors(caplog)) == 1


def test_an_abort_from_on_error_leaves_the_error_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the body's own error."""
    with watched(raising("on_error", Abort())), pytest.raises(ValueError, match="broken"):
        list(numbers(fail=True))

    assert len(errors(caplog)) == 1


class Stop(BaseException):
    """Like KeyboardInterrupt: no `Exception`."""


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("timing", ["on_start", "on_event", "on_chunk", "on_end"])
async def test_what_is_no_exception_passes_through(timing: str, asynchronous: bool) -> None:
    """KeyboardInterrupt and its like come out of a handler, and the run still ends once for all who saw it start."""
    stop = Stop()
    calls: list[str] = []

    with callbacks(Log("A", calls), raising(timing, stop), Log("B", calls)), pytest.raises(Stop) as caught:
        if asynchronous:
            async with observe("stream"):
                pass
            await collected(numbers_async(fail=False))
        else:
            list(numbers(fail=False))

    assert caught.value is stop
    for name in ("A", "B"):
        starts = calls.count(f"{name} start")
        assert calls.count(f"{name} end") + calls.count(f"{name} error") == starts


def test_every_handler_is_told_of_the_end_before_what_is_no_exception_goes_on() -> None:
    """An interrupt in one handler's ending does not take the ending from the others."""
    calls: list[str] = []
    first, second = Stop(), Stop()

    with (
        callbacks(raising("on_end", first), Log("A", calls), raising("on_end", second)),
        pytest.raises(Stop) as caught,
    ):
        work(calls)

    assert caught.value is first
    assert calls == ["A start", "body", "A end"]


class AbortedRuntimeError(Abort, RuntimeError):
    """An Abort that is a RuntimeError as well."""


def test_an_abort_that_is_a_runtime_error_is_raised_once() -> None:
    """It is not taken for Python's own error about a context in use."""
    calls: list[int] = []

    def stop(*_: Any) -> None:
        calls.append(1)
        raise AbortedRuntimeError

    with watched(On("on_chunk", stop)), pytest.raises(AbortedRuntimeError):
        list(numbers(fail=False))

    assert calls == [1]


def test_a_builtin_that_fails_as_a_busy_context_does_is_called_once(caplog: pytest.LogCaptureFixture) -> None:
    """A method without a frame of its own that raises `RuntimeError` is a handler that failed, not a context in use."""
    calls: list[str] = []
    busy = copy_context()
    start: Any = busy.run  # it calls what it is given, once it is entered

    def program() -> None:
        with callbacks(sideband.handler(on_start=start), Log("A", calls)), observe("block"):
            pass

    busy.run(program)

    assert len(errors(caplog)) == 1
    assert calls == ["A start", "A end"]
