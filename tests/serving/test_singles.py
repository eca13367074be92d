"""Callers with one item each who come together: who stays, who goes, who is executed first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.serving import Batch, Serving
from sideband.serving._parts import Singles
from sideband.testing import VirtualLoop

from .helpers import PATIENCE, Gate, Log, Poisoned, PoisonError, gathered, identity, in_thread, turns, virtual

# -- the part --------------------------------------------------------------------------------------


class Known:
    """Items of a part, and what is known of each: its place, its cost, and whether it waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, costs: list[float], *, costly: bool) -> None:
        self.futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in costs]
        self.costs = costs if costly else [0.0] * len(costs)
        values, given = list(range(len(costs))), costs[:] if costly else []
        self.part = Singles(0.0, values, self.futures[:], given, "key", 3)
        self.part.waiting = True
        self.waiting = values[:]
        self.taken: list[Singles] = []
        self.executed: list[int] = []

    def check(self) -> None:
        """The part is what waits."""
        assert self.part.size == len(self.waiting)
        assert self.part.cost == sum(self.costs[place] for place in self.waiting)
        assert [place for place in range(len(self.costs)) if self.part.holds(place)] == self.waiting

    def leave(self, place: int) -> None:
        """Let somebody go who waits."""
        place = self.waiting.pop(place % len(self.waiting))
        self.futures[place].cancel()
        assert self.part.leave(place) == self.costs[place]

    def split(self, count: int) -> None:
        """Execute the first of those who wait."""
        count = 1 + count % (len(self.waiting) - 1)
        first = self.part.split(count)
        assert (first.size, first.arrived, first.key, first.priority) == (count, 0.0, "key", 3)
        assert first.cost == sum(self.costs[place] for place in self.waiting[:count])
        self.executed += self.waiting[:count]
        del self.waiting[:count]
        self.taken.append(first)

    def fit(self, room: int) -> None:
        """Count those who fit into a batch."""
        used, count = 1.0, 0
        for place in self.waiting[:room]:
            used += self.costs[place]
            if used > 6.0:
                break
            count += 1
        assert self.part.fitting(room, 1.0, 6.0) == count


class _Results:
    """An execution whose results may be exceptions."""

    exceptional = True


@given(
    st.lists(st.sampled_from([0.0, 1.0, 3.0]), min_size=2, max_size=12),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(["leave", "split", "fit"]), st.integers(0, 20)), max_size=12),
)
def test_an_item_keeps_its_place_whoever_goes(
    costs: list[float], costly: bool, steps: list[tuple[str, int]]
) -> None:
    """In any order of leaving and executing, each caller who stays gets its own result, and nobody else one."""
    loop = asyncio.new_event_loop()
    known = Known(loop, costs, costly=costly)
    for step, number in steps:
        if len(known.waiting) > 1:
            getattr(known, step)(number)
        known.check()
    stayed = known.executed + known.waiting

    known.part.waiting = False
    for part in [*known.taken, known.part]:
        part.done(_Results(), [("result", value) for value in part.items()])  # type: ignore[arg-type]
    loop.close()
    done = [place for place, future in enumerate(known.futures) if not future.cancelled()]
    assert done == sorted(stayed)
    assert [known.futures[place].result() for place in stayed] == [("result", place) for place in stayed]


# -- their order -----------------------------------------------------------------------------------


async def test_they_keep_their_order_among_lists() -> None:
    """Who comes after a list in the same turn of the loop does not get in front of it."""
    log = Log()
    async with Serving(log, batch_size=16) as serving:
        calls = [serving.dispatch(0), serving.dispatch_many([1, 2]), serving.dispatch(3), serving.dispatch(4)]

        await asyncio.gather(*calls)

    assert log.batches == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("urgent", [0, 1])
@pytest.mark.parametrize("options", [{}, {"key": lambda _number: "same"}, {"cost": float, "max_cost": 4}])
@pytest.mark.parametrize(("ageing", "in_front"), [(0.0, False), (1.0, True)])
async def test_priority_counts_as_ageing_says(
    ageing: float, in_front: bool, options: dict[str, Any], urgent: int
) -> None:
    """An urgent item goes in front of those that came with it, unless a step counts as no time at all."""
    log = Log()
    async with Serving(log, batch_size=4, ageing=ageing, **options) as serving:
        numbers = [*range(6)]
        await asyncio.gather(*[serving.dispatch(n, priority=int(n % 2 == urgent)) for n in numbers])

    order = sorted(numbers, key=lambda n: n % 2 != urgent) if in_front else numbers
    assert [number for batch in log.batches for number in batch] == order


def test_those_of_a_later_turn_have_waited_less() -> None:
    """While all partitions are busy, each waits since it came."""

    async def program(loop: VirtualLoop) -> float:
        gate = Gate()
        async with Serving(gate, batch_size=8) as serving:
            calls = [asyncio.create_task(serving.dispatch(0))]
            await turns()
            for number in (1, 2):
                calls.append(asyncio.create_task(serving.dispatch(number)))
                await asyncio.wait([loop.create_future()], timeout=1.0)
            await gate.open_all()
            await asyncio.wait(calls)
            assert gate.batches == [[0], [1, 2]]
            return serving.stats().mean_queue_time

    assert virtual(program) == pytest.approx((0.0 + 2.0 + 1.0) / 3)


