from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from sideband import Abort, Handler, Run, callbacks
from sideband.errors import LengthMismatchError, ServingClosedError, ServingError
from sideband.runs import Outcome
from sideband.serving import Batch, BatchOutput, HookEvent, Serving
from sideband.testing import Recorder, check_lifecycle

from .helpers import Gate, Poisoned, PoisonError, gathered, turns, until, watched


@pytest.mark.parametrize("kind", ["thread", "inline", "coroutine"])
async def test_only_the_poisoned_item_fails(kind: str) -> None:
    """With its own exception; all others in its batch get their results, whatever they waited with. Decision 6."""
    model = Poisoned(5)

    async def asynchronous(batch: Batch[int]) -> list[Any]:
        return model(batch)

    options: Any = {"executor": "inline"} if kind == "inline" else {}
    served: Any = asynchronous if kind == "coroutine" else model
    async with Serving(served, batch_size=8, isolate_errors=True, **options) as serving:
        singles = gathered(serving, range(4))
        many = asyncio.create_task(serving.dispatch_many([4, 5], return_exceptions=True))
        rest = asyncio.create_task(serving.dispatch_many([6, 7]))
        assert await singles == [("result", n) for n in range(4)]
        first, second = await many
        assert await rest == [("result", 6), ("result", 7)]

    assert first == ("result", 4)
    assert isinstance(second, PoisonError)
    assert second.args == (5,)
    assert model.batches[:3] == [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert max(model.executed.values()) <= 4
    assert serving.stats().failed_batches == 4


async def test_without_the_option_nothing_is_executed_twice() -> None:
    """A batch that raised fails all its callers, with one exception."""
    model = Poisoned(1)
    async with Serving(model, batch_size=4) as serving:
        errors = await gathered(serving, range(4))

    assert len(set(map(id, errors))) == 1
    assert model.executed == Counter(range(4))


async def test_a_list_fails_with_the_error_of_its_own_item() -> None:
    """A call that wants no exceptions as results raises that of its poisoned item, and the others are not touched."""
    model = Poisoned("b2", "c1")
    async with Serving(model, batch_size=9, isolate_errors=True) as serving:
        calls = [serving.dispatch_many([f"{name}{n}" for n in range(3)]) for name in "abc"]
        a, b, c = await asyncio.gather(*calls, return_exceptions=True)

    assert a == [("result", f"a{n}") for n in range(3)]
    assert isinstance(b, PoisonError)
    assert b.args == ("b2",)
    assert isinstance(c, PoisonError)
    assert c.args == ("c1",)


async def test_a_wrong_number_of_results_is_isolated_too() -> None:
    """A function that leaves out a bad item fails that item alone."""

    def model(batch: Batch[int]) -> list[int]:
        return [item for item in batch if item != 3]

    async with Serving(model, batch_size=8, isolate_errors=True) as serving:
        results = await gathered(serving, range(8))

    assert isinstance(results.pop(3), LengthMismatchError)
    assert results == [0, 1, 2, 4, 5, 6, 7]


async def test_inline_calls_isolate_errors() -> None:
    """In the caller, too, without a server."""
    model = Poisoned(2)
    serving: Serving[int, Any] = Serving(model, batch_size=4, isolate_errors=True)
    results = await serving.inline_many(range(6), return_exceptions=True)

    assert isinstance(results.pop(2), PoisonError)
    assert results == [("result", n) for n in (0, 1, 3, 4, 5)]
    with pytest.raises(PoisonError, match="2"):
        await asyncio.to_thread(serving.inline_many_sync, [1, 2])


async def test_each_attempt_is_a_batch_run_linked_to_the_one_before() -> None:
    """One finds the failed attempts: each is a run of its own that says which attempt it is."""
    batches = Recorder()
    async with Serving(Poisoned(0), batch_size=2, isolate_errors=True, callbacks=[batches]) as serving:
        with watched() as recorder:
            await serving.dispatch_many([0, 1], return_exceptions=True)

    check_lifecycle(batches)
    call, (first, second, third) = recorder.run(), batches.runs()
    assert [run.outcome for run in (first, second, third)] == [Outcome.ERROR, Outcome.ERROR, Outcome.OK]
    assert [run.attributes["attempt"] for run in (first, second, third)] == [1, 2, 2]
    assert first.links == (call.link(),)
    assert second.links == third.links == (call.link(), first.link())
    assert call.links == (first.link(), second.link(), third.link())
    assert (call.attributes["batches"], call.attributes["share"]) == (3, 3.0)
    assert [event["attempt"] for event in recorder.events("executing")] == [1, 2, 2]


async def test_events_of_a_failed_attempt_are_told_as_they_come() -> None:
    """They say from which attempt they are; each part's events come before its output, in the order of the items."""

    def model(batch: Batch[int]) -> list[int]:
        batch.emit("progress", list(batch))
        if 1 in batch:
            raise PoisonError(1)
        return list(batch)

    async with Serving(model, batch_size=3, hooks=("progress",), isolate_errors=True) as serving:
        other = asyncio.create_task(serving.dispatch(1))
        await asyncio.sleep(0)
        with watched() as recorder:
            events = [event async for event in serving.stream_many([2, 3])]
        with pytest.raises(PoisonError):
            await other

    assert events == [
        HookEvent(name="progress", payload=[2, 3], offset=0, attempt=1),
        HookEvent(name="progress", payload=[2], offset=0, attempt=2),
        HookEvent(name="progress", payload=[2], offset=0, attempt=3),
        BatchOutput(output=[2], offset=0),
        HookEvent(name="progress", payload=[3], offset=1, attempt=2),
        BatchOutput(output=[3], offset=1),
    ]
    assert recorder.events("progress") == [[2, 3], [2], [3], [2]]


async def test_what_nobody_waits_for_any_more_is_not_executed_again() -> None:
    """A caller that goes between two attempts takes its items with it; the others are executed."""
    gate = Gate(Poisoned("a"))
    async with Serving(gate, batch_size=4, isolate_errors=True) as serving:
        calls = [asyncio.create_task(serving.dispatch(name)) for name in "abc"]
        many = asyncio.create_task(serving.dispatch_many(["d"]))
        await turns()
        calls[1].cancel()
        many.cancel()
        await turns()
        await gate.open_all()
        results = await asyncio.gather(*calls, many, return_exceptions=True)

    assert gate.batches == [["a", "b", "c", "d"], ["a"], ["c"]]
    assert isinstance(results[0], PoisonError)
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[2] == ("result", "c")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), Abort("stop")])
async def test_what_stops_on_purpose_is_not_executed_again(error: BaseException) -> None:
    """Ctrl-C, an exit, an `Abort`: the batch fails its callers at once."""
    batches: list[int] = []

    def model(batch: Batch[int]) -> list[int]:
        batches.append(batch.size)
        raise error

    async with Serving(model, batch_size=4, isolate_errors=True) as serving:
        calls = [asyncio.create_task(caught(serving, item)) for item in range(4)]
        assert await asyncio.gather(*calls) == [error] * 4

    assert batches == [4]


