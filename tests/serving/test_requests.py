from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import aclosing
from typing import Any

import pytest

from sideband.errors import DispatchTimeoutError, ServingClosedError, WrongThreadError
from sideband.serving import Batch, BatchOutput, Serving, _requests
from sideband.testing import VirtualLoop

from .helpers import Gate, double, gathered, identity, in_thread, rest, turns, until, virtual


def test_a_timeout_takes_the_item_out_before_it_runs() -> None:
    """The caller gets an error that names the limit; the batch behind runs without the item.

    Statement 62, decision 4.
    """

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        async with Serving(gate, batch_size=4) as serving:
            first = gathered(serving, [0])
            await turns()
            with pytest.raises(DispatchTimeoutError, match=r"no answer within timeout=2\.5 s") as caught:
                await asyncio.gather(serving.dispatch(1, timeout=2.5), serving.dispatch(2))
            assert loop.time() == 2.5
            assert isinstance(caught.value, TimeoutError)
            assert serving.stats().withdrawn == 1
            await gate.open_all()
            await first
            await turns()

        assert gate.batches == [[0], [2]]

    virtual(program)


def test_the_timeout_of_a_list_is_for_all_of_it() -> None:
    """Batches that are done in time do not give the rest of the list more of it."""

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        async with Serving(gate, batch_size=1) as serving:
            call = asyncio.create_task(serving.dispatch_many([0, 1, 2], timeout=5.0))
            await rest(3.0)
            gate.open()
            with pytest.raises(DispatchTimeoutError):
                await call
            assert loop.time() == 5.0
            await gate.open_all()

        assert gate.batches == [[0], [1]]

    virtual(program)


def test_the_timeout_of_a_stream_is_for_each_wait() -> None:
    """A stream that gives something in time each time may take as long as it takes."""

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        async with (
            Serving(gate, batch_size=1) as serving,
            aclosing(serving.stream_many([0, 1, 2], timeout=5.0)) as stream,
        ):
            for number in range(2):
                waiting = asyncio.ensure_future(anext(stream))
                await rest(4.0)
                gate.open()
                assert await waiting == BatchOutput(output=[number], offset=number)
            with pytest.raises(DispatchTimeoutError):
                await anext(stream)
            assert loop.time() == 13.0
            await gate.open_all()

    virtual(program)


@pytest.mark.parametrize("how", ["dispatch", "dispatch_many", "stream_many"])
async def test_cancellation_takes_the_items_out_before_they_run(how: str) -> None:
    """Neither a cancelled call nor a cancelled list is executed, and those behind it move up.

    Statement 63, decision 4.
    """
    gate = Gate()
    async with Serving(gate, batch_size=2) as serving:
        first = gathered(serving, ["first"])
        await turns()
        cancelled = asyncio.create_task(call(serving, how, ["x"] if how == "dispatch" else ["x", "y", "z"]))
        await turns()
        second = gathered(serving, ["second"])
        await turns()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert serving.stats().waiting == 1
        await gate.open_all()
        assert [await first, await second] == [["first"], ["second"]]

    assert gate.batches == [["first"], ["second"]]


async def call(serving: Serving[Any, Any], how: str, values: list[Any]) -> Any:
    """Send values in one of the ways there are."""
    if how == "dispatch":
        return [await serving.dispatch(values[0])]
    if how == "dispatch_many":
        return await serving.dispatch_many(values)
    events = [event async for event in serving.stream_many(values)]
    return [result for event in events if isinstance(event, BatchOutput) for result in event.output]


async def test_a_batch_that_runs_goes_on_without_a_caller_who_left() -> None:
    """Its other callers get their results."""
    gate = Gate()
    async with Serving(gate, batch_size=2) as serving:
        leaving = asyncio.create_task(serving.dispatch(0))
        staying = asyncio.create_task(serving.dispatch(1))
        await turns()
        leaving.cancel()
        await gate.open_all()
        assert await staying == 1
        assert leaving.cancelled()


@pytest.mark.parametrize("how", ["dispatch_many", "stream_many", "thread", "stream in thread"])
async def test_a_failing_part_withdraws_the_rest_of_its_request(how: str) -> None:
    """Nothing of a list is executed any more once a batch with some of it has failed, whoever waits for it.

    Statement 67, decision 5.
    """
    batches: list[list[int]] = []

    def failing(batch: Batch[int]) -> list[int]:
        batches.append(list(batch))
        raise ValueError(batch[0])

    async with Serving(failing, batch_size=2) as serving:
        with pytest.raises(ValueError, match="0"):
            if how == "thread":
                await asyncio.to_thread(serving.dispatch_many_sync, range(9))
            elif how == "stream in thread":
                await asyncio.to_thread(lambda: list(serving.stream_many_sync(range(9))))
            else:
                await call(serving, how, list(range(9)))
        await turns()
        assert serving.stats().waiting == 0

    assert batches == [[0, 1]]


async def test_results_have_the_callers_order_whatever_finished_first() -> None:
    """Batches of one list that end in reverse order are put together in the order of its items. Statement 52."""
    gate = Gate(double)
    async with Serving(gate, batch_size=2, partitions=3) as serving:
        results = asyncio.create_task(serving.dispatch_many(range(6)))
        stream = asyncio.create_task(call(serving, "stream_many", list(range(6))))
        for _ in range(2):
            await turns()
            for _ in range(3):
                gate.open(-1)

        assert await results == await stream == [0, 2, 4, 6, 8, 10]


