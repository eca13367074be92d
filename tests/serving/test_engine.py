from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

from sideband.errors import QueueFullError, ServingClosedError
from sideband.serving import Batch, Serving
from sideband.testing import VirtualLoop

from .helpers import Gate, Log, gathered, identity, join_threads, rest, turns, until, virtual


def test_a_full_batch_runs_at_once() -> None:
    """Three items at size three do not wait for the timeout; the fourth waits for the whole of it.

    Statements 39 and 42.
    """

    async def program(loop: VirtualLoop) -> None:
        log = Log()
        async with Serving(log, batch_size=3, batch_timeout=5.0) as serving:
            assert await gathered(serving, range(4)) == [0, 1, 2, 3]

        assert log.batches == [[0, 1, 2], [3]]
        assert log.times == [0.0, 5.0]

    virtual(program)


def test_the_timeout_counts_from_the_first_item_of_the_batch() -> None:
    """Later arrivals do not extend the wait of the first. Statement 40."""

    async def program(loop: VirtualLoop) -> None:
        log = Log()
        async with Serving(log, batch_size=10, batch_timeout=5.0) as serving:
            first = asyncio.create_task(serving.dispatch("a"))
            await asyncio.wait([first], timeout=4.0)
            second = asyncio.create_task(serving.dispatch("b"))
            await asyncio.gather(first, second)

        assert log.batches == [["a", "b"]]
        assert log.times == [5.0]

    virtual(program)


def test_what_is_left_after_a_cancellation_waits_its_own_time() -> None:
    """When the first item of a batch is taken out, the next one's time counts."""

    async def program(loop: VirtualLoop) -> None:
        log = Log()
        async with Serving(log, batch_size=10, batch_timeout=5.0) as serving:
            first = asyncio.create_task(serving.dispatch("a"))
            await asyncio.wait([first], timeout=4.0)
            second = asyncio.create_task(serving.dispatch("b"))
            await turns()
            first.cancel()
            assert await second == "b"

        assert log.batches == [["b"]]
        assert log.times == [9.0]

    virtual(program)


def test_without_a_timeout_callers_of_one_turn_share_a_batch() -> None:
    """At `batch_timeout=0` whoever is ready gets into the batch, and no time passes. Statement 41, decision 8."""

    async def program(loop: VirtualLoop) -> None:
        log = Log()
        async with Serving(log, batch_size=10) as serving:
            await gathered(serving, range(5))
            await serving.dispatch(5)

        assert log.batches == [[0, 1, 2, 3, 4], [5]]
        assert loop.time() == 0.0

    virtual(program)


async def test_a_batch_grows_while_all_partitions_are_busy() -> None:
    """What comes meanwhile is merged, up to the size of a batch, and runs when a partition is free."""
    gate = Gate()
    async with Serving(gate, batch_size=4) as serving:
        first = gathered(serving, [0])
        await turns()
        others = [gathered(serving, [number]) for number in range(1, 7)]
        await turns()
        assert gate.batches == [[0]]
        await gate.open_all()
        await asyncio.gather(first, *others)

    assert gate.batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_timer_that_passed_while_all_were_busy_lets_the_batch_grow_on() -> None:
    """A batch that is overdue when a partition gets free runs at once, with all that came meanwhile. Statement 43."""

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        async with Serving(gate, batch_size=4, batch_timeout=1.0) as serving:
            calls = [gathered(serving, [0])]
            await rest(1.0)
            for number in (1, 2):
                calls.append(gathered(serving, [number]))
                await asyncio.wait(calls, timeout=10.0)
            assert gate.batches == [[0]]
            await gate.open_all()
            await asyncio.gather(*calls)

        assert gate.batches == [[0], [1, 2]]
        assert gate.times == [1.0, 21.0]

    virtual(program)


