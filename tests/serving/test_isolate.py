from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sideband.serving import Batch, Serving
from sideband.serving._isolate import halves
from sideband.testing import VirtualLoop

from .helpers import Poisoned, PoisonError, rest, turns, virtual

# -- which halves: pure ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """A range of one caller's items, as `halves` knows it."""

    caller: int
    start: int
    size: int
    gone: bool = False

    def staying(self) -> Piece | None:
        return None if self.gone else self

    def piece(self, start: int, count: int, arrived: float) -> Piece:
        return Piece(self.caller, self.start + start, count, self.gone)


def items_of(parts: list[Piece]) -> list[tuple[int, int]]:
    """Return the single items of some parts."""
    return [(part.caller, part.start + place) for part in parts for place in range(part.size)]


parts = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=9).map(
    lambda sizes: [Piece(caller, 0, size, gone) for caller, (size, gone) in enumerate(sizes)]
)


@given(parts)
def test_halves_hold_each_item_that_is_waited_for_once_and_in_order(given: list[Piece]) -> None:
    """Nothing is lost, doubled or moved, nobody's items are executed for nothing, and the halves are even."""
    divided = halves(given, 0.0)

    assert [item for half in divided for item in items_of(half)] == items_of([p for p in given if not p.gone])
    assert all(part.size for half in divided for part in half)
    sizes = [len(items_of(half)) for half in divided]
    assert len(sizes) <= 2
    assert all(sizes)
    assert len(sizes) < 2 or sizes[0] - sizes[1] in {0, 1}


@given(parts, st.data())
def test_dividing_ends_after_as_many_steps_as_the_logarithm(given: list[Piece], data: st.DataObject) -> None:
    """An item in a batch of n is executed at most 1 + ceil(log2 n) times, a batch makes at most 2 n - 1."""
    given = [Piece(part.caller, 0, part.size) for part in given]
    everything = items_of(given)
    poison = set(data.draw(st.lists(st.sampled_from(everything))))
    executed: Counter[tuple[int, int]] = Counter()
    failed: list[tuple[int, int]] = []
    executions, waiting = 0, [given]
    while waiting:
        batch = waiting.pop(0)
        executions += 1
        executed.update(items_of(batch))
        if not poison & set(items_of(batch)):
            continue
        if len(items_of(batch)) == 1:
            failed += items_of(batch)
        else:
            waiting += halves(batch, 0.0)

    assert set(failed) == poison
    assert max(executed.values()) <= 1 + math.ceil(math.log2(len(everything)))
    assert executions <= 2 * len(everything) - 1


# -- any mix of callers, in virtual time -----------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """Callers with their lists, the poisoned items, who gives up when, and how the serving is made."""

    sizes: list[int]
    poison: frozenset[tuple[int, int]]
    gives_up: dict[int, int]
    whole: frozenset[int]
    """Callers who want exceptions as results."""
    batch_size: int
    partitions: int
    kind: str
    hooks: bool


plans = st.builds(
    Plan,
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    poison=st.frozensets(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=6),
    gives_up=st.dictionaries(st.integers(0, 5), st.integers(0, 12), max_size=2),
    whole=st.frozensets(st.integers(0, 5)),
    batch_size=st.integers(1, 16),
    partitions=st.integers(1, 3),
    kind=st.sampled_from(["inline", "coroutine"]),
    hooks=st.booleans(),
)


async def execute(plan: Plan) -> None:
    """Run a plan, and check each caller's answers and how often each item was executed."""
    model = Poisoned(*plan.poison)

    async def asynchronous(batch: Batch[Any]) -> list[Any]:
        await rest(0.01)
        return model(batch)

    served: Callable[[Any], Any] = asynchronous if plan.kind == "coroutine" else model
    serving: Serving[Any, Any] = Serving(
        served,
        batch_size=plan.batch_size,
        partitions=plan.partitions,
        isolate_errors=True,
        hooks=("progress",) if plan.hooks else (),
        executor="inline" if plan.kind == "inline" else "thread",
    )

    async def caller(number: int, size: int) -> None:
        values = [(number, place) for place in range(size)]
        bad = plan.poison & set(values)
        task = asyncio.create_task(serving.dispatch_many(values, return_exceptions=number in plan.whole))
        if number in plan.gives_up:
            await turns(plan.gives_up[number])
            task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            assert number in plan.gives_up
        elif error := task.exception():
            assert isinstance(error, PoisonError)
            assert error.args[0] in bad
            assert number not in plan.whole
        else:
            for value, result in zip(values, task.result(), strict=True):
                assert result == ("result", value) or (value in bad and result.args == (value,))
            assert not bad or number in plan.whole

    async with serving:
        await asyncio.gather(*[caller(number, size) for number, size in enumerate(plan.sizes)])
    stats = serving.stats()
    assert (stats.waiting, stats.executing) == (0, 0)
    bound = 1 + math.ceil(math.log2(plan.batch_size))
    assert max(model.executed.values(), default=0) <= bound


@given(plans)
def test_whoever_is_not_poisoned_is_answered_as_if_alone(plan: Plan) -> None:
    """For any callers, poison, partitions and cancellations; and no item is executed more often than promised."""

    async def program(_loop: VirtualLoop) -> None:
        await execute(plan)

    virtual(program)
