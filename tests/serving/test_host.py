from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest

from sideband.errors import ServingClosedError, ServingError, WrongThreadError
from sideband.serving import Batch, Serving

from .helpers import identity, in_thread, join_threads, serving_threads, turns


class Model:
    """Remembers where it was made, set up and used."""

    made: list[Model]

    def __init__(self) -> None:
        self.threads = [threading.get_ident()]
        self.made.append(self)

    def setup(self, partition: int) -> None:
        self.partition = partition
        self.threads.append(threading.get_ident())

    def handle_batch(self, batch: Batch[int]) -> list[int]:
        self.threads.append(threading.get_ident())
        assert batch.partition == self.partition
        return list(batch)


def new_model() -> type[Model]:
    """Return a model class of its own, which counts its instances."""

    class Fresh(Model):
        made: list[Model] = []  # noqa: RUF012 - shared on purpose

    return Fresh


async def test_each_partition_has_a_model_of_its_own_in_its_own_thread() -> None:
    """It is made, set up once, and used in that thread only. Statements 10, 11 and 12."""
    model = new_model()
    async with Serving(model, partitions=3, batch_size=1) as serving:
        await serving.dispatch_many(range(30))

    assert sorted(one.partition for one in model.made) == [0, 1, 2]
    threads = [set(one.threads) for one in model.made]
    assert all(len(own) == 1 for own in threads)
    assert len(set.union(*threads)) == 3
    assert threading.get_ident() not in set.union(*threads)


async def test_an_inline_model_stays_on_the_loop() -> None:
    """With `executor="inline"` no thread is started."""
    model = new_model()
    async with Serving(model, executor="inline", name="inline") as serving:
        await serving.dispatch(1)
        assert serving_threads("inline") == []

    assert set(model.made[0].threads) == {threading.get_ident()}


async def test_an_asynchronous_setup_is_awaited_on_the_loop() -> None:
    """Each partition's, before the first batch, for plain and coroutine functions."""
    ready: list[int] = []

    class Asynchronous:
        async def setup(self, partition: int) -> None:
            await turns()
            self.loop = asyncio.get_running_loop()
            ready.append(partition)

        async def handle_batch(self, batch: Batch[int]) -> list[int]:
            assert asyncio.get_running_loop() is self.loop
            return list(batch)

    class Plain(Asynchronous):
        def handle_batch(self, batch: Batch[int]) -> list[int]:  # type: ignore[override]
            return list(batch)

    for model in (Asynchronous, Plain):
        async with Serving(model, partitions=2) as serving:
            assert await serving.dispatch_many([1, 2]) == [1, 2]

    assert ready == [0, 1, 0, 1]


@pytest.mark.parametrize("executor", ["thread", "inline"])
@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("error", [OSError("no model file"), StopIteration("stop")])
async def test_a_setup_that_raises_starts_nothing(
    executor: Any, asynchronous: bool, error: Exception
) -> None:
    """`start` raises it, no thread is left, and the serving can be started when the cause is gone."""
    broken = True

    class Breaks:
        def setup(self, partition: int) -> Any:
            if broken and partition == 1:
                return self.fail() if asynchronous else raise_it(error)
            return None

        async def fail(self) -> None:
            raise error

        def handle_batch(self, batch: Batch[int]) -> list[int]:
            return list(batch)

    serving = Serving(Breaks, partitions=2, executor=executor, name="breaks")
    with pytest.raises((OSError, RuntimeError)) as caught:
        await serving.start()
    assert caught.value is error or caught.value.__cause__ is error
    assert not serving.stats().running
    join_threads("breaks")

    broken = False
    async with serving:
        assert await serving.dispatch(1) == 1
    join_threads("breaks")


def raise_it(error: Exception) -> None:
    """Raise."""
    raise error


async def test_it_is_started_once_and_can_be_started_again() -> None:
    """A second start is refused, with what to do; after the close it starts anew, with new models."""
    model = new_model()
    serving = Serving(model, name="again")
    for round_ in (1, 2):
        async with serving:
            with pytest.raises(ServingError, match="serving 'again': already started; close it first"):
                await serving.start()
            with pytest.raises(ServingError, match="already started"):
                await asyncio.to_thread(serving.start_sync)
            assert await serving.dispatch(1) == 1
            assert serving.stats().running
        assert len(model.made) == round_
        assert not serving.stats().running

    assert serving.stats().batches == 2
    join_threads("again")


