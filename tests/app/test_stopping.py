from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from sideband.app.stopping import Stopping

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_the_work_and_is_raised_when_that_has_ended(number: signal.Signals) -> None:
    """The work tidies up first; the exit code is 128 and the signal's number; the old handler is back."""
    tidied: list[bool] = []

    async def work() -> None:
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.append(True)

    with Stopping() as stopping, pytest.raises(KeyboardInterrupt):
        stopping.run(work())

    assert tidied == [True]
    assert stopping.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


def test_outside_of_the_work_a_signal_is_raised_at_once() -> None:
    """So loading a model is stopped, too."""
    with Stopping() as stopping, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)

    assert stopping.code == 143


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As `nohup` has it."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_work_that_ends_gives_its_result() -> None:
    """A thread that is not the main one may run it, though it hears of no signal."""
    found: list[str] = []

    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    def run() -> None:
        with Stopping() as stopping:
            found.append(stopping.run(work()))

    run()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert found == ["done", "done"]


def test_a_cancellation_of_its_own_is_an_interrupt_with_the_code_of_ctrl_c() -> None:
    """Nobody else can have asked for it."""

    async def work() -> None:
        raise asyncio.CancelledError

    with Stopping() as stopping, pytest.raises(KeyboardInterrupt):
        stopping.run(work())

    assert stopping.code == 130