async def test_as_many_batches_run_at_a_time_as_there_are_partitions() -> None:
    """Each partition executes one batch; a free one takes the oldest items. Statements 44 and 50."""
    gate = Gate()
    async with Serving(gate, batch_size=1, partitions=3) as serving:
        calls = gathered(serving, range(5))
        await turns()
        assert gate.batches == [[0], [1], [2]]
        assert serving.stats().executing == 3
        assert serving.stats().waiting == 2
        gate.open(1)
        await turns()
        assert gate.batches == [[0], [1], [2], [3]]
        await gate.open_all()
        assert await calls == [0, 1, 2, 3, 4]


def test_an_idle_server_does_not_wake_up() -> None:
    """In an hour in which nothing comes, the loop turns for nobody but the test, whatever came before."""

    async def program(loop: VirtualLoop) -> None:
        options: Any
        for options in ({"executor": "inline"}, {"batch_timeout": 0.5, "partitions": 3}):
            async with Serving(identity if len(options) == 1 else Log(), **options) as serving:
                await gathered(serving, range(100))
                call = asyncio.create_task(serving.dispatch(0))
                await turns(1)
                call.cancel()
                await turns()
                before = loop.turns
                await asyncio.sleep(0)
                await rest(3600.0)

                assert loop.turns - before <= 4

    virtual(program)


def test_a_busy_server_does_not_poll() -> None:
    """While all partitions are busy nothing wakes up, although an item waits longer than `batch_timeout`."""

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        async with Serving(gate, batch_size=2, batch_timeout=0.1) as serving:
            calls = gathered(serving, range(3))
            await turns()
            before = loop.turns
            await rest(3600.0)
            assert loop.turns - before <= 3
            await gate.open_all()
            assert await calls == [0, 1, 2]

    virtual(program)


async def test_a_full_queue_refuses_all_of_a_call_or_nothing() -> None:
    """The error tells the numbers; what waited before is executed, nothing of the refused call. Decision 9."""
    gate = Gate()
    async with Serving(gate, batch_size=1, max_queue=3) as serving:
        calls = gathered(serving, range(3))
        await turns()
        with pytest.raises(
            QueueFullError, match="2 items wait and 2 more would exceed max_queue=3"
        ) as caught:
            await serving.dispatch_many([7, 8])
        fourth = gathered(serving, [3])
        await turns()
        with pytest.raises(QueueFullError):
            await serving.dispatch(9)
        await gate.open_all()
        assert await calls == [0, 1, 2]
        assert await fourth == [3]

    assert (caught.value.waiting, caught.value.offered, caught.value.max_queue) == (2, 2, 3)
    assert gate.batches == [[0], [1], [2], [3]]


async def test_closing_executes_what_waits() -> None:
    """`aclose` drains: every accepted item is answered, and new ones are refused meanwhile. Decision 10."""
    gate = Gate()
    serving = Serving(gate, batch_size=2, batch_timeout=60.0)
    await serving.start()
    calls = gathered(serving, range(5))
    await turns()
    closing = asyncio.create_task(serving.aclose())
    await turns()
    with pytest.raises(ServingClosedError, match="takes no more items"):
        await serving.dispatch(9)
    with pytest.raises(ServingClosedError, match="takes no more items"):
        await serving.dispatch_many([9])
    await gate.open_all()
    await closing

    assert await calls == [0, 1, 2, 3, 4]
    assert gate.batches == [[0, 1], [2, 3], [4]]


async def test_closing_without_draining_fails_what_waits_and_awaits_what_runs() -> None:
    """The batch that is being executed gives its results; the callers of what waits learn why they get none.

    Statement 81.
    """
    gate = Gate()
    serving = Serving(gate, batch_size=2)
    await serving.start()
    calls = gathered(serving, range(3))
    await turns()
    closing = asyncio.create_task(serving.aclose(drain=False))
    await turns()
    await gate.open_all()
    await closing

    first, second, third = await calls
    assert (first, second) == (0, 1)
    assert isinstance(third, ServingClosedError)
    assert "closed without draining" in str(third)
    assert serving.stats().withdrawn == 1