async def test_two_starts_at_the_same_time_start_it_once() -> None:
    """The second is refused while the first is still setting up."""

    class Slow:
        async def setup(self, partition: int) -> None:
            await turns()

        def handle_batch(self, batch: Batch[int]) -> list[int]:
            return list(batch)

    serving = Serving(Slow)
    first, second = await asyncio.gather(serving.start(), serving.start(), return_exceptions=True)
    await serving.aclose()

    assert first is None
    assert isinstance(second, ServingError)


async def test_a_start_that_is_cancelled_starts_nothing() -> None:
    """Its threads end, and another start is possible."""

    class Slow:
        async def setup(self, partition: int) -> None:
            await asyncio.get_running_loop().create_future()

        def handle_batch(self, batch: Batch[int]) -> list[int]:
            return list(batch)

    serving = Serving(Slow, name="slow")
    starting = asyncio.create_task(serving.start())
    await turns()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert repr(serving) == "<Serving 'slow' not started>"
    join_threads("slow")


def test_threads_end_after_the_close() -> None:
    """A synchronous program has a loop's thread and the partitions' while the serving is open, and none after."""
    with Serving(identity, partitions=2, name="synchronous") as serving:
        assert serving.dispatch_many_sync([1, 2]) == [1, 2]
        names = sorted(thread.name for thread in serving_threads("synchronous"))

    assert names == ["sideband-synchronous-0", "sideband-synchronous-1", "sideband-synchronous-loop"]
    join_threads("synchronous")


def test_an_exception_in_the_block_gives_up_what_waits() -> None:
    """Leaving the block with an error does not execute the queue first."""
    entered, release = threading.Event(), threading.Event()
    executed: list[int] = []

    def model(batch: Batch[int]) -> list[int]:
        executed.extend(batch)
        entered.set()
        release.wait()
        return list(batch)

    joins: list[Any] = []
    serving = Serving(model, batch_size=1)
    with pytest.raises(LookupError), serving:
        joins += [in_thread(lambda: serving.dispatch_many_sync([0, 1, 2]))]
        entered.wait()
        release.set()
        raise LookupError

    with contextlib.suppress(ServingClosedError):  # unless all of it was done by then
        assert joins[0]() == [0, 1, 2]
    assert executed[0] == 0
    assert serving.stats().items + serving.stats().withdrawn == 3


async def test_it_is_closed_where_it_was_started() -> None:
    """On another loop, from a thread, or from its own loop's thread, the error says where."""
    serving = Serving(identity)
    async with serving:
        with pytest.raises(WrongThreadError, match="close it on the event loop on which it was started"):
            await asyncio.to_thread(asyncio.run, serving.aclose())
        with pytest.raises(WrongThreadError, match="it was started on an event loop; await aclose"):
            serving.aclose_sync()

    def closes(batch: Batch[int]) -> list[int]:
        inside.aclose_sync()
        return list(batch)

    inside = Serving(closes, executor="inline")

    def program() -> None:
        with inside, pytest.raises(WrongThreadError, match="would wait for itself"):
            inside.dispatch_sync(1)

    await asyncio.to_thread(program)


def test_a_serving_whose_loop_ended_can_be_started_again() -> None:
    """A program that ended without closing it leaves no thread, and the next loop may start it."""
    serving = Serving(identity, name="left")

    async def careless() -> None:
        await serving.start()
        await serving.dispatch(1)

    async def careful() -> Any:
        async with serving:
            return await serving.dispatch(2)

    asyncio.run(careless())
    assert asyncio.run(careful()) == 2
    asyncio.run(careless())
    asyncio.run(serving.aclose())
    asyncio.run(careless())
    serving.aclose_sync()

    assert not serving.stats().running
    join_threads("left")


def test_closing_a_synchronous_serving_leaves_no_task_behind() -> None:
    """A coroutine function that hangs is cancelled before its loop is closed."""
    seen: list[str] = []

    async def hangs(batch: Batch[int]) -> Any:
        try:
            return await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    serving: Serving[int, Any] = Serving(hangs, shutdown_timeout=0.0)
    serving.start_sync()
    join = in_thread(lambda: serving.dispatch_sync(1))
    while not serving.stats().executing:
        threading.Event().wait(0.001)
    serving.aclose_sync()
    serving.aclose_sync()

    with pytest.raises(ServingError, match="shutdown_timeout"):
        join()
    assert seen == ["cancelled"]
