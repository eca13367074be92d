"""What `batch_serving` for Elixir says of scheduling, statement by statement, and what became of it here."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextlib import aclosing
from typing import Any

import pytest

from sideband.errors import DispatchTimeoutError, QueueFullError, ServingClosedError
from sideband.serving import Batch, BatchOutput, Serving
from sideband.testing import VirtualLoop

from .helpers import Gate, Log, gathered, identity, in_thread, rest, turns, virtual
from .sources import Now


def default(option: str) -> Any:
    """Return the default of an option."""
    return inspect.signature(Serving).parameters[option].default


async def together(serving: Serving[Any, Any], *lists: str) -> list[Any]:
    """Send lists of letters, all in one turn."""
    calls = [asyncio.create_task(serving.dispatch_many(list(letters))) for letters in lists]
    return [await call for call in calls]


def cut(*lists: str, batch_size: int = 3, hooks: tuple[str, ...] = ()) -> list[str]:
    """Return the batches that lists of letters are cut into."""

    async def program(_loop: VirtualLoop) -> list[str]:
        log = Log()
        async with Serving(log, batch_size=batch_size, hooks=hooks) as serving:
            assert await together(serving, *lists) == [list(letters) for letters in lists]
        return ["".join(batch) for batch in log.batches]

    return virtual(program)


def test_the_defaults() -> None:
    """Statement 33, anew: a batch of up to 32 that does not wait for company, one partition, 30 s to close; there 1, and 100 ms."""
    assert [default(option) for option in ("batch_size", "batch_timeout", "partitions", "shutdown_timeout")] == [
        32, 0.0, 1, 30.0,
    ]  # fmt: skip


def test_items_are_collected_in_the_order_in_which_they_come() -> None:
    """Statement 38, kept: across callers, and never more than `batch_size`."""
    assert cut("A", "B", "CD", "E") == ["ABC", "DE"]


def test_a_full_batch_runs_at_once() -> None:
    """Statement 39, kept: three items at size 3 wait for no timeout."""

    async def program(loop: VirtualLoop) -> None:
        async with Serving(Log(), batch_size=3, batch_timeout=9.0) as serving:
            await gathered(serving, "abc")
            assert loop.time() == 0.0

    virtual(program)


def test_the_timeout_counts_from_the_first_item() -> None:
    """Statement 40, kept: later arrivals do not extend it."""

    async def program(loop: VirtualLoop) -> None:
        log = Log()
        async with Serving(log, batch_size=9, batch_timeout=2.0) as serving:
            first = asyncio.create_task(serving.dispatch("a"))
            await rest(1.5)
            await asyncio.gather(first, serving.dispatch("b"))
            assert (loop.time(), log.batches) == (2.0, [["a", "b"]])

    virtual(program)


@pytest.mark.parametrize(("timeout", "took"), [(0.05, 0.05), (0.0, 0.0), (None, 0.0)])
def test_a_lone_caller_pays_only_a_timeout_that_was_asked_for(timeout: float | None, took: float) -> None:
    """Statement 41, anew: there it pays 100 ms by default."""

    async def program(loop: VirtualLoop) -> None:
        options: dict[str, Any] = {} if timeout is None else {"batch_timeout": timeout}
        async with Serving(Log(), batch_size=9, **options) as serving:
            await serving.dispatch("a")
            assert loop.time() == took

    virtual(program)


@pytest.mark.parametrize(("count", "took"), [(5, 1.0), (6, 0.0)])
def test_only_an_odd_item_takes_a_timeout(count: int, took: float) -> None:
    """Statement 42, kept: five single calls at size 2 take one, six none."""

    async def program(loop: VirtualLoop) -> None:
        async with Serving(Log(), batch_size=2, batch_timeout=1.0) as serving:
            await gathered(serving, range(count))
            assert loop.time() == took

    virtual(program)


async def test_a_batch_grows_while_all_partitions_are_busy() -> None:
    """Statement 43, kept: 0 runs alone, 1 to 6 together, whatever the timeout."""
    gate = Gate()
    async with Serving(gate, batch_size=8) as serving:
        calls = [asyncio.create_task(serving.dispatch(0))]
        for item in range(1, 7):
            await turns()
            calls.append(asyncio.create_task(serving.dispatch(item)))
        await gate.open_all()
        await asyncio.gather(*calls)

    assert gate.batches == [[0], [1, 2, 3, 4, 5, 6]]


async def test_as_many_batches_run_as_there_are_partitions_and_the_queue_is_bounded() -> None:
    """Statement 44, anew: there it has no bound; here a call is refused, or waits for room, by choice."""
    gate = Gate()
    async with Serving(gate, batch_size=1, partitions=2, max_queue=1) as serving:
        calls: list[asyncio.Task[int]] = []
        for item in range(3):
            calls.append(asyncio.create_task(serving.dispatch(item)))
            await turns()
        assert gate.batches == [[0], [1]]
        with pytest.raises(QueueFullError):
            await serving.dispatch(3)
        await gate.open_all()
        await asyncio.gather(*calls)


def test_a_list_longer_than_the_room_is_split() -> None:
    """Statement 45, kept: its head fills the batch that is collected."""
    assert cut("a", "1234") == ["a12", "34"]


def test_a_list_of_exactly_one_batch_is_no_exception() -> None:
    """Statement 46, anew: there it flushes what is collected and runs alone."""
    assert cut("a", "123") == ["a12", "3"]


def test_lists_are_split_to_fill_batches() -> None:
    """Statement 47, kept: AA, BB, CC at size 3."""
    assert cut("AA", "BB", "CC") == ["AAB", "BCC"]


def test_with_hooks_lists_stay_whole_and_single_calls_merge() -> None:
    """Statement 48, kept: what does not fit flushes the batch that is collected."""
    assert cut("AA", "BB", "CC", hooks=("progress",)) == ["AA", "BB", "CC"]
    assert cut("A", "B", "C", hooks=("progress",)) == ["ABC"]


def test_with_hooks_a_list_longer_than_a_batch_is_cut_from_its_start() -> None:
    """Statement 49, kept: its rest may share a batch."""
    assert cut("AAAAAAA", "B", hooks=("progress",)) == ["AAA", "AAA", "AB"]


async def test_four_partitions_run_four_batches() -> None:
    """Statement 50, kept: at the same time."""
    gate = Gate()
    async with Serving(gate, batch_size=1, partitions=4) as serving:
        calls = [asyncio.create_task(serving.dispatch(item)) for item in range(6)]
        await turns()
        assert len(gate.waiting) == 4
        await gate.open_all()
        await asyncio.gather(*calls)


async def test_results_are_in_the_order_of_the_list() -> None:
    """Statement 52, kept: whichever of its batches finished first."""
    gate = Gate()
    async with Serving(gate, batch_size=2, partitions=3) as serving:
        call = asyncio.create_task(serving.dispatch_many(range(6)))
        await turns()
        for place in (2, 0, 0):
            gate.open(place)
            await turns()
        assert await call == list(range(6))


async def test_an_empty_list_gives_an_empty_list() -> None:
    """Statement 54, anew: there it is an error. Nothing is executed, and the serving need not be started."""
    assert await Serving(identity).dispatch_many([]) == []


async def test_any_iterable_goes_and_nothing_else() -> None:
    """Statement 55, kept; what is no iterable is an error of its caller, there it kills it."""
    async with Serving(identity) as serving:
        assert await serving.dispatch_many(range(3)) == [0, 1, 2]
        assert await serving.dispatch_many({"a": 1}.items()) == [("a", 1)]
        with pytest.raises(TypeError, match="'int' object is not iterable"):
            await serving.dispatch_many(5)  # type: ignore[arg-type]


async def test_maps_run_in_the_caller() -> None:
    """Statement 56, kept: in its own task or thread, on a list."""
    places: list[Any] = []

    def mapped(values: list[Any]) -> list[Any]:
        places.append((type(values), threading.get_ident()))
        return values

    async with Serving(identity, map_inputs=mapped, map_results=mapped) as serving:
        await serving.dispatch(1)
        here = threading.get_ident()
        there: list[int] = []

        def work() -> None:
            there.append(threading.get_ident())
            serving.dispatch_sync(2)

        await asyncio.to_thread(work)

    assert places == [(list, here)] * 2 + [(list, there[0])] * 2


async def test_a_stream_is_sent_as_there_is_room() -> None:
    """Statement 59, anew: there without waiting for anything; its result is one flat list, as there."""
    source = Now(20)
    gate = Gate()
    async with Serving(gate, batch_size=2) as serving:
        call = asyncio.create_task(serving.dispatch_many(source))
        await turns()
        assert source.read == 4
        await gate.open_all()
        assert await call == list(range(20))


def test_nobody_has_to_wait_for_ever() -> None:
    """Statement 62, anew: each call takes a timeout."""

    async def program(loop: VirtualLoop) -> None:
        gate = Gate()
        async with Serving(gate) as serving:
            with pytest.raises(DispatchTimeoutError):
                await serving.dispatch(1, timeout=4.0)
            assert loop.time() == 4.0
            await gate.open_all()

    virtual(program)


async def test_items_of_a_caller_who_is_gone_do_not_run() -> None:
    """Statement 63, anew: there they do."""
    gate = Gate()
    async with Serving(gate, batch_size=1) as serving:
        calls = [asyncio.create_task(serving.dispatch(item)) for item in range(3)]
        await turns()
        calls.pop(1).cancel()
        await turns()
        await gate.open_all()
        await asyncio.gather(*calls)

    assert gate.batches == [[0], [2]]


async def test_what_is_left_of_a_failed_list_leaves_the_queue() -> None:
    """Statement 67, anew: there its rest runs, and takes the room of later callers."""

    def model(batch: Batch[Any]) -> list[Any]:
        batches.append(list(batch))
        if 1 in batch.values:
            raise LookupError
        return list(batch)

    batches: list[list[Any]] = []
    async with Serving(model, batch_size=2, executor="inline") as serving:
        results = await asyncio.gather(
            serving.dispatch_many(range(1, 8)), serving.dispatch("a"), return_exceptions=True
        )

    assert isinstance(results[0], LookupError)
    assert results[1] == "a"
    assert batches == [[1, 2], ["a"]]


async def test_a_stream_gives_each_part_as_it_is_done() -> None:
    """Statement 71, kept: the first before the last is executed."""
    gate = Gate()
    async with Serving(gate, batch_size=2) as serving, aclosing(serving.stream_many(range(4))) as events:
        first = asyncio.ensure_future(anext(events))
        await turns()
        gate.open()
        assert await first == BatchOutput(output=[0, 1], offset=0)
        assert gate.batches == [[0, 1]] or len(gate.waiting) == 1
        await gate.open_all()
        assert await anext(events) == BatchOutput(output=[2, 3], offset=2)


async def test_a_part_that_is_done_early_is_held_back() -> None:
    """Statement 74, kept: events are in the order of the items."""
    gate = Gate()
    async with Serving(gate, batch_size=1, partitions=2) as serving:
        call = asyncio.create_task(collected(serving, range(2)))
        await turns()
        gate.open(1)
        await turns()
        assert not call.done()
        gate.open()
        assert [event.offset for event in await call] == [0, 1]


async def collected(serving: Serving[Any, Any], values: Any) -> list[Any]:
    """Return all events of a stream."""
    return [event async for event in serving.stream_many(values)]


@pytest.mark.parametrize("drain", [True, False])
async def test_closing_executes_what_waits_or_fails_it(drain: bool) -> None:
    """Statement 81, anew: there it always fails; what runs is awaited in any case, as there."""
    gate = Gate()
    serving: Serving[int, int] = Serving(gate, batch_size=1)
    await serving.start()
    calls = [asyncio.create_task(serving.dispatch(item)) for item in range(3)]
    await turns()
    closing = asyncio.create_task(serving.aclose(drain=drain))
    await gate.open_all()
    await closing

    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, ServingClosedError) for result in results] == [False, not drain, not drain]


async def test_threads_read_their_iterators_themselves() -> None:
    """Statement 59, anew: an iterator of a thread is read by it."""
    async with Serving(identity, batch_size=2) as serving:
        call = in_thread(lambda: serving.dispatch_many_sync(iter(range(20))))
        assert await asyncio.to_thread(call) == list(range(20))
