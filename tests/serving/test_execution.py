from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from sideband import Handler, Run, add_global_handler, callbacks, component, current_run, metadata
from sideband.runs import Component, Outcome
from sideband.serving import Batch, Serving
from sideband.testing import Recorder, check_lifecycle

from .helpers import Gate, double, gathered, identity, progress, turns, until, watched


async def test_every_call_is_a_serving_run_and_every_execution_a_batch_run() -> None:
    """Calls are runs under their callers; a batch has no parent and is seen by the serving's own handlers alone.

    Statement 90.
    """
    batches = Recorder()
    async with Serving(double, name="doubler", batch_size=8, callbacks=[batches]) as serving:

        @component("Chain")
        async def caller(values: list[int]) -> list[int]:
            return await serving.dispatch_many(values)

        with watched() as callers:
            await asyncio.gather(caller([1, 2]), caller([3]), serving.dispatch(4))

    batch = batches.run()
    assert (batch.component, batch.name, batch.parent) == (Component.BATCH, "doubler", None)
    assert (batch.input, batch.output, batch.outcome) == ([1, 2, 3, 4], [2, 4, 6, 8], Outcome.OK)
    assert [run.component for run in callers.runs(component="Batch")] == []
    calls = callers.runs("doubler", component="Serving")
    parents = [run.parent.name if run.parent else None for run in calls]
    assert parents == ["caller", "caller", None]
    assert sorted(link.id for link in batch.links) == sorted(run.id for run in calls)
    assert all(run.links == (batch.link(),) for run in calls)
    check_lifecycle(batches)


async def test_a_serving_run_has_its_callers_input_and_output() -> None:
    """A single call has the item and its result, a list the list, a stream the flat list of its results."""
    async with Serving(double, batch_size=2) as serving:
        with watched() as recorder:
            await serving.dispatch(1)
            await serving.dispatch_many([1, 2, 3])
            async for _ in serving.stream_many([4, 5, 6]):
                pass
            async for _ in serving.stream(7):
                pass

    seen = [(run.input, run.output, run.streamed) for run in recorder.runs()]
    assert seen == [
        (1, 2, False),
        ([1, 2, 3], [2, 4, 6], False),
        ([4, 5, 6], [8, 10, 12], True),
        (7, [14], True),
    ]


async def test_a_call_knows_its_part_of_its_batches() -> None:
    """Queue and execution time, size, partition and share; the shares of a batch's callers sum to one."""
    async with Serving(double, batch_size=8) as serving:
        with watched() as recorder:
            await asyncio.gather(
                serving.dispatch_many([1, 2]), serving.dispatch(3), serving.dispatch_many([4])
            )

    runs = recorder.runs()
    assert [run.attributes["share"] for run in runs] == [0.5, 0.25, 0.25]
    assert sum(run.attributes["execute_share"] for run in runs) == pytest.approx(
        runs[0].attributes["execute_time"]
    )
    for run in runs:
        assert run.attributes["batch_size"] == 4
        assert run.attributes["partition"] == 0
        assert run.attributes["batches"] == 1
        assert run.attributes["queue_time"] >= 0


async def test_a_list_over_several_batches_sums_up() -> None:
    """Its share and time are those of all its batches, its queue time the longest, and it is linked to each."""
    batches = Recorder()
    async with Serving(Gate(), batch_size=2, partitions=2, callbacks=[batches]) as serving:
        gate: Any = serving._blueprint.source
        with watched() as recorder:
            call = asyncio.create_task(serving.dispatch_many(range(5)))
            await gate.open_all()
            await call

    run = recorder.run()
    assert (run.attributes["batches"], run.attributes["share"], run.attributes["partition"]) == (
        3,
        3.0,
        (0, 1),
    )
    assert {link.id for link in run.links} == {batch.id for batch in batches.runs()}
    assert [batch.attributes["batch_size"] for batch in batches.runs()] == [2, 2, 1]


@pytest.mark.parametrize("how", ["failing", "timed out"])
async def test_a_call_that_failed_while_it_was_executed_is_linked_to_its_batch(how: str) -> None:
    """One finds the batch of a call that got no result, and how long it had waited."""
    batches = Recorder()
    gate = Gate(lambda batch: 1 / 0)
    async with Serving(gate, callbacks=[batches]) as serving:
        with watched() as recorder:
            call = asyncio.create_task(serving.dispatch(1))
            await turns()
            if how == "failing":
                gate.open()
                with pytest.raises(ZeroDivisionError):
                    await call
            else:
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                gate.open()

    run, batch = recorder.run(), batches.run()
    assert run.outcome is (Outcome.ERROR if how == "failing" else Outcome.CANCELLED)
    assert run.links == (batch.link(),)
    assert batch.links == (run.link(),)
    assert run.attributes["batch_size"] == 1
    assert batch.outcome is Outcome.ERROR