async def test_a_stream_holds_back_what_finished_before_its_turn() -> None:
    """Parts come in the order of the items, each as soon as those before it are done. Statements 71 and 74."""
    gate = Gate()
    async with (
        Serving(gate, batch_size=1, partitions=3) as serving,
        aclosing(serving.stream_many(list("abc"))) as stream,
    ):
        waiting = asyncio.ensure_future(anext(stream))
        await turns()
        gate.open(2)
        await turns()
        assert not waiting.done()
        gate.open(0)
        assert await waiting == BatchOutput(output=["a"], offset=0)
        gate.open(0)
        assert [event async for event in stream] == [
            BatchOutput(output=["b"], offset=1),
            BatchOutput(output=["c"], offset=2),
        ]


def test_threads_share_batches_with_each_other() -> None:
    """Any number of threads may call, and each gets its own."""
    count = 16
    barrier = threading.Barrier(count)
    sizes: list[int] = []

    def model(batch: Batch[int]) -> list[int]:
        sizes.append(batch.size)
        return [2 * value for value in batch]

    with Serving(model, batch_size=8, batch_timeout=0.05) as serving:

        def caller(number: int) -> list[int]:
            barrier.wait()
            return [serving.dispatch_sync(number), *serving.dispatch_many_sync([number, number + 1])]

        joins = [in_thread(lambda number=number: caller(number)) for number in range(count)]  # type: ignore[misc]
        assert [join() for join in joins] == [[2 * n, 2 * n, 2 * n + 2] for n in range(count)]

    assert max(sizes) > 1


async def test_a_caller_on_another_loop_is_served_there() -> None:
    """Results, streams and failures come to the loop of the caller."""
    async with Serving(double, batch_size=4, max_queue=8) as serving:

        async def elsewhere() -> list[Any]:
            one = await serving.dispatch(1)
            many = await serving.dispatch_many([1, 2, 3])
            stream = [event async for event in serving.stream_many([4])]
            [full] = await asyncio.gather(serving.dispatch_many(range(9)), return_exceptions=True)
            return [one, many, stream, str(full)]

        one, many, stream, full = await asyncio.to_thread(asyncio.run, elsewhere())

    assert (one, many, stream) == (2, [2, 4, 6], [BatchOutput(output=[8], offset=0)])
    assert "would exceed max_queue=8" in full


async def test_a_synchronous_call_on_the_servings_own_loop_is_refused() -> None:
    """It would wait for itself; the error says what to do instead."""
    async with Serving(identity) as serving:
        with pytest.raises(WrongThreadError, match="would wait for itself; await the method without _sync"):
            serving.dispatch_sync(1)
        with pytest.raises(WrongThreadError, match="would wait for itself"):
            list(serving.stream_many_sync([1]))


async def test_a_thread_that_waits_too_long_gets_a_timeout() -> None:
    """The limit holds for synchronous callers, and what waits of them is taken out."""
    gate = Gate()
    async with Serving(gate, batch_size=1) as serving:
        first = gathered(serving, [0])
        await turns()
        with pytest.raises(DispatchTimeoutError, match=r"timeout=0\.01 s"):
            await asyncio.to_thread(serving.dispatch_sync, 1, timeout=0.01)
        await turns()
        assert serving.stats().waiting == 0
        await gate.open_all()
        await first


@pytest.mark.parametrize("how", ["thread", "loop"])
def test_a_loop_that_ends_under_a_caller_elsewhere_is_noticed(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller in a thread, or on another loop, does not wait for ever for a loop that has been closed.

    Statement 82.
    """
    monkeypatch.setattr(_requests, "_LOOP_CHECK", 0.01)
    submitted = threading.Event()
    joins: list[Any] = []

    async def never(batch: Batch[int]) -> Any:
        submitted.set()
        return await asyncio.get_running_loop().create_future()

    serving: Serving[int, Any] = Serving(never)

    async def careless() -> None:
        await serving.start()
        if how == "thread":
            joins.append(in_thread(lambda: serving.dispatch_sync(1)))
        else:
            joins.append(in_thread(lambda: asyncio.run(serving.dispatch(1))))
        await until(submitted.is_set)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(careless())
    tasks = asyncio.all_tasks(loop)
    loop.close()

    with pytest.raises(ServingClosedError, match="its event loop was closed under it"):
        joins[0]()
    with pytest.raises(ServingClosedError, match="its event loop is closed"):
        serving.dispatch_sync(2)
    for task in tasks:  # they can end no more, which Python would report
        task._log_destroy_pending = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["dispatch", "dispatch_many", "stream_many", "sync"])
async def test_an_error_keeps_neither_its_call_nor_its_batch_alive(how: str) -> None:
    """When the caller drops the error, everything is freed without the garbage collector."""

    class FailureError(Exception):
        pass

    def failing(batch: Batch[int]) -> list[int]:
        raise FailureError

    async def fail(serving: Serving[int, int]) -> weakref.ref[FailureError]:
        try:
            if how == "sync":
                await asyncio.to_thread(serving.dispatch_many_sync, [1, 2, 3])
            else:
                await call(serving, how, [1, 2, 3])
        except FailureError as error:
            return weakref.ref(error)
        raise AssertionError

    async with Serving(failing, batch_size=2) as serving:
        gc.collect()
        gc.disable()
        try:
            reference = await fail(serving)
            await until(lambda: reference() is None)
        finally:
            gc.enable()