# -- those who go ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"key": str.lower, "cost": len}], ids=["plain", "graded"])
async def test_who_goes_makes_room_at_once(options: dict[str, Any]) -> None:
    """Of those who came together one may go: the others are executed, and somebody else gets its place."""
    gate = Gate()
    async with Serving(gate, batch_size=8, max_queue=3, **options) as serving:
        first = asyncio.create_task(serving.dispatch("a"))
        await turns()
        calls = [asyncio.create_task(serving.dispatch("a" * number)) for number in (2, 3, 4)]
        await turns()
        calls[1].cancel()
        await turns()
        assert (serving.stats().waiting, serving.stats().withdrawn) == (2, 1)

        calls.append(asyncio.create_task(serving.dispatch("A")))
        await gate.open_all()

        assert calls[1].cancelled()
        assert [await call for call in (first, calls[0], *calls[2:])] == ["a", "aa", "aaaa", "A"]
    assert sorted(item for batch in gate.batches for item in batch) == ["A", "a", "aa", "aaaa"]


async def test_who_goes_while_it_is_executed_takes_nobody_with_it() -> None:
    """Of those who came together some are executed, and their leaving changes nothing for those who wait."""
    gate = Gate()
    async with Serving(gate, batch_size=2) as serving:
        calls = [asyncio.create_task(serving.dispatch(number)) for number in range(5)]
        await turns()
        calls[0].cancel()
        calls[3].cancel()
        await turns()
        assert (serving.stats().waiting, serving.stats().withdrawn) == (2, 1)

        await gate.open_all()
        ends = await asyncio.gather(*calls, return_exceptions=True)

    assert gate.batches == [[0, 1], [2, 4]]
    assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == [1, 2, 4]


async def test_nobody_is_executed_after_all_have_gone() -> None:
    """The last who goes takes the part with it, and who comes in the same turn of the loop waits in another."""
    gate = Gate()
    async with Serving(gate, batch_size=8) as serving:
        first = asyncio.create_task(serving.dispatch(0))
        await turns()
        calls = [asyncio.create_task(serving.dispatch(number)) for number in (1, 2)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        later = asyncio.create_task(serving.dispatch(3))
        await turns()
        await gate.open_all()

        assert (await first, await later) == (0, 3)
    assert gate.batches == [[0], [3]]


async def test_a_failed_batch_is_divided_among_those_who_stay() -> None:
    """Who has gone while it was executed is left out of the halves."""
    poisoned = Poisoned(2)
    gate = Gate(poisoned)
    async with Serving(gate, batch_size=4, isolate_errors=True) as serving:
        calls = [asyncio.create_task(serving.dispatch(number)) for number in range(4)]
        await turns()
        calls[1].cancel()
        await gate.open_all()
        ends = await asyncio.gather(*calls, return_exceptions=True)

    assert poisoned.batches[1:] == [[0, 2], [3], [0], [2]]
    assert [ends[0], ends[3]] == [("result", 0), ("result", 3)]
    assert isinstance(ends[2], PoisonError)


# -- whose loop it is ------------------------------------------------------------------------------


def test_another_loop_of_the_same_thread_is_another_loop() -> None:
    """A call on it is handed over, and executed when the serving's own loop runs again."""
    log = Log()
    serving: Serving[int, int] = Serving(log)
    with asyncio.Runner() as home:
        home.run(serving.start())
        with asyncio.Runner() as other:

            async def impatient() -> None:
                async with asyncio.timeout(0.01):
                    await serving.dispatch(1)

            with pytest.raises(TimeoutError):
                other.run(impatient())

        assert home.run(serving.dispatch(2)) == 2
        home.run(serving.aclose())
    assert log.batches == [[2]]


def test_a_loop_that_goes_on_in_another_thread_is_still_another_loop() -> None:
    """A loop may be made ready in one thread and run in another; calls on a loop of the first are handed over."""
    home = asyncio.new_event_loop()
    serving: Serving[int, int] = Serving(identity)
    home.run_until_complete(serving.start())
    join = in_thread(home.run_forever)
    try:
        with asyncio.Runner() as other:
            assert [other.run(serving.dispatch(number)) for number in range(3)] == [0, 1, 2]
    finally:
        asyncio.run_coroutine_threadsafe(serving.aclose(), home).result(PATIENCE)
        home.call_soon_threadsafe(home.stop)
        join()
        home.close()


async def test_the_batch_is_the_model_s_to_change() -> None:
    """A batch function may change its list of items: halves of a failed batch have the items as they came."""
    seen: list[list[int]] = []

    def spoil(batch: Batch[int]) -> list[int]:
        seen.append(batch.values[:])
        batch.values[:] = [0] * len(batch.values)
        if len(seen) == 1:
            raise PoisonError
        return seen[-1]

    async with Serving(spoil, batch_size=2, isolate_errors=True) as serving:
        assert await gathered(serving, [1, 2]) == [1, 2]

    assert seen == [[1, 2], [1], [2]]