async def test_two_users_in_one_batch_see_only_their_own_items() -> None:
    """Each user's handler is told of events of its own items, in its own order, on its own run."""

    class Log(Handler):
        def __init__(self) -> None:
            self.events: list[tuple[str, Any]] = []

        def on_event(self, run: Run, name: str, payload: Any) -> None:
            self.events.append((name, payload))

    async def user(name: str, log: Log) -> list[str]:
        with callbacks(log):
            return await serving.dispatch_many([f"{name}{number}" for number in range(2)])

    alice, bob = Log(), Log()
    async with Serving(progress, batch_size=8, hooks=("progress",)) as serving:
        for_alice, for_bob = await asyncio.gather(user("a", alice), user("b", bob))

    assert serving.stats().batches == 1
    assert (for_alice, for_bob) == (["a0", "a1"], ["b0", "b1"])
    for log, name in ((alice, "a"), (bob, "b")):
        assert [event for event, _ in log.events] == ["queued", "executing", "progress", "progress"]
        assert log.events[2:] == [
            ("progress", [("first", f"{name}0"), ("first", f"{name}1")]),
            ("progress", [("second", f"{name}0"), ("second", f"{name}1")]),
        ]
    queued, executing = alice.events[0][1], alice.events[1][1]
    assert queued == {"items": 2, "waiting": 2}
    waited = executing.pop("queue_time")
    assert waited >= 0
    assert executing == {"items": 2, "batch_size": 4, "partition": 0, "attempt": 1}


async def test_handlers_are_told_in_the_callers_own_loop_or_thread() -> None:
    """Never in a worker's: not of hook events, not of "executing", and before the results."""

    def caller() -> tuple[list[int], list[str], int]:
        with watched() as recorder:
            results = serving.dispatch_many_sync([1, 2])
        return (
            results,
            recorder.timings(),
            len({record.thread for record in recorder} - {threading.get_ident()}),
        )

    async with Serving(progress, hooks=("progress",)) as serving:
        with watched() as recorder:
            await serving.dispatch_many([1, 2])
        in_thread = await asyncio.to_thread(caller)
        elsewhere = await asyncio.to_thread(lambda: asyncio.run(on_another_loop(serving)))

    timings = ["on_start", *["on_event"] * 4, "on_end"]
    assert recorder.timings() == timings
    assert {record.thread for record in recorder} == {threading.get_ident()}
    assert in_thread == ([1, 2], timings, 0)
    assert elsewhere == (timings, 0)


async def on_another_loop(serving: Serving[Any, Any]) -> tuple[list[str], int]:
    """Dispatch, and tell the timings and how many other threads they were told in."""
    with watched() as recorder:
        await serving.dispatch_many([1, 2])
    return recorder.timings(), len({record.thread for record in recorder} - {threading.get_ident()})


async def test_a_component_inside_of_the_batch_function_is_a_child_of_the_batch() -> None:
    """What the function calls is seen with its batch, by global handlers, not by the callers'."""

    @component("Embedding")
    def embed(texts: list[str]) -> list[int]:
        return [len(text) for text in texts]

    def model(batch: Batch[str]) -> list[int]:
        assert current_run() is not None
        return embed(batch.values)

    recorder = Recorder()
    with watched() as mine, add_global_handler(recorder):
        async with Serving(model, batch_size=2) as serving:
            await serving.dispatch_many(["a", "bb"])

    assert recorder.run("embed").parent is recorder.run(component="Batch")
    assert mine.runs("embed") == []


async def test_unwatched_nothing_is_made() -> None:
    """Without handlers there is no run, neither for the caller nor in the batch function."""
    seen: list[Run | None] = []

    def model(batch: Batch[int]) -> list[int]:
        seen.append(current_run())
        return list(batch)

    async with Serving(model) as serving:
        await serving.dispatch(1)
        await serving.dispatch_many([2])
        with watched():
            await serving.dispatch(3)

    assert seen == [None, None, None]


VARIABLE: ContextVar[str] = ContextVar("variable", default="nobody's")


@pytest.mark.parametrize("kind", ["thread", "inline", "coroutine"])
async def test_the_context_of_start_is_the_batchs_not_that_of_a_caller(kind: str) -> None:
    """Context variables and metadata of one caller are nobody else's business."""

    def model(batch: Batch[int]) -> list[str]:
        found = VARIABLE.get()
        VARIABLE.set("of another batch")
        return [found] * batch.size

    async def asynchronous(batch: Batch[int]) -> list[str]:
        return model(batch)

    batches = Recorder()
    VARIABLE.set("the starter's")
    options: Any = {"executor": "inline"} if kind == "inline" else {}
    served: Any = asynchronous if kind == "coroutine" else model
    async with Serving(served, callbacks=[batches], **options) as serving:
        VARIABLE.set("the caller's")
        with metadata(user="alice"):
            assert await serving.dispatch_many([1]) == ["the starter's"]
            assert await serving.dispatch(1) == "the starter's"
        assert VARIABLE.get() == "the caller's"

    assert [dict(run.metadata) for run in batches.runs()] == [{}, {}]


