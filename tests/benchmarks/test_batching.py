"""How batching systems are asked and checked: what is noticed before anything is timed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from benchmarks.cases import CASES, serving
from benchmarks.harness.systems import read_systems
from benchmarks.peers import _batching
from benchmarks.peers._batching import Batches, Calls, Function, Open, WrongResultError, at, gathered, verify
from benchmarks.peers._callers import StandingCallers, come, plain_futures


class Turns:
    """Batches of what one turn of the loop brings, with an error to be found."""

    def __init__(self, function: Function, *, size: int, error: str = "") -> None:
        self.function = function
        self.size = size
        self.error = error
        self.waiting: list[tuple[Any, asyncio.Future[Any]]] = []

    async def call(self, item: Any) -> Any:
        loop = asyncio.get_running_loop()
        if not self.waiting:
            loop.call_soon(self.resolve)
        future: asyncio.Future[Any] = loop.create_future()
        self.waiting.append((item, future))
        return await future

    def resolve(self) -> None:
        waiting, self.waiting = self.waiting, []
        for start in range(0, len(waiting), self.size):
            batch = waiting[start : start + self.size]
            found = list(self.function([item for item, _ in batch]))
            if self.error == "crossed":
                found.reverse()
            for result, (_, future) in zip(found, batch, strict=True):
                future.set_result(result)


def opened(error: str = "", cut: int = 0) -> Open:
    """Return a system that cuts its batches to another size, or has another error."""

    @asynccontextmanager
    async def open_(
        function: Function, *, size: int, wait: float | None = None, blocking: bool = False
    ) -> AsyncGenerator[Calls, None]:
        turns = Turns(function, size=cut or size, error=error)
        yield Calls(turns.call, gathered(turns.call))

    return open_


async def verified(system: Open) -> None:
    batches = Batches()
    async with system(batches, size=16) as calls:
        await verify(calls, batches, size=16, callers=64)


async def test_a_system_that_does_as_it_should_is_verified() -> None:
    """Own results in batches as large as they can be are what is wanted."""
    await verified(opened())


async def test_results_of_other_callers_are_noticed() -> None:
    """A system that hands out a batch's results in another order is not timed."""
    with pytest.raises(WrongResultError, match="caller 0 sent"):
        await verified(opened("crossed"))


async def test_batches_that_are_too_large_are_noticed() -> None:
    """A system that ignores its limit is not timed."""
    with pytest.raises(WrongResultError, match="a batch has 64 items, more than 16"):
        await verified(opened(cut=64))


async def test_batches_that_are_too_small_are_noticed() -> None:
    """A system that hardly batches is not timed."""
    with pytest.raises(WrongResultError, match="256 items took 128 batches, where 16 fit into one"):
        await verified(opened(cut=2))


def test_lost_items_are_noticed() -> None:
    """Fewer executed items than were sent is an error."""
    batches = Batches()
    batches([1, 2, 3])

    with pytest.raises(WrongResultError, match="4 items were sent, 3 executed"):
        batches.check(items=4, size=4, callers=4)


async def test_two_batches_at_once_are_noticed() -> None:
    """A model is one: what a system executes beside another batch of it is an error."""
    batches = Batches(lambda _: 0.05)

    with pytest.raises(WrongResultError, match="two batches at once"):
        await asyncio.gather(*[asyncio.to_thread(batches, [number]) for number in range(2)])


async def test_standing_callers_send_what_they_are_told_to() -> None:
    """Each caller sends so many items, again and again, in one turn of the loop with the others."""
    batches = Batches()
    turns = Turns(batches, size=100)
    callers = StandingCallers([turns.call] * 5)

    for rounds in (3, 0, 2):
        batches.forget()
        await callers.send(rounds)
        assert (batches.counter.seen, batches.number) == (5 * rounds, rounds)


async def test_what_a_standing_caller_raises_reaches_the_one_who_waits() -> None:
    """An error ends the sample at once; it is not waited for until the time is up."""

    async def fail(item: Any) -> None:
        raise LookupError(item)

    with pytest.raises(LookupError):
        await StandingCallers([fail, fail]).send(1)


async def test_callers_that_come_at_once_share_a_turn() -> None:
    """As many items as there are callers, in as many batches as there are rounds."""
    batches = Batches()

    await come(Turns(batches, size=100).call, rounds=3, callers=7)

    assert (batches.counter.seen, batches.number) == (21, 3)


async def test_plain_futures_of_one_turn_are_resolved_together() -> None:
    """None is done before the loop turns, and all are after it."""
    one = plain_futures()
    futures = [one(number) for number in range(3)]

    assert not any(future.done() for future in futures)
    await asyncio.sleep(0)
    assert all(future.done() for future in futures)


@pytest.mark.parametrize("round_of_all", [False, True])
async def test_standing_work_gives_each_item_once(*, round_of_all: bool) -> None:
    """What is executed is what the harness is told to expect, the check before it not among it."""
    work = _batching.standing(opened(), 8, round_of_all=round_of_all)

    await work.run(16)
    await work.bare(16)

    assert work.counter.seen == work.expected(16)


@pytest.mark.parametrize("make", [_batching.dispatch, _batching.lists])
async def test_waves_and_lists_give_each_item_once(make: Any) -> None:
    """What is executed is what the harness is told to expect."""
    work = make(opened(), 2)

    await work.run(256)

    assert work.counter.seen == work.expected(256)


def test_percentiles_are_values_that_were_seen() -> None:
    """The median of an odd number is its middle, and the last hundredth begins with the largest of a hundred."""
    assert at([3.0, 1.0, 2.0], 50) == 2.0
    assert at([float(number) for number in range(100)], 99) == 99.0
    assert at([5.0], 99) == 5.0


def test_every_case_of_serving_is_answered() -> None:
    """This project answers all of them, and no name is taken twice."""
    assert {case.name for case in serving.CASES} <= set(read_systems()["sideband"].cases)
    assert all(CASES[case.name] is case for case in serving.CASES)
