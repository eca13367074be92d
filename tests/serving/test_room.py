"""Who may wait, and for how long: a full queue, deadlines, and limits that change while the serving runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sideband.errors import DispatchTimeoutError, QueueFullError, ServingClosedError
from sideband.serving import Serving
from sideband.testing import VirtualLoop

from .helpers import (
    Gate,
    Log,
    double,
    gathered,
    identity,
    in_thread,
    rest,
    turns,
    until,
    virtual,
)


async def busy(serving: Serving[Any, Any], *items: Any) -> list[asyncio.Task[Any]]:
    """Send items one by one, and let them come as far as they can."""
    tasks = [asyncio.create_task(serving.dispatch(item)) for item in items]
    await turns()
    return tasks


# -- a full queue ----------------------------------------------------------------------------------


async def test_who_finds_no_room_waits_for_it_by_choice() -> None:
    """First come, first served, whatever the call; nobody is refused. Statement 44 has no limit at all."""
    gate = Gate()
    async with Serving(gate, batch_size=2, max_queue=2, on_full="wait") as serving:
        calls = await busy(serving, 0, 1, 2)
        calls += await busy(serving, 3)
        many = asyncio.create_task(serving.dispatch_many([4, 5]))
        await turns()
        calls += await busy(serving, 6)
        stats = serving.stats()
        assert (stats.waiting, stats.in_line) == (2, 3)
        await gate.open_all()
        await asyncio.gather(many, *calls)

    assert gate.batches == [[0, 1], [2, 3], [4, 5], [6]]


async def test_who_waits_for_room_does_not_let_others_jump_the_line() -> None:
    """A list that does not fit yet is not passed by one item that would."""
    gate = Gate()
    async with Serving(gate, batch_size=1, max_queue=3, on_full="wait") as serving:
        calls = await busy(serving, 0, 1, 2)
        many = asyncio.create_task(serving.dispatch_many([3, 4, 5]))
        await turns()
        calls += await busy(serving, 6)
        assert serving.stats().in_line == 4
        await gate.open_all()
        await asyncio.gather(many, *calls)

    assert gate.batches == [[n] for n in range(7)]


async def test_who_is_cancelled_leaves_the_line() -> None:
    """What was behind enters instead; the item is counted as withdrawn."""
    gate = Gate()
    async with Serving(gate, batch_size=1, max_queue=1, on_full="wait") as serving:
        calls = await busy(serving, 0)
        calls += await busy(serving, 1, 2, 3)
        calls.pop(2).cancel()
        await turns()
        assert (serving.stats().in_line, serving.stats().withdrawn) == (1, 1)
        await gate.open_all()
        await asyncio.gather(*calls)

    assert gate.batches == [[0], [1], [3]]


def test_the_timeout_counts_while_a_call_waits_for_room() -> None:
    """It leaves the line, and nothing of it is executed."""

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        async with Serving(gate, batch_size=1, max_queue=1, on_full="wait") as serving:
            calls = await busy(serving, 0)
            calls += await busy(serving, 1)
            with pytest.raises(DispatchTimeoutError):
                await serving.dispatch_many([2], timeout=3.0)
            assert (loop.time(), serving.stats().in_line) == (3.0, 0)
            await gate.open_all()
            await asyncio.gather(*calls)

        assert gate.batches == [[0], [1]]

    virtual(program)


async def test_threads_wait_for_room_too() -> None:
    """In the same line as tasks."""
    gate = Gate()
    async with Serving(gate, batch_size=1, max_queue=1, on_full="wait") as serving:
        calls = await busy(serving, 0)
        calls += await busy(serving, 1)
        thread = in_thread(lambda: serving.dispatch_many_sync([2]))
        await until(lambda: serving.stats().in_line == 1)
        calls += await busy(serving, 3)
        await gate.open_all()
        await asyncio.gather(*calls)
        assert await asyncio.to_thread(thread) == [2]

    assert gate.batches == [[0], [1], [2], [3]]


@pytest.mark.parametrize("drain", [True, False])
async def test_who_waits_for_room_at_the_close_is_answered(drain: bool) -> None:
    """They came before it: executed with the others, or failed with them."""
    gate = Gate()
    serving: Serving[int, int] = Serving(gate, batch_size=1, max_queue=1, on_full="wait")
    await serving.start()
    calls = await busy(serving, 0)
    calls += await busy(serving, 1, 2, 3)
    closing = asyncio.create_task(serving.aclose(drain=drain))
    await turns()
    with pytest.raises(ServingClosedError):
        await serving.dispatch(4)
    await gate.open_all()
    await closing

    results = await asyncio.gather(*calls, return_exceptions=True)
    if drain:
        assert results == [0, 1, 2, 3]
    else:
        assert [type(result) for result in results] == [int] + [ServingClosedError] * 3


def test_a_full_queue_does_not_wait_for_its_timeout() -> None:
    """Nothing more can come into the batch, however long it waits."""

    async def program(loop: VirtualLoop) -> None:
        log = Log()
        async with Serving(log, batch_size=32, batch_timeout=5.0, max_queue=3, on_full="wait") as serving:
            assert await gathered(serving, range(6)) == list(range(6))
            assert loop.time() == 0.0
        assert log.batches == [[0, 1, 2], [3, 4, 5]]

    virtual(program)


# -- deadlines -------------------------------------------------------------------------------------


def test_an_item_whose_time_is_over_is_never_executed() -> None:
    """Not even if a partition becomes free at that very moment; its caller is told. Decision 4."""

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        async with Serving(gate, batch_size=1) as serving:
            [first] = await busy(serving, 0)
            late = asyncio.create_task(serving.dispatch(1, timeout=2.0))
            await turns()
            loop.call_at(2.0, gate.open)
            await first
            with pytest.raises(DispatchTimeoutError, match=r"timeout=2\.0 s"):
                await late
            assert serving.stats().withdrawn == 1

        assert gate.batches == [[0]]

    virtual(program)


async def test_a_thread_that_has_not_noticed_yet_that_its_time_is_over_gets_no_execution() -> None:
    """Whoever is told first, the caller or the queue: the item is taken out."""
    gate = Gate()
    async with Serving(gate, batch_size=1) as serving:
        calls = await busy(serving, 0)
        thread = in_thread(lambda: serving.dispatch_sync(1, timeout=0.05))
        await until(lambda: serving.stats().waiting == 1)
        with pytest.raises(DispatchTimeoutError):
            await asyncio.to_thread(thread)
        await gate.open_all()
        await asyncio.gather(*calls)

    assert gate.batches == [[0]]


# -- configure -------------------------------------------------------------------------------------


async def test_limits_that_change_take_effect_at_the_next_cut() -> None:
    """What waits is cut by the new ones; what is being executed goes on."""
    gate = Gate()
    async with Serving(gate, batch_size=1, cost=lambda item: item) as serving:
        calls = await busy(serving, *range(8))
        serving.configure(batch_size=4)
        gate.open()
        await turns()
        serving.configure(batch_size=100, max_cost=6)
        await gate.open_all()
        await asyncio.gather(*calls)

    assert gate.batches == [[0], [1, 2, 3, 4], [5], [6], [7]]


def test_a_timeout_that_changes_counts_for_who_waits() -> None:
    """Shorter or longer, from the same arrival."""

    async def program(loop: VirtualLoop) -> None:
        log = Log()
        async with Serving(log, batch_size=8, batch_timeout=5.0) as serving:
            for wanted in (2.0, 9.0):
                began = loop.time()
                call = asyncio.create_task(serving.dispatch(1))
                await rest(1.0)
                serving.configure(batch_timeout=wanted)
                await call
                assert loop.time() == began + wanted

    virtual(program)


async def test_a_longer_queue_lets_in_who_waits_in_line() -> None:
    """A shorter one throws nobody out."""
    gate = Gate()
    async with Serving(gate, batch_size=1, max_queue=1, on_full="wait") as serving:
        calls = await busy(serving, *range(5))
        serving.configure(max_queue=3)
        assert (serving.stats().waiting, serving.stats().in_line) == (3, 1)
        serving.configure(max_queue=1)
        assert (serving.stats().waiting, serving.stats().in_line) == (3, 1)
        await gate.open_all()
        assert await asyncio.gather(*calls) == list(range(5))


async def test_limits_are_changed_from_any_thread() -> None:
    """By many at a time, and while callers come from others; nothing is lost, and no change is either."""
    serving: Serving[int, int] = Serving(double, batch_size=4)

    def change() -> None:
        for size in [1, 2, 7] * 30:
            serving.configure(batch_size=size, max_queue=1000 * size)

    async with serving:
        changers = [in_thread(change) for _ in range(2)]
        for _ in range(10):
            assert await gathered(serving, range(20)) == [2 * n for n in range(20)]
            assert await asyncio.to_thread(serving.dispatch_many_sync, range(20)) == [
                2 * n for n in range(20)
            ]
        for join in changers:
            await asyncio.to_thread(join)
        serving.configure(batch_size=3)

        assert serving._settings.limits.batch_size == 3
        await until(lambda: serving._host.engine._policy.limits.batch_size == 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_timeout": -1}, ValueError, "batch_timeout must be a finite number of seconds"),
        ({"max_queue": 1.5}, TypeError, "max_queue must be a whole number, got 1.5"),
        ({"max_cost": 3}, ValueError, "max_cost=3 needs cost"),
        ({"partitions": 2}, TypeError, "partitions"),
    ],
)
def test_a_change_that_cannot_work_is_refused_as_at_first(
    changes: Any, error: type[Exception], message: str
) -> None:
    """And then nothing of it is changed, nor can the number of partitions be."""
    serving = Serving(identity, batch_size=5)
    with pytest.raises(error, match=message):
        serving.configure(**dict[str, Any](batch_timeout=1.0) | changes)

    assert (serving._settings.batch_size, serving._settings.batch_timeout) == (5, 0.0)


async def test_what_was_changed_holds_after_the_next_start() -> None:
    """And for executions in the caller."""
    log = Log()
    serving = Serving(log, batch_size=1)
    serving.configure(batch_size=2)
    async with serving:
        await serving.dispatch_many(range(4))
    await serving.inline_many(range(4))

    assert log.batches == [[0, 1], [2, 3]] * 2


async def test_a_refused_call_names_the_limit_as_it_is_now() -> None:
    """Not as it was at the start."""
    gate = Gate()
    async with Serving(gate, batch_size=1, max_queue=5) as serving:
        calls = await busy(serving, 0)
        serving.configure(max_queue=1)
        calls += await busy(serving, 1)
        with pytest.raises(QueueFullError, match="max_queue=1"):
            await serving.dispatch(2)
        await gate.open_all()
        await asyncio.gather(*calls)
