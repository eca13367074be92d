from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import callbacks
from sideband.components import Usage
from sideband.errors import LengthMismatchError
from sideband.serving import Batch, Serving
from sideband.serving._shares import divided, summed, total
from sideband.testing import Recorder, VirtualLoop, check_lifecycle

from .helpers import PoisonError, double, rest, virtual, watched

counts = st.integers(0, 10_000)
usages = st.builds(
    Usage,
    input_tokens=counts,
    output_tokens=counts,
    total_tokens=st.just(0) | st.integers(30_000, 40_000),
    cached_tokens=counts,
    reasoning_tokens=counts,
    cost=st.none() | st.floats(0, 1e6),
    details=st.dictionaries(st.sampled_from(["cache_writes", "audio"]), counts, max_size=2),
)
weights = st.lists(st.tuples(st.integers(1, 9), st.floats(0, 100)), min_size=1, max_size=9)


def assert_equal(one: Usage | None, other: Usage) -> None:
    """Assert that two usages are equal: whole numbers exactly, others within rounding."""
    assert one is not None
    for field in fields(Usage):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(right, float):
            assert math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
        else:
            assert left == right or (not left and not right)


@given(usages, weights)
def test_the_parts_of_a_usage_add_up_to_the_whole(usage: Usage, weights: list[tuple[int, float]]) -> None:
    """Tokens exactly, cost within rounding; and no part is a token or more away from its exact share."""
    parts = divided(usage, weights)

    assert_equal(summed(parts), usage)
    measures = (
        [cost for _, cost in weights] if any(cost for _, cost in weights) else [size for size, _ in weights]
    )
    for part, measure in zip(parts, measures, strict=True):
        assert part.total_tokens >= part.input_tokens + part.output_tokens
        exact = usage.input_tokens * measure / sum(measures)
        assert abs(part.input_tokens - exact) < 1.01


@given(st.lists(usages, min_size=1, max_size=12), st.data())
def test_a_usage_of_each_item_is_not_divided(usages: list[Usage], data: st.DataObject) -> None:
    """A part has exactly the sum of its own items', and nothing of others'."""
    sizes: list[int] = []
    while sum(sizes) < len(usages):
        sizes.append(data.draw(st.integers(1, len(usages) - sum(sizes))))
    parts = divided(usages, [(size, 1.0) for size in sizes])

    begin = 0
    for part, size in zip(parts, sizes, strict=True):
        expected = summed(usages[begin : begin + size])
        assert expected is not None
        assert_equal(part, expected)
        begin += size
    assert_equal(summed(parts), total(usages) or Usage())


# -- whole servings, in virtual time -----------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """Callers with their lists, and how the serving is made and told."""

    sizes: list[int]
    singles: int
    batch_size: int
    partitions: int
    kind: str
    told: str
    costs: bool
    poison: frozenset[tuple[int, int]]
    isolate: bool


plans = st.builds(
    Plan,
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    singles=st.integers(0, 4),
    batch_size=st.integers(1, 8),
    partitions=st.integers(1, 3),
    kind=st.sampled_from(["inline", "coroutine"]),
    told=st.sampled_from(["nothing", "whole", "items"]),
    costs=st.booleans(),
    poison=st.frozensets(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=3),
    isolate=st.booleans(),
)


def usage_of(item: tuple[int, int]) -> Usage:
    """Return what one item consumes: each something else."""
    caller, place = item
    return Usage(input_tokens=1 + 7 * caller + place, output_tokens=place, cost=0.1 * (1 + caller))