def test_a_coroutine_that_hangs_is_given_up_after_the_shutdown_timeout() -> None:
    """Its callers and those behind it get an error that says so, and the function is cancelled."""

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        serving = Serving(gate, batch_size=1, shutdown_timeout=30.0)
        await serving.start()
        calls = gathered(serving, range(2))
        await turns()
        await serving.aclose()

        assert 30.0 <= loop.time() < 31.0
        for error in await calls:
            assert isinstance(error, ServingClosedError)
            assert "shutdown_timeout=30.0 s passed" in str(error)
        assert gate.waiting[0].cancelled()

    virtual(program)


def test_a_coroutine_that_hangs_although_it_was_cancelled_holds_nobody_up() -> None:
    """Closing is over a moment after the shutdown timeout, and what such a function gives later goes nowhere."""

    async def program(loop: VirtualLoop) -> None:
        stubborn = loop.create_future()

        async def hangs(batch: Batch[int]) -> list[int]:
            while not stubborn.done():
                try:
                    await asyncio.shield(stubborn)
                except asyncio.CancelledError:
                    continue
            return list(batch)

        serving = Serving(hangs, shutdown_timeout=2.0)
        await serving.start()
        call = gathered(serving, [0])
        await turns()
        await serving.aclose()
        assert loop.time() < 3.0
        [error] = await call
        assert isinstance(error, ServingClosedError)

        stubborn.set_result(None)
        await turns()
        assert serving.stats().batches == 1

    virtual(program)


async def test_a_thread_that_hangs_is_given_up_after_the_shutdown_timeout() -> None:
    """Its callers get an error, and its thread ends when the function returns."""
    release = threading.Event()

    def hangs(batch: Batch[int]) -> list[int]:
        release.wait()
        return list(batch)

    serving = Serving(hangs, shutdown_timeout=0.0, name="hangs")
    await serving.start()
    call = gathered(serving, [0])
    await turns()
    await serving.aclose()
    [error] = await call
    release.set()

    assert isinstance(error, ServingClosedError)
    join_threads("hangs")


async def test_a_close_that_is_cancelled_leaves_nobody_waiting() -> None:
    """Who cancels the close gives up what waits and what runs."""
    gate = Gate()
    serving = Serving(gate, batch_size=1)
    await serving.start()
    calls = gathered(serving, range(2))
    await turns()
    closing = asyncio.create_task(serving.aclose())
    await turns()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing

    for error in await calls:
        assert isinstance(error, ServingClosedError)
        assert "its closing was cancelled" in str(error)
    assert not serving.stats().running


async def test_closing_twice_is_harmless() -> None:
    """Also at the same time, and when it was never started."""
    serving = Serving(identity)
    await serving.aclose()
    await serving.start()
    await asyncio.gather(serving.aclose(), serving.aclose())
    await serving.aclose()

    assert not serving.stats().running


class Item:
    """Something to hold a weak reference to."""


@pytest.mark.parametrize("executor", ["thread", "inline"])
@pytest.mark.parametrize("hooks", [(), ("progress",)])
async def test_an_idle_server_keeps_no_batch_alive(executor: Any, hooks: tuple[str, ...]) -> None:
    """After a batch, good or bad, its items and results are freed without the garbage collector."""

    def model(batch: Batch[Item]) -> list[Item]:
        if hooks:
            batch.emit("progress", [None] * batch.size)
        return list(batch)

    async with Serving(model, executor=executor, hooks=hooks) as serving:
        gc.disable()
        try:
            references = [await use_and_forget(serving, how) for how in ("one", "many", "stream")]
            await until(lambda: not any(reference() for reference in references))
        finally:
            gc.enable()


async def use_and_forget(serving: Serving[Item, Item], how: str) -> weakref.ref[Item]:
    """Send an item through a serving, and keep only a weak reference to it."""
    item = Item()
    reference = weakref.ref(item)
    if how == "one":
        await serving.dispatch(item)
    elif how == "many":
        await serving.dispatch_many([item])
    else:
        async for _ in serving.stream(item):
            pass
    return reference
