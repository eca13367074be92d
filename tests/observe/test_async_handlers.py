"""Asynchronous handlers: in order on asynchronous runs, skipped on others, endings shielded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from sideband import Abort, Handler, Outcome, Run, callbacks, component
from sideband.errors import HandlerRefusedError
from sideband.observe import _lifecycle
from sideband.testing import Recorder, check_lifecycle, run_virtual

from .helpers import AsyncLog, Log, On, collected, errors, until, watched


@component("Lambda")
def plain(x: int) -> int:
    """Be a synchronous run."""
    return x


@component("Lambda")
async def echo(x: int) -> int:
    """Be an asynchronous run."""
    return x


@component("Lambda")
async def stream(n: int) -> AsyncGenerator[int]:
    """Be a streamed run."""
    for i in range(n):
        yield i


@component("Lambda")
async def hang() -> None:
    """Wait for a cancellation."""
    await asyncio.Event().wait()


async def test_asynchronous_timings_are_awaited_in_order_with_plain_ones() -> None:
    """Each handler is done before the next is called."""
    calls: list[str] = []

    with callbacks(AsyncLog("A", calls), Log("B", calls), AsyncLog("C", calls)):
        assert await echo(1) == 1
        assert await collected(stream(1)) == [0]

    starts = ["C start…", "C start", "B start", "A start…", "A start"]
    ends = ["A end…", "A end", "B end", "C end…", "C end"]
    chunk = ["A chunk…", "A chunk", "B chunk", "C chunk…", "C chunk"]
    assert calls == starts + ends + starts + chunk + ends


async def test_a_plain_method_may_return_an_awaitable() -> None:
    """Whatever can be awaited is, be it a coroutine or a future."""
    done: list[str] = []
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)

    async def later() -> None:
        done.append("coroutine")

    with callbacks(On("on_start", lambda _, __: later()), On("on_end", lambda _, __: future)):
        await echo(1)

    assert done == ["coroutine"]
    assert future.done()


async def test_on_a_synchronous_run_they_are_skipped_with_one_warning_a_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The plain handlers are called all the same; the warning is not repeated."""
    calls: list[str] = []

    with callbacks(Log("A", calls), AsyncLog("B", calls), Log("C", calls)):
        plain(1)
        plain(2)

    assert calls == ["C start", "A start", "A end", "C end"] * 2
    assert [record.levelno for record in caplog.records if record.name == "sideband"] == [logging.WARNING]


def test_an_asynchronous_on_event_is_refused_when_attached() -> None:
    """`emit` does not wait, so nobody would ever await it."""

    class Late(Handler):
        async def on_event(self, run: Run, name: str, payload: Any) -> None: ...  # type: ignore[override]

    with pytest.raises(HandlerRefusedError, match="emit does not wait"), callbacks(Late()):
        pass


async def test_a_failing_asynchronous_handler_is_logged_and_the_next_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Isolation holds for what is awaited, too."""

    class Broken(Handler):
        async def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            raise LookupError

        async def on_end(self, run: Run, output: Any) -> None:
            raise LookupError

    calls: list[str] = []
    with watched(AsyncLog("A", calls), Broken(), AsyncLog("B", calls)):
        assert await echo(1) == 1

    assert [call for call in calls if not call.endswith("…")] == ["B start", "A start", "A end", "B end"]
    assert len(errors(caplog)) == 1


@pytest.mark.parametrize("timing", ["on_start", "on_chunk"])
async def test_an_asynchronous_handler_may_abort(timing: str) -> None:
    """As a plain one may."""
    abort = Abort()

    async def stop(*_: Any) -> None:
        await asyncio.sleep(0)
        raise abort

    calls: list[str] = []
    with watched(Log("A", calls), On(timing, stop)) as recorder, pytest.raises(Abort) as caught:
        await collected(stream(2))

    assert caught.value is abort
    assert recorder.run().error is abort
    assert calls == ([] if timing == "on_start" else ["A start", "A chunk", "A error"])


async def test_an_ending_is_not_interrupted_by_a_cancellation() -> None:
    """The handlers of an ending run to their end; then the caller's task is cancelled."""
    calls: list[str] = []
    begun, go = asyncio.Event(), asyncio.Event()

    async def slowly(*_: Any) -> None:
        begun.set()
        await go.wait()
        calls.append("slow end")

    with watched(On("on_end", slowly), AsyncLog("B", calls)) as recorder:
        task = asyncio.ensure_future(echo(1))
        await begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert recorder.run().outcome is Outcome.OK
    assert calls == ["B start…", "B start", "slow end", "B end…", "B end"]