class Model:
    """Tells what it consumed, and fails where the plan says so."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.consumed: list[Usage] = []

    def __call__(self, batch: Batch[tuple[int, int]]) -> list[Any]:
        each = [usage_of(item) for item in batch]
        if self.plan.told == "whole":
            batch.usage = summed(each)
        elif self.plan.told == "items":
            batch.usage = each
        self.consumed += each
        if self.plan.poison & set(batch):
            raise PoisonError
        return list(batch)

    async def asynchronous(self, batch: Batch[tuple[int, int]]) -> list[Any]:
        await rest(0.01)
        return self(batch)


async def execute(plan: Plan) -> None:
    """Run a plan, and compare what the callers were charged for with what the batches took."""
    model, batches, recorder = Model(plan), Recorder(), Recorder()
    serving: Serving[Any, Any] = Serving(
        model.asynchronous if plan.kind == "coroutine" else model,
        batch_size=plan.batch_size,
        partitions=plan.partitions,
        isolate_errors=plan.isolate,
        cost=(lambda item: 1.0 + item[1]) if plan.costs else None,
        executor="inline" if plan.kind == "inline" else "thread",
        callbacks=[batches],
    )
    async with serving:
        with callbacks(recorder):
            many = [
                serving.dispatch_many([(caller, place) for place in range(size)], return_exceptions=True)
                for caller, size in enumerate(plan.sizes)
            ]
            single = [serving.dispatch((9, place)) for place in range(plan.singles)]
            await asyncio.gather(*many, *single, return_exceptions=True)
    check_lifecycle(batches)
    calls, executed = recorder.runs(), batches.runs()
    assert math.isclose(sum(run.attributes["share"] for run in calls), len(executed))
    whole = sum(run.attributes["execute_time"] for run in executed)
    assert math.isclose(sum(run.attributes["execute_share"] for run in calls), whole)
    assert sum(run.attributes["items"] for run in calls) == sum(plan.sizes) + plan.singles
    if plan.told == "nothing":
        assert {run.usage for run in calls} == {None}
        return
    consumed = summed(model.consumed)
    assert consumed is not None
    assert_equal(summed(run.usage for run in calls), consumed)
    assert_equal(summed(run.usage for run in executed), consumed)
    if plan.told == "items" and not plan.poison:
        for run in calls:
            values = run.input if isinstance(run.input, list) else [run.input]
            assert_equal(run.usage, summed(map(usage_of, values)) or Usage())


@given(plans)
def test_what_callers_are_charged_for_adds_up_to_what_batches_took(plan: Plan) -> None:
    """Time, tokens and cost, for any callers, partitions and failures, shared by cost or by number."""

    async def program(_loop: VirtualLoop) -> None:
        await execute(plan)

    virtual(program)


# -- how a model tells -------------------------------------------------------------------------------


async def test_a_usage_of_the_whole_batch_is_shared() -> None:
    """Three items of four pay three quarters; unwatched callers have their parts, too, which nobody sees."""

    def model(batch: Batch[str]) -> list[str]:
        batch.usage = Usage(input_tokens=100, cost=1.0)
        return list(batch)

    batches = Recorder()
    async with Serving(model, batch_size=4, callbacks=[batches]) as serving:
        unwatched = asyncio.create_task(serving.dispatch("d"))
        await asyncio.sleep(0)
        with watched() as recorder:
            await serving.dispatch_many(["a", "b", "c"])
        await unwatched

    assert serving.stats().batches == 1
    assert recorder.run().usage == Usage(input_tokens=75, cost=0.75)
    assert batches.run().usage == Usage(input_tokens=100, cost=1.0)


async def test_a_failed_batch_was_paid_for_all_the_same() -> None:
    """What the model told before it failed is charged."""

    def model(batch: Batch[str]) -> list[str]:
        batch.usage = Usage(input_tokens=10)
        raise PoisonError

    async with Serving(model) as serving:
        with watched() as recorder, pytest.raises(PoisonError):
            await serving.dispatch_many(["a", "b"])

    assert recorder.run().usage == Usage(input_tokens=10)


@pytest.mark.parametrize("how", ["stream", "inline", "thread"])
async def test_every_way_to_call_is_charged(how: str) -> None:
    """Streams, inline calls, calls of other threads."""

    def model(batch: Batch[str]) -> list[str]:
        batch.usage = [Usage(input_tokens=len(text)) for text in batch]
        return list(batch)

    texts = ["a", "bb", "ccc"]
    async with Serving(model, batch_size=2) as serving:
        with watched() as recorder:
            if how == "stream":
                async for _ in serving.stream_many(texts):
                    pass
            elif how == "inline":
                await serving.inline_many(texts)
            else:
                await asyncio.to_thread(serving.dispatch_many_sync, texts)

    assert recorder.run().usage == Usage(input_tokens=6)


@pytest.mark.parametrize(
    ("usage", "error", "message"),
    [
        ([Usage()], LengthMismatchError, "the usage of a batch.*expected 2, got 1"),
        (3, TypeError, "the usage of a batch, unless one Usage for all of it, must be a sequence"),
        ([1, 2], TypeError, "the usage of an item must be a Usage, got 1"),
    ],
)
def test_a_wrong_usage_is_refused_where_it_is_told(usage: Any, error: type[Exception], message: str) -> None:
    """The error says what is wrong; what was told before stays."""
    batch = Batch(["a", "b"], serving="s")
    batch.usage = Usage(input_tokens=1)
    with pytest.raises(error, match=message):
        batch.usage = usage

    assert batch.usage == Usage(input_tokens=1)
    batch.usage = None
    assert batch.usage is None


async def test_a_batch_tells_how_full_it_is_and_whose_its_items_are() -> None:
    """The counts go with its links, and the limit is the one in force."""
    batches = Recorder()
    async with Serving(double, batch_size=8, callbacks=[batches]) as serving:
        serving.configure(batch_size=6)
        with watched() as callers:
            await asyncio.gather(serving.dispatch_many([1, 2, 3]), serving.dispatch(4))

    batch = batches.run()
    many, one = callers.runs(component="Serving")
    assert batch.links == (many.link(), one.link())
    assert batch.attributes["items"] == (3, 1)
    assert (batch.attributes["batch_size"], batch.attributes["max_batch_size"]) == (4, 6)