async def caught(serving: Serving[Any, Any], item: Any) -> BaseException | None:
    """Return what dispatching raises, so that a task does not let an exit through."""
    try:
        await serving.dispatch(item)
    except BaseException as error:
        return error
    return None


async def test_an_abort_of_a_batchs_handler_is_not_executed_again() -> None:
    """A handler that stops a batch has said that it does not want it."""
    starts: list[Run] = []

    class Stops(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            starts.append(run)
            raise Abort("no")

    async with Serving(Poisoned(), batch_size=4, isolate_errors=True, callbacks=[Stops()]) as serving:
        errors = await gathered(serving, range(4))

    assert all(isinstance(error, Abort) for error in errors)
    assert len(starts) == 1


async def test_a_cancelled_execution_is_not_executed_again() -> None:
    """A batch function that cancels itself fails its callers, once."""
    batches: list[int] = []

    async def model(batch: Batch[int]) -> list[int]:
        batches.append(batch.size)
        raise asyncio.CancelledError

    async with Serving(model, batch_size=4, isolate_errors=True) as serving:
        errors = await gathered(serving, range(4))

    assert all(isinstance(error, ServingError) for error in errors)
    assert batches == [4]


async def test_draining_executes_again_and_giving_up_does_not() -> None:
    """`aclose()` answers what it accepted, halves of failed batches included; with `drain=False` these fail."""
    for drain in (True, False):
        gate = Gate(Poisoned(0))
        serving: Serving[int, Any] = Serving(gate, batch_size=4, isolate_errors=True)
        await serving.start()
        calls = gathered(serving, range(4))
        await turns()
        closing = asyncio.create_task(serving.aclose(drain=drain))
        await turns()
        await gate.open_all()
        await closing
        results = await calls
        if drain:
            assert isinstance(results[0], PoisonError)
            assert results[1:] == [("result", n) for n in (1, 2, 3)]
        else:
            assert gate.batches == [[0, 1, 2, 3]]
            assert all(isinstance(result, PoisonError) for result in results)


async def test_halves_that_wait_fail_when_the_serving_closes_without_draining() -> None:
    """Their callers are told so, at once, and the half that runs is awaited."""
    gate = Gate(Poisoned(0))
    serving: Serving[int, Any] = Serving(gate, batch_size=4, isolate_errors=True)
    await serving.start()
    calls = gathered(serving, range(4))
    await until(lambda: gate.waiting)
    gate.open()
    await until(lambda: len(gate.batches) == 2)
    assert serving.stats().waiting == 2
    closing = asyncio.create_task(serving.aclose(drain=False))
    await turns()
    gate.open()
    await closing
    results = await calls

    assert [type(result) for result in results] == [PoisonError] * 2 + [ServingClosedError] * 2
    assert "its batch had failed" in str(results[3])


def test_a_caller_in_a_thread_is_isolated_too() -> None:
    """Threads get their own results while another thread's item fails."""
    model = Poisoned("a")
    entered = threading.Event()

    def slow(batch: Batch[str]) -> list[Any]:
        entered.wait(20)
        return model(batch)

    results: dict[str, Any] = {}

    def call(name: str) -> None:
        with suppress(PoisonError), callbacks(Recorder()):
            results[name] = serving.dispatch_sync(name)

    with Serving(slow, batch_size=4, isolate_errors=True) as serving:
        threads = [threading.Thread(target=call, args=(name,)) for name in "xabc"]
        for thread in threads:
            thread.start()
        entered.set()
        for thread in threads:
            thread.join(20)

    assert results == {name: ("result", name) for name in "xbc"}
