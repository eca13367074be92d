"""Iterators and asynchronous iterables as input: read as there is room, closed on every ending."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator
from contextlib import aclosing, closing
from typing import Any

import pytest

from sideband import Handler, Run
from sideband.errors import (
    LengthMismatchError,
)
from sideband.serving import Batch, Serving
from sideband.testing import VirtualLoop

from .helpers import Gate, Log, double, identity, in_thread, turns, until, virtual, watched
from .sources import SORTS, Later, Now, flat


@pytest.mark.parametrize("sort", SORTS)
async def test_results_are_in_the_order_of_a_source(sort: Any) -> None:
    """Whatever number of batches and partitions they went through. Statements 52, 55 and 59."""
    async with Serving(double, batch_size=3, partitions=2) as serving:
        assert await serving.dispatch_many(sort(20)) == [2 * n for n in range(20)]
        assert flat([event async for event in serving.stream_many(sort(20))]) == [2 * n for n in range(20)]


async def test_threads_give_iterators_too() -> None:
    """Read in the calling thread."""
    source = Now(20)
    async with Serving(double, batch_size=3) as serving:
        assert await asyncio.to_thread(serving.dispatch_many_sync, source) == [2 * n for n in range(20)]
        events = await asyncio.to_thread(lambda: list(serving.stream_many_sync(Now(20))))

    assert flat(events) == [2 * n for n in range(20)]
    assert source.closed == 1


async def test_a_source_is_read_on_another_loop_than_the_servings() -> None:
    """By the task that gave it."""
    source = Later(20)
    async with Serving(double, batch_size=3) as serving:
        results = await asyncio.to_thread(lambda: asyncio.run(serving.dispatch_many(source)))

    assert results == [2 * n for n in range(20)]
    assert source.closed == 1


@pytest.mark.parametrize("sort", SORTS)
async def test_an_empty_source_gives_nothing(sort: Any) -> None:
    """No race and no error. Statement 60."""
    log = Log()
    async with Serving(log) as serving:
        assert await serving.dispatch_many(sort(0)) == []
        assert [event async for event in serving.stream_many(sort(0))] == []
    assert log.batches == []


def test_results_stream_out_while_the_source_goes_on() -> None:
    """An endless slow source gives its first result before its second value. Statement 71."""

    async def program(loop: VirtualLoop) -> None:
        source = Later(pause=1.0)
        async with Serving(Log(), batch_size=4) as serving:
            times: list[tuple[float, int]] = []
            async with aclosing(serving.stream_many(source)) as events:
                async for event in events:
                    times += [(loop.time(), result) for result in flat([event])]
                    if len(times) == 3:
                        break
            assert times == [(1.0, 0), (2.0, 1), (3.0, 2)]
            assert source.closed == 1

    virtual(program)


@pytest.mark.parametrize("sort", SORTS)
async def test_a_source_is_read_only_as_there_is_room(sort: Any) -> None:
    """Two batches for each partition are on their way at most, however slow the model is. Statement 59."""
    source = sort()
    gate = Gate()
    async with Serving(gate, batch_size=3, partitions=2) as serving:
        reading = serving.stream_many(source)
        for taken in range(8):
            pulling = asyncio.ensure_future(anext(reading))
            await turns(50)
            assert 12 <= source.read <= taken + 1 + 12
            if not pulling.done():
                gate.open()
            await pulling
        dropping = asyncio.ensure_future(reading.aclose())
        await gate.open_all()
        await dropping
        await gate.open_all()


@pytest.mark.parametrize("sort", SORTS)
async def test_a_source_is_not_read_for_a_consumer_that_does_not_pull(sort: Any) -> None:
    """Results that nobody has taken count as on their way."""
    source = sort()
    async with Serving(identity, batch_size=2) as serving, aclosing(serving.stream_many(source)) as events:
        await anext(events)
        await turns(50)
        assert source.read <= 6


@pytest.mark.parametrize("sort", SORTS)
async def test_a_source_is_read_to_its_end_however_late_its_results_are_taken(sort: Any) -> None:
    """Also where all that was read is done before the first result is pulled."""
    async with Serving(identity, batch_size=2, executor="inline") as serving:
        results: list[int] = []
        async for event in serving.stream_many(sort(30)):
            await turns(30)
            results += flat([event])

    assert results == list(range(30))


async def test_a_short_queue_bounds_what_is_read() -> None:
    """`max_queue` items at most."""
    source = Now()
    gate = Gate()
    async with Serving(gate, batch_size=8, max_queue=3) as serving:
        async with aclosing(serving.stream_many(source)) as events:
            first = asyncio.ensure_future(anext(events))
            await turns(20)
            assert source.read == 3
            await gate.open_all()
            await first
        await gate.open_all()


@pytest.mark.parametrize("sort", SORTS)
async def test_a_source_is_never_refused_for_a_full_queue(sort: Any) -> None:
    """It waits in line with what it has read, also where calls are refused."""
    gate = Gate()
    async with Serving(gate, batch_size=1, max_queue=1) as serving:
        first = asyncio.create_task(serving.dispatch(-1))
        await turns()
        second = asyncio.create_task(serving.dispatch(-2))
        await turns()
        many = asyncio.create_task(serving.dispatch_many(sort(3)))
        await turns()
        assert serving.stats().in_line == 1
        await gate.open_all()
        assert await many == [0, 1, 2]
        assert [await first, await second] == [-1, -2]


async def test_the_items_of_an_endless_stream_are_not_kept() -> None:
    """Only those that are on their way are alive, watched or not."""

    class Thing:
        pass

    alive: weakref.WeakSet[Thing] = weakref.WeakSet()
    most = 0

    def things() -> Iterator[Thing]:
        while True:
            thing = Thing()
            alive.add(thing)
            yield thing

    def nothing(batch: Batch[Thing]) -> list[None]:
        return [None] * batch.size

    async with Serving(nothing, batch_size=4, executor="inline") as serving:
        with watched():
            async with aclosing(serving.stream_many(things())) as events:
                for _ in range(60):
                    await anext(events)
                    most = max(most, len(alive))

    assert most <= 24


@pytest.mark.parametrize("sort", SORTS)
async def test_maps_are_applied_to_a_sources_values(sort: Any) -> None:
    """`map_inputs` to each as it is read, which may make any number of items; `map_results` to all results at last."""
    async with Serving(
        identity,
        map_inputs=lambda values: [value for value in values for _ in range(2)],
        map_results=lambda results: [a + b for a, b in zip(results[::2], results[1::2], strict=True)],
    ) as serving:
        assert await serving.dispatch_many(sort(5)) == [0, 2, 4, 6, 8]
        with pytest.raises(LengthMismatchError):
            await anext(serving.stream_many(sort(5)))


async def test_a_sources_items_have_keys_costs_and_priorities_too() -> None:
    """As any others."""
    log = Log()
    async with Serving(log, batch_size=4, key=lambda n: n % 2, cost=lambda n: n, max_cost=6) as serving:
        assert await serving.dispatch_many(iter(range(8)), priority=3) == list(range(8))

    assert sorted(log.batches) == [[0, 2, 4], [1, 3], [5], [6], [7]]


@pytest.mark.parametrize("how", ["list", "stream", "thread"])
async def test_a_list_longer_than_the_queue_goes_by_windows_where_callers_wait(how: str) -> None:
    """Where they are refused, it is. Decision 9."""
    log = Log()
    async with Serving(
        log, batch_size=4, max_queue=6, on_full="wait", map_inputs=lambda values: values
    ) as serving:
        values = list(range(50))
        if how == "list":
            assert await serving.dispatch_many(values) == values
        elif how == "stream":
            assert flat([event async for event in serving.stream_many(values)]) == values
        else:
            assert await asyncio.to_thread(serving.dispatch_many_sync, values) == values

    assert [item for batch in log.batches for item in batch] == values
    assert max(map(len, log.batches)) == 4


class Readers(Handler):
    """What a handler sees of a streamed input."""

    def __init__(self) -> None:
        self.inputs: list[Any] = []
        self.chunks: list[Any] = []

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.inputs.append(input)

    async def on_start_with_stream_input(self, run: Run, stream: Any) -> None:
        async for chunk in stream:
            self.chunks.append(chunk)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("how", ["list", "stream"])
async def test_a_source_is_a_streamed_input_to_handlers(sort: Any, how: str) -> None:
    """A handler that asks for it gets a copy; the values are read no earlier for that."""
    readers = Readers()
    async with Serving(identity, batch_size=2) as serving:
        with watched(readers) as recorder:
            if how == "list":
                assert await serving.dispatch_many(sort(5)) == list(range(5))
            else:
                assert flat([event async for event in serving.stream_many(sort(5))]) == list(range(5))

    assert readers.chunks == list(range(5))
    assert recorder.run().output == list(range(5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda serving: serving.dispatch_many_sync(Later(1)), "is read by a method without _sync"),
        (lambda serving: list(serving.stream_many_sync(Later(1))), "is read by a method without _sync"),
        (
            lambda serving: asyncio.run(serving.inline_many(Later(1))),
            "is read by dispatch_many and stream_many",
        ),
        (lambda serving: serving.dispatch_many_sync("text"), "got the single str 'text'"),
    ],
)
def test_what_cannot_be_read_is_refused(call: Any, message: str) -> None:
    """The error says what to do instead. Statement 55."""
    with pytest.raises(TypeError, match=message):
        call(Serving(identity))


async def test_a_slow_thread_gets_results_while_it_reads() -> None:
    """Before each value that it reads it takes what has come meanwhile."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()
    seen: list[Any] = []

    def values() -> Iterator[int]:
        yield 0
        asyncio.run_coroutine_threadsafe(until(lambda: serving.stats().items == 1), loop).result()
        yield 1
        assert seen == [[0]]
        yield 2

    def read() -> list[Any]:
        with closing(serving.stream_many_sync(values())) as events:
            for event in events:
                seen.append(event.output)  # type: ignore[union-attr]
        return seen

    async with Serving(identity, batch_size=8) as serving:
        assert [item for part in await asyncio.to_thread(in_thread(read)) for item in part] == [0, 1, 2]
    release.set()


async def test_a_model_sees_only_full_batches_of_a_fast_source() -> None:
    """While one batch is executed the next one is read."""
    sizes: list[int] = []

    async def model(batch: Batch[int]) -> list[int]:
        sizes.append(batch.size)
        await turns(30)
        return list(batch)

    async with Serving(model, batch_size=8) as serving:
        await serving.dispatch_many(Later(64))

    assert sum(sizes) == 64
    assert len(sizes) <= 10
