"""The event loop in virtual time: what takes an hour takes no time, and what never ends is an error."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from sideband.testing import DeadlockError, VirtualLoop, run_virtual


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def test_time_jumps_to_the_next_timer() -> None:
    """A day of sleep takes no time, and the clock is exact."""

    async def main() -> float:
        await asyncio.sleep(24 * 3600)
        await asyncio.sleep(0.5)
        return now()

    started = time.monotonic()

    assert run_virtual(main()) == 24 * 3600 + 0.5
    assert time.monotonic() - started < 5


def test_time_stands_still_while_anything_can_happen() -> None:
    """Turns of the loop take no time."""

    async def main() -> float:
        for _ in range(100):
            await asyncio.sleep(0)
        return now()

    assert run_virtual(main()) == 0.0


def test_timers_go_off_in_their_order() -> None:
    """Whoever set them, and in the order in which they were set where they are due at one moment."""
    seen: list[tuple[float, str]] = []

    async def wait(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        seen.append((now(), name))

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for seconds, name in ((3, "c"), (1, "a"), (2, "b"), (1, "a too")):
                group.create_task(wait(seconds, name))

    run_virtual(main())

    assert seen == [(1.0, "a"), (1.0, "a too"), (2.0, "b"), (3.0, "c")]


def test_timeouts_are_due_in_virtual_time() -> None:
    """`timeout`, `timeout_at`, `wait_for` and `wait` alike."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.sleep(3600)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 20)
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(3600))], timeout=30)
        async with asyncio.timeout_at(now() + 40):
            await asyncio.sleep(39)
        return now()

    assert run_virtual(main()) == 10.0 + 20 + 30 + 39


@pytest.mark.parametrize("call", [asyncio.to_thread, None])
def test_the_clock_waits_for_threads_that_the_loop_has_started(call: Callable[..., Any] | None) -> None:
    """What they do takes no virtual time, whatever it takes in reality: no timeout goes off meanwhile."""
    begun, go_on = threading.Event(), threading.Event()

    def release() -> None:
        assert begun.wait(20)
        go_on.set()

    def work() -> str:
        begun.set()
        assert go_on.wait(20)
        return "done"

    async def main() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        threading.Thread(target=release).start()
        async with asyncio.timeout(0.001):
            result: str = await (call(work) if call is not None else loop.run_in_executor(None, work))
        return result, now()

    assert run_virtual(main()) == ("done", 0.0)


def test_other_threads_are_heard_as_on_any_loop() -> None:
    """Where nothing is due, the loop waits for what they report."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        news: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(news.set_result, "news"))
        thread.start()
        return await news

    assert run_virtual(main()) == "news"


def impatient() -> asyncio.Runner:
    """Make a runner that waits for threads for a moment."""
    return asyncio.Runner(loop_factory=lambda: VirtualLoop(patience=0.05))


async def never() -> None:
    """Wait for what nobody sets."""
    await asyncio.Event().wait()


def test_a_program_that_can_never_go_on_is_an_error_that_says_what_waits() -> None:
    """With the place of each task, innermost."""

    async def main() -> None:
        waiting = asyncio.create_task(never(), name="the one that waits")
        await waiting

    with impatient() as runner, pytest.raises(DeadlockError, match="no timer is set") as caught:
        runner.run(main())

    assert len(caught.value.waiting) == 2
    assert any(
        text.startswith("the one that waits: never, at ") and "locks.py" in text
        for text in caught.value.waiting
    )
    assert "the one that waits" in str(caught.value)


def test_a_call_in_a_thread_that_never_returns_is_an_error() -> None:
    """Since the clock waits for it: here for one that itself waits for the clock."""

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(1), loop).result(20)

        await asyncio.to_thread(work)

    with impatient() as runner, pytest.raises(DeadlockError, match="waits for 1 calls in threads"):
        runner.run(main())


def test_a_call_that_was_given_up_holds_the_clock_no_longer() -> None:
    """A cancelled wait for a thread is over, though the thread works on."""
    go_on = threading.Event()

    async def main() -> float:
        task = asyncio.create_task(asyncio.to_thread(go_on.wait, 20))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(5)
        go_on.set()
        return now()

    assert run_virtual(main()) == 5.0


def test_the_clock_may_start_at_any_time() -> None:
    """As a program's own time may be."""

    async def main() -> float:
        await asyncio.sleep(1)
        return now()

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start=1000.0)) as runner:
        assert runner.run(main()) == 1001.0


def test_what_waits_properly_does_not_make_the_loop_turn() -> None:
    """`turns` shows a program that looks again and again."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        before = loop.turns
        await asyncio.sleep(3600)
        return loop.turns - before

    assert run_virtual(main()) <= 3