async def test_a_failing_batch_fails_its_callers_and_not_the_server() -> None:
    """All callers of the batch get the very exception; the next batch is executed. Statements 14, 65, 66 and 68."""
    error = ValueError("bad batch")

    def model(batch: Batch[int]) -> list[int]:
        if 3 in batch:
            raise error
        return list(batch)

    batches = Recorder()
    async with Serving(model, batch_size=4, callbacks=[batches]) as serving:
        assert await gathered(serving, range(4)) == [error] * 4
        assert await gathered(serving, range(3)) == [0, 1, 2]
        assert serving.stats().failed_batches == 1

    assert [run.outcome for run in batches.runs()] == [Outcome.ERROR, Outcome.OK]
    assert batches.runs()[0].error is error


async def test_an_exception_as_a_result_fails_its_item_alone() -> None:
    """Other callers get their results; a list fails with it, unless it asks for exceptions as results."""
    error = ValueError("bad item")

    def model(batch: Batch[int]) -> list[Any]:
        return [error if value == 1 else value for value in batch]

    async with Serving(model, batch_size=4) as serving:
        assert await gathered(serving, range(4)) == [0, error, 2, 3]
        with pytest.raises(ValueError, match="bad item") as caught:
            await serving.dispatch_many(range(4))
        assert caught.value is error
        assert await serving.dispatch_many(range(4), return_exceptions=True) == [0, error, 2, 3]
        events = [event async for event in serving.stream_many(range(3), return_exceptions=True)]
        assert [event.output for event in events] == [[0, error, 2]]  # type: ignore[union-attr]


async def test_with_return_exceptions_a_failing_batch_leaves_the_other_results() -> None:
    """Its error stands for each of its items; items of other batches of the list keep their results. Statement 53."""
    error = ValueError("bad batch")

    def model(batch: Batch[int]) -> list[int]:
        if 2 in batch:
            raise error
        return list(batch)

    async with Serving(model, batch_size=2) as serving:
        assert await serving.dispatch_many(range(5), return_exceptions=True) == [0, 1, error, error, 4]
        sync = await asyncio.to_thread(serving.dispatch_many_sync, range(5), return_exceptions=True)
        assert sync == [0, 1, error, error, 4]


@pytest.mark.parametrize("kind", ["thread", "inline", "coroutine"])
@pytest.mark.parametrize(
    "given", [StopIteration(1), StopAsyncIteration(), GeneratorExit(), asyncio.CancelledError()]
)
@pytest.mark.parametrize("as_result", [True, False])
async def test_what_steers_python_itself_reaches_callers_as_an_error(
    kind: str, given: BaseException, as_result: bool
) -> None:
    """A function that raises or gives such an exception neither stops nor cancels its callers."""

    def model(batch: Batch[int]) -> list[Any]:
        if as_result:
            return [given] * batch.size
        raise given

    async def asynchronous(batch: Batch[int]) -> list[Any]:
        return model(batch)

    options: Any = {"executor": "inline"} if kind == "inline" else {}
    async with Serving(asynchronous if kind == "coroutine" else model, **options) as serving:
        errors = await asyncio.gather(serving.dispatch(1), serving.dispatch_many([1]), return_exceptions=True)
        for error in errors:
            assert isinstance(error, Exception)
            assert not isinstance(error, type(given))
            assert error.__cause__ is not None


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_reaches_the_caller_in_its_thread(fatal: type[BaseException]) -> None:
    """`sys.exit` in a batch function is the callers' to raise; the server goes on."""

    def model(batch: Batch[int]) -> list[int]:
        if 0 in batch:
            raise fatal
        return list(batch)

    with Serving(model) as serving:
        with pytest.raises(fatal):
            serving.dispatch_sync(0)
        with pytest.raises(fatal):
            serving.dispatch_many_sync([0], return_exceptions=True)
        assert serving.dispatch_sync(1) == 1


async def test_a_batch_whose_thread_hangs_ends_its_run_when_it_is_given_up() -> None:
    """At the close its run ends with the error that its callers get, and once."""
    release, entered = threading.Event(), threading.Event()

    def hangs(batch: Batch[int]) -> list[int]:
        entered.set()
        release.wait()
        return list(batch)

    batches = Recorder()
    serving = Serving(hangs, shutdown_timeout=0.0, callbacks=[batches])
    await serving.start()
    call = gathered(serving, [1])
    await until(entered.is_set)
    await serving.aclose()
    [error] = await call

    assert batches.run().error is error
    release.set()
    await until(lambda: serving.stats().batches == 1)
    check_lifecycle(batches)
    assert batches.timings() == ["on_start", "on_error"]


async def test_a_handler_that_stops_a_batch_fails_its_callers() -> None:
    """`Abort` from a handler of the batch's run is what its callers get."""
    from sideband import Abort

    stop = Abort("no")

    class Stops(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            raise stop

    async with Serving(identity, callbacks=[Stops()]) as serving:
        assert await gathered(serving, [1, 2]) == [stop, stop]
