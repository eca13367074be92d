"""Keys, costs and priorities of a started serving."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sideband.errors import OversizedItemError, ServingClosedError
from sideband.serving import Batch, Serving
from sideband.testing import VirtualLoop

from .helpers import Gate, Log, gathered, identity, in_thread, rest, turns, virtual, watched


def length(text: str) -> int:
    """Tell what a text costs."""
    return len(text)


async def test_items_of_different_keys_are_never_in_one_batch() -> None:
    """Each key has its batches; a list of many keys has its results in its own order. Decision 11."""
    log = Log()
    async with Serving(log, batch_size=4, key=lambda item: item % 3) as serving:
        results = await serving.dispatch_many(range(12))

    assert results == list(range(12))
    assert sorted(log.batches) == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


async def test_a_key_is_asked_of_what_the_model_gets() -> None:
    """After `map_inputs`; the same for the cost."""
    log = Log()
    async with Serving(
        log, map_inputs=lambda texts: [text.strip() for text in texts], key=length, cost=length, max_cost=4
    ) as serving:
        await asyncio.gather(serving.dispatch("  a"), serving.dispatch_many(["b ", "cc", "dd", "ee"]))

    assert sorted(log.batches) == [["a", "b"], ["cc", "dd"], ["ee"]]


async def test_a_flood_of_one_key_starves_no_other() -> None:
    """Keys take turns: an item of another key waits for the batch that runs and one more, not for all."""
    gate = Gate()
    async with Serving(gate, batch_size=2, key=lambda item: item[0]) as serving:
        flood = asyncio.create_task(serving.dispatch_many([("a", number) for number in range(10)]))
        await turns()
        other = asyncio.create_task(serving.dispatch(("b", 0)))
        await turns()
        await gate.open_all()
        await asyncio.gather(flood, other)

    assert [batch[0][0] for batch in gate.batches] == ["a", "a", "b", "a", "a", "a"]


async def test_a_key_that_does_not_wait_any_more_is_forgotten() -> None:
    """A server that sees new keys for ever keeps none of them."""
    async with Serving(identity, executor="inline", key=lambda item: item) as serving:
        for start in range(0, 100, 20):
            await gathered(serving, range(start, start + 20))
        engine = serving._host.engine
        assert engine is not None
        queue: Any = engine._queue

        assert (queue.keys, queue.due()) == (0, None)


async def test_a_batch_never_costs_more_than_max_cost() -> None:
    """It is cut where the next item would exceed it, and executed at once when it is reached. Decision 11."""
    log = Log()
    async with Serving(log, batch_size=100, batch_timeout=60, cost=length, max_cost=6) as serving:
        texts = ["aaa", "bb", "c", "dddd", "eee", "ff", "g"]
        assert await serving.dispatch_many(texts) == texts

    assert log.batches == [["aaa", "bb", "c"], ["dddd"], ["eee", "ff", "g"]]


@pytest.mark.parametrize("how", ["list", "one by one"])
async def test_an_item_dearer_than_a_batch_may_be_runs_alone(how: str) -> None:
    """That is the default; no other item shares its batch, not even one that costs nothing."""
    log = Log()
    texts = ["a", "much too long", "", "b"]
    async with Serving(log, cost=length, max_cost=4) as serving:
        if how == "list":
            assert await serving.dispatch_many(texts) == texts
        else:
            assert await gathered(serving, texts) == texts

    assert log.batches == [["a"], ["much too long"], ["", "b"]]


async def test_an_item_dearer_than_a_batch_may_be_is_refused_by_choice() -> None:
    """The error names both costs, and nothing of the call is executed."""
    log = Log()
    async with Serving(log, cost=length, max_cost=4, oversized="refuse") as serving:
        with pytest.raises(OversizedItemError, match="costs 13, more than max_cost=4") as caught:
            await serving.dispatch("much too long")
        with pytest.raises(OversizedItemError):
            await serving.dispatch_many(["a", "much too long"])
        assert await serving.dispatch("b") == "b"

    assert (caught.value.cost, caught.value.max_cost, caught.value.serving) == (13, 4, serving.name)
    assert isinstance(caught.value, ValueError)
    assert log.batches == [["b"]]


async def test_with_hooks_a_call_is_split_only_where_it_does_not_fit() -> None:
    """Statements 48 and 49, for costs as for sizes: parts stay whole, larger ones are cut from their start."""
    log = Log()
    async with Serving(log, batch_size=3, cost=length, max_cost=6, hooks=("progress",)) as serving:
        await asyncio.gather(
            serving.dispatch_many(["aa", "aa"]),
            serving.dispatch_many(["bb", "bb"]),
            serving.dispatch_many(["cccc", "ccc", "c"]),
            serving.dispatch_many(["d", "d", "d", "d", "d"]),
        )

    assert log.batches == [["aa", "aa"], ["bb", "bb"], ["cccc"], ["ccc", "c"], ["d", "d", "d"], ["d", "d"]]


async def test_an_urgent_item_goes_first_and_equal_ones_keep_their_order() -> None:
    """A greater priority goes first; less than 0 goes last. Decision 11."""
    gate = Gate()
    async with Serving(gate, batch_size=3) as serving:
        first = asyncio.create_task(serving.dispatch("x"))
        await turns()
        calls = [
            asyncio.create_task(serving.dispatch(name, priority=priority))
            for name, priority in [("a", 0), ("b", -1), ("c", 5), ("d", 0), ("e", 5)]
        ]
        many = asyncio.create_task(serving.dispatch_many(["f", "g"], priority=1))
        await turns()
        await gate.open_all()
        await asyncio.gather(first, many, *calls)

    assert gate.batches == [["x"], ["c", "e", "f"], ["g", "a", "d"], ["b"]]


def test_urgent_items_overtake_only_who_came_shortly_before() -> None:
    """One of n steps more passes those that came less than n times `ageing` seconds before it, and nobody else."""

    async def program(_loop: VirtualLoop) -> None:
        gate = Gate()
        async with Serving(gate, batch_size=1, ageing=10.0) as serving:
            calls = [asyncio.create_task(serving.dispatch("busy"))]
            for name, priority, pause in [("old", 0, 20.0), ("new", 0, 15.0), ("urgent", 2, 1.0)]:
                await turns()
                calls.append(asyncio.create_task(serving.dispatch(name, priority=priority)))
                await rest(pause)
            await gate.open_all()
            await asyncio.gather(*calls)

        assert gate.batches == [["busy"], ["old"], ["urgent"], ["new"]]

    virtual(program)


def test_nobody_starves_under_an_endless_flood_of_urgent_items() -> None:
    """An item waits for those of one step more that come within `ageing` seconds, then it has its turn."""

    async def program(loop: VirtualLoop) -> None:
        async def slow(batch: Batch[str]) -> list[str]:
            await rest(1.0)
            return list(batch)

        async def flood(serving: Serving[str, str]) -> None:
            for _ in range(60):
                urgent.append(asyncio.create_task(serving.dispatch("urgent", priority=1)))
                await rest(0.5)

        urgent: list[asyncio.Task[str]] = []
        async with Serving(slow, batch_size=1, ageing=5.0) as serving:
            flooding = asyncio.create_task(flood(serving))
            await rest(3.0)
            await serving.dispatch("patient")
            assert loop.time() < 3.0 + 2 * 5.0 + 5.0  # twice as many come in that time as can be executed
            flooding.cancel()
            await asyncio.wait([flooding])
            await serving.aclose(drain=False)
            await asyncio.wait(urgent)
            assert {type(task.exception()) for task in urgent} == {type(None), ServingClosedError}

    virtual(program)


@pytest.mark.parametrize(
    ("priority", "error", "message"),
    [
        (1.5, TypeError, "priority must be a whole number, got 1.5"),
        (True, TypeError, "priority must be a whole number, got True"),
        ("high", TypeError, "priority must be a whole number, got 'high'"),
        (10**7, ValueError, "priority must be between -1000000 and 1000000, got 10000000"),
    ],
)
async def test_a_priority_that_is_none_is_refused(
    priority: Any, error: type[Exception], message: str
) -> None:
    """Whichever way it is given."""
    async with Serving(identity) as serving:
        with pytest.raises(error, match=message):
            await serving.dispatch(1, priority=priority)
        with pytest.raises(error, match=message):
            await serving.dispatch_many([1], priority=priority)
        with pytest.raises(error, match=message):
            serving.stream_many([1], priority=priority)


async def test_a_share_is_by_cost() -> None:
    """Where costs are known; shares of a batch add up to 1."""
    async with Serving(identity, batch_size=4, executor="inline", cost=length) as serving:
        with watched() as recorder:
            await asyncio.gather(serving.dispatch_many(["a", "bbbb"]), serving.dispatch_many(["ccc"]))
            await serving.dispatch_many(["", ""])

    assert [run.attributes["share"] for run in recorder.runs()] == [5 / 8, 3 / 8, 1.0]


def fails(item: Any) -> Any:
    """Raise for some items."""
    if item == "bad":
        raise LookupError(item)
    return len(item)


async def gathered_calls(*calls: Any) -> list[Any]:
    """Return what each call gives or raises."""
    return await asyncio.gather(*calls, return_exceptions=True)


WRONG = [
    ({"key": fails}, LookupError, "bad"),
    ({"cost": fails}, LookupError, "bad"),
    (
        {"key": lambda item: [] if item == "bad" else 1},
        TypeError,
        r"key must give something hashable, got \[\]",
    ),
    (
        {"cost": lambda item: -1 if item == "bad" else 1},
        ValueError,
        "must give a finite number, not negative, got -1",
    ),
    ({"cost": lambda item: float("nan") if item == "bad" else 1}, ValueError, "must give a finite number"),
    ({"cost": lambda item: float("inf") if item == "bad" else 1}, ValueError, "must give a finite number"),
    ({"cost": lambda item: "3" if item == "bad" else 1}, TypeError, "cost must give a number, got '3'"),
    ({"cost": lambda item: True if item == "bad" else 1}, TypeError, "cost must give a number, got True"),
    ({"map_inputs": lambda items: [fails(item) and item for item in items]}, LookupError, "bad"),
    ({"map_results": lambda results: [fails(result) and result for result in results]}, LookupError, "bad"),
]


@pytest.mark.parametrize(
    "how", ["dispatch", "dispatch_many", "stream_many", "dispatch_sync", "stream_many_sync"]
)
@pytest.mark.parametrize(("options", "error", "message"), WRONG)
async def test_an_error_of_a_function_of_the_caller_fails_that_caller_alone(
    how: str, options: Any, error: type[Exception], message: str
) -> None:
    """`key`, `cost`, `map_inputs`, `map_results` are executed in the caller; others in the batch get their results."""
    log = Log()
    async with Serving(log, **options) as serving:

        async def call(item: str) -> Any:
            match how:
                case "dispatch":
                    return await serving.dispatch(item)
                case "dispatch_many":
                    return (await serving.dispatch_many([item]))[0]
                case "stream_many":
                    [event] = [event async for event in serving.stream_many([item])]
                    return event.output[0]  # type: ignore[union-attr]
                case "dispatch_sync":
                    return await asyncio.to_thread(serving.dispatch_sync, item)
                case _:
                    [event] = await asyncio.to_thread(lambda: list(serving.stream_many_sync([item])))
                    return event.output[0]  # type: ignore[union-attr]

        good, bad, other = await gathered_calls(call("good"), call("bad"), call("fine"))
        assert (good, other) == ("good", "fine")
        assert type(bad) is error
        with pytest.raises(error, match=message):
            await call("bad")

    assert serving.stats().waiting == 0


async def test_an_error_of_a_key_that_cannot_be_compared_reaches_its_caller() -> None:
    """It is raised on the serving's loop, and goes to the thread whose key it is; the server goes on."""

    class Odd:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            raise LookupError("never the same")

    gate = Gate()
    async with Serving(gate, key=lambda item: Odd() if item == "odd" else 1) as serving:
        first = asyncio.create_task(serving.dispatch("x"))
        await turns()
        waiting = asyncio.create_task(serving.dispatch("y"))
        await turns()
        odd = in_thread(lambda: serving.dispatch_sync("odd"))
        with pytest.raises(LookupError, match="never the same"):
            await asyncio.to_thread(odd)
        await gate.open_all()
        assert [await first, await waiting] == ["x", "y"]


async def test_inline_batches_are_of_one_key_and_within_the_cost() -> None:
    """As those of a server, in the caller; an error of the key is raised before anything is executed."""
    log = Log()
    serving = Serving(log, batch_size=3, key=lambda item: item % 2, cost=lambda item: item, max_cost=8)
    assert await serving.inline_many(range(8)) == list(range(8))
    assert await serving.inline(9) == 9
    assert sorted(log.batches) == [[0, 2, 4], [1, 3], [5], [6], [7], [9]]

    with pytest.raises(TypeError):
        await serving.inline_many([1, "text"])
    assert len(log.batches) == 6


async def test_numbers_of_other_libraries_are_costs() -> None:
    """Whatever counts as a real number."""
    from fractions import Fraction

    half: Any = lambda item: Fraction(item, 2)  # noqa: E731
    log = Log()
    async with Serving(log, cost=half, max_cost=2) as serving:
        await serving.dispatch_many([1, 1, 2, 2])

    assert log.batches == [[1, 1, 2], [2]]