async def test_the_cancelled_run_still_awaits_its_on_error() -> None:
    """A cancellation that ends the body does not keep handlers from waiting in their ending."""
    calls: list[str] = []

    with watched(AsyncLog("A", calls)):
        task = asyncio.ensure_future(hang())
        await until(lambda: "A start" in calls)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert calls[-2:] == ["A error…", "A error"]


@pytest.mark.parametrize("stubborn", [False, True])
def test_an_ending_that_never_comes_is_given_up_after_a_cancellation(
    stubborn: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Within the bound; also where the handler ignores its cancellation. Plain handlers after it are called."""
    begun, release = asyncio.Event(), asyncio.Event()

    async def never(*_: Any) -> None:
        begun.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                if not stubborn:
                    raise

    async def main() -> float:
        task = asyncio.ensure_future(echo(1))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        return asyncio.get_running_loop().time()

    with watched(On("on_end", never)) as recorder:
        taken = run_virtual(main())

    assert _lifecycle.ENDING_TIMEOUT <= taken < _lifecycle.ENDING_TIMEOUT + 1
    assert recorder.timings() == ["on_start", "on_end"]
    assert len(errors(caplog)) == 1


async def test_a_cancellation_while_a_start_is_awaited_ends_the_run_for_those_who_saw_it() -> None:
    """The handler that was being awaited is cancelled with the run; those inside never hear of it."""
    calls: list[str] = []
    begun = asyncio.Event()

    async def wait(*_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    recorder = Recorder()
    with callbacks(Log("inner", calls), On("on_start", wait), recorder):
        task = asyncio.ensure_future(echo(1))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert calls == []
    assert recorder.run().outcome is Outcome.CANCELLED
    check_lifecycle(recorder)


class Stop(BaseException):
    """No `Exception`."""


async def test_a_start_that_was_done_when_the_cancellation_came_gets_its_ending() -> None:
    """Also where the run has not yet learned that its handler is done."""
    calls: list[str] = []

    async def body_cancelled_at_turn(turn: int) -> None:
        task = asyncio.create_task(hang())
        for _ in range(turn):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for turn in range(1, 6):
        calls.clear()
        with callbacks(AsyncLog("A", calls)):
            await body_cancelled_at_turn(turn)
        assert ("A start" in calls) == ("A error" in calls), turn


async def test_what_is_no_exception_comes_out_of_an_awaited_ending_after_all_were_told() -> None:
    """As from a plain ending."""
    calls: list[str] = []
    stop = Stop()

    async def fail(*_: Any) -> None:
        await asyncio.sleep(0)
        raise stop

    with callbacks(On("on_end", fail), AsyncLog("A", calls), Log("B", calls)), pytest.raises(Stop) as caught:
        await echo(1)

    assert caught.value is stop
    assert calls[-3:] == ["A end…", "A end", "B end"]


async def test_a_plain_interrupt_before_an_awaited_ending_is_not_lost() -> None:
    """It is raised once the asynchronous handler after it is done."""
    calls: list[str] = []
    stop = Stop()

    def fail(*_: Any) -> None:
        raise stop

    with callbacks(On("on_end", fail), AsyncLog("A", calls), Log("B", calls)), pytest.raises(Stop) as caught:
        await echo(1)

    assert caught.value is stop
    assert calls[-1] == "B end"
