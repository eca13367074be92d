from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from sideband import Handler, Run, callbacks
from sideband.errors import LengthMismatchError, NotStartedError
from sideband.runs import Outcome
from sideband.serving import Batch, BatchOutput, HookEvent, Serving
from sideband.testing import VirtualLoop

from .helpers import Gate, double, gathered, identity, progress, turns, virtual, watched


async def test_an_empty_list_gives_an_empty_list() -> None:
    """Nothing is executed; a stream of nothing is over at once. Statements 15, 19, 54 and 60, decision 3."""
    async with Serving(identity) as serving:
        assert await serving.dispatch_many([]) == []
        assert [event async for event in serving.stream_many([])] == []
        assert await asyncio.to_thread(serving.dispatch_many_sync, []) == []
        assert await serving.inline_many([]) == []
        assert serving.stats().batches == 0


@pytest.mark.parametrize("text", ["a text", b"bytes", bytearray(b"bytes")])
async def test_a_string_is_refused_where_many_items_are_expected(text: Any) -> None:
    """Its letters are never taken for items; the error says which method takes it."""
    async with Serving(identity) as serving:
        for call in (
            serving.dispatch_many,
            serving.stream_many,
            serving.dispatch_many_sync,
            serving.stream_many_sync,
        ):
            with pytest.raises(TypeError, match=f"got the single {type(text).__name__} .*; use dispatch"):
                result: Any = call(text)
                await result


async def test_any_iterable_gives_items() -> None:
    """Generators, ranges, mappings' items; one that raises sends nothing and raises its own error.

    Statements 22, 23, 24, 55, 59 and 61.
    """

    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    async with Serving(identity) as serving:
        assert await serving.dispatch_many(number for number in range(3)) == [0, 1, 2]
        assert await serving.dispatch_many({"a": 1}.items()) == [("a", 1)]
        with pytest.raises(LookupError, match="no more"):
            await serving.dispatch_many(broken())
        assert serving.stats().items == 4


async def test_a_list_is_one_item_for_dispatch() -> None:
    """`dispatch` takes its value as it is. Statements 16 and 51."""
    async with Serving(identity) as serving:
        assert await serving.dispatch([1, 2]) == [1, 2]
        assert [event async for event in serving.stream([1, 2])] == [BatchOutput(output=[[1, 2]], offset=0)]


async def test_lists_fill_batches_without_hooks() -> None:
    """AA, BB, CC at size three run as AAB, BCC. Statements 38, 45 and 47."""
    gate = Gate()
    async with Serving(gate, batch_size=3, partitions=2) as serving:
        calls = asyncio.gather(
            *[serving.dispatch_many(text) for text in (["a1", "a2"], ["b1", "b2"], ["c1", "c2"])]
        )
        await gate.open_all()
        assert await calls == [["a1", "a2"], ["b1", "b2"], ["c1", "c2"]]

    assert gate.batches == [["a1", "a2", "b1"], ["b2", "c1", "c2"]]


async def test_lists_are_kept_together_with_hooks() -> None:
    """AA, BB, CC at size three run as three batches; single items still merge; a long list is cut to size first.

    Statements 48 and 49.
    """
    gate = Gate()
    async with Serving(gate, batch_size=3, partitions=9, hooks=("progress",)) as serving:
        calls = asyncio.gather(
            *[serving.dispatch_many(text) for text in (["a1", "a2"], ["b1", "b2"], ["c1", "c2"])],
            *[serving.dispatch(text) for text in ("d", "e")],
            serving.dispatch_many(range(7)),
        )
        await gate.open_all()
        await calls

    assert gate.batches == [["a1", "a2"], ["b1", "b2"], ["c1", "c2", "d"], ["e"], [0, 1, 2], [3, 4, 5], [6]]


async def test_not_started_says_how_to_start() -> None:
    """Every way to call says that the serving is not started, by name, and what to do. Statement 64."""
    serving = Serving(identity, name="embedder")
    message = "serving 'embedder': not started; enter it with `async with`.*or use `inline`"

    with pytest.raises(NotStartedError, match=message):
        await serving.dispatch(1)
    with pytest.raises(NotStartedError, match=message):
        await serving.dispatch_many([1])
    with pytest.raises(NotStartedError, match=message):
        await anext(serving.stream(1))
    with pytest.raises(NotStartedError, match=message):
        serving.dispatch_sync(1)
    async with serving:
        pass
    with pytest.raises(NotStartedError, match=message):
        await serving.dispatch(1)


async def test_maps_are_applied_in_the_caller_to_lists() -> None:
    """`map_inputs` sees the values of one call, `map_results` its results; both with `dispatch`, too.

    Statements 4 and 56.
    """
    seen: list[list[Any]] = []

    def inputs(values: list[str]) -> list[int]:
        seen.append(values)
        return [int(value) for value in values]

    served: Serving[Any, Any] = Serving(
        double, map_inputs=inputs, map_results=lambda found: [str(r) for r in found]
    )
    async with served as serving:
        assert await asyncio.gather(serving.dispatch("1"), serving.dispatch_many(["2", "3"])) == [
            "2",
            ["4", "6"],
        ]
        assert [event async for event in serving.stream_many(["4"])] == [BatchOutput(output=["8"], offset=0)]
        assert serving.stats().batches == 2

    assert seen == [["1"], ["2", "3"], ["4"]]


async def test_maps_may_change_the_number_of_items() -> None:
    """A text cut into pieces and put together again is one item to its caller. Statements 57 and 58."""

    def words(texts: list[str]) -> list[str]:
        return [word for text in texts for word in text.split()]

    def longest(lengths: list[int]) -> list[int]:
        return [max(lengths)]

    def lengths(batch: Batch[str]) -> list[int]:
        return [len(word) for word in batch]

    async with Serving(lengths, map_inputs=words, map_results=longest) as serving:
        assert await serving.dispatch("how long is that") == 4
        assert serving.stats().items == 4
        with pytest.raises(LengthMismatchError, match=r"what map_results gives must.*expected 2, got 1"):
            await serving.dispatch_many(["a b", "c"])
        with pytest.raises(
            LengthMismatchError, match=r"what map_inputs gives to a stream.*expected 1, got 2"
        ):
            await anext(serving.stream("a b"))


async def test_an_expansion_that_nothing_puts_together_is_an_error() -> None:
    """The error names both numbers. Statement 17."""
    async with Serving(identity, map_inputs=lambda values: values * 3) as serving:
        with pytest.raises(LengthMismatchError, match=r"the results of the call must.*expected 1, got 3"):
            await serving.dispatch(1)


@pytest.mark.parametrize("which", ["map_inputs", "map_results"])
async def test_a_map_that_raises_fails_its_caller_alone(which: str) -> None:
    """Others in the same batch get their results."""

    def refuse(values: list[int]) -> list[int]:
        if 13 in values:
            raise ValueError("no luck")
        return values

    options: Any = {which: refuse}
    async with Serving(identity, **options) as serving:
        first, second, third = await gathered(serving, [1, 13, 2])

    assert (first, third) == (1, 2)
    assert str(second) == "no luck"


@pytest.mark.parametrize("given", ["abc", {1: 2}, None, iter([1])])
async def test_a_map_has_to_give_a_sequence(given: Any) -> None:
    """The error names the map and the type. Statement 25."""
    async with Serving(identity, map_inputs=lambda _: given) as serving:
        with pytest.raises(TypeError, match=f"what map_inputs gives must be.*got {type(given).__name__}"):
            await serving.dispatch(1)


@pytest.mark.parametrize("hooks", [True, False])
async def test_a_stream_closed_early_ends_its_run_once_and_withdraws(hooks: bool) -> None:
    """The run ends as closed with what was read; what waited of it is not executed. Statement 73."""
    gate = Gate(progress if hooks else identity)
    async with Serving(gate, batch_size=1, hooks=("progress",) if hooks else ()) as serving:
        with watched() as recorder:
            async with aclosing(serving.stream_many([1, 2, 3])) as stream:
                waiting = asyncio.ensure_future(anext(stream))
                await turns()
                gate.open()
                event = await waiting
        await gate.open_all()
        assert serving.stats().waiting == 0

    assert isinstance(event, HookEvent if hooks else BatchOutput)
    run = recorder.run()
    assert (run.outcome, run.chunks) == (Outcome.CLOSED, 1)
    assert len(gate.batches) <= 2


async def test_a_stream_is_submitted_at_its_first_pull() -> None:
    """A stream that nobody reads executes nothing and is no run."""
    async with Serving(identity) as serving:
        with watched() as recorder:
            stream = serving.stream_many([1, 2])
            await turns()
            assert (serving.stats().items, len(recorder)) == (0, 0)
            assert [event async for event in stream] == [BatchOutput(output=[1, 2], offset=0)]


async def test_a_failing_stream_raises_after_what_came_before() -> None:
    """The parts before the failing one are read, then its error, and the run ends with it. Statement 79."""

    def model(batch: Batch[int]) -> list[int]:
        batch.emit("progress", list(batch))
        if 2 in batch:
            raise ValueError("two")
        return list(batch)

    seen: list[Any] = []
    async with Serving(model, batch_size=2, hooks=("progress",)) as serving:
        with watched() as recorder, pytest.raises(ValueError, match="two"):
            async for event in serving.stream_many(range(6)):
                seen.append(event)

    assert seen == [
        HookEvent(name="progress", payload=[0, 1], offset=0),
        BatchOutput(output=[0, 1], offset=0),
        HookEvent(name="progress", payload=[2, 3], offset=2),
    ]
    assert recorder.run().outcome is Outcome.ERROR
    assert recorder.timings()[-1] == "on_error"


def test_a_synchronous_stream_dropped_early_withdraws() -> None:
    """Leaving the loop over it ends its run as closed and takes out what waits."""
    with Serving(identity, batch_size=1, hooks=("progress",)) as serving, watched() as recorder:
        stream = serving.stream_many_sync(range(100))
        assert next(stream) == BatchOutput(output=[0], offset=0)
        stream.close()

    assert recorder.run().outcome is Outcome.CLOSED
    assert serving.stats().items + serving.stats().withdrawn == 100


async def test_a_negative_timeout_is_refused() -> None:
    """Before anything is sent."""
    async with Serving(identity) as serving:
        with pytest.raises(ValueError, match=r"timeout must not be negative, got -1"):
            await serving.dispatch(1, timeout=-1)


async def test_a_plain_call_warns_of_nothing() -> None:
    """Coroutines, tasks and streams are all awaited or closed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with Serving(progress, hooks=("progress",)) as serving:
            async for _ in serving.stream_many([1, 2]):
                break
            await serving.dispatch(1)


def test_a_handler_that_stops_one_batch_stops_no_other() -> None:
    """What was cut with a batch whose caller's handler raises what no handler may is executed all the same."""

    class Stop(BaseException):
        """What a handler may not raise."""

    class Stopping(Handler):
        def on_event(self, run: Run, name: str, payload: Any) -> None:
            if name == "executing":
                raise Stop

    async def stopped(serving: Serving[str, str]) -> str:
        with callbacks(Stopping()):
            return await serving.dispatch("A")

    async def program(loop: VirtualLoop) -> None:
        told: list[Any] = []
        loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        async with Serving(identity, batch_timeout=1.0, partitions=2, key=str.isupper) as serving:
            calls = [asyncio.create_task(stopped(serving))]
            calls += [asyncio.create_task(serving.dispatch(letter)) for letter in "bcd"]
            await turns()
            calls[2].cancel()

            ends = await asyncio.gather(*calls, return_exceptions=True)

        assert list(map(type, ends)) == [Stop, str, asyncio.CancelledError, str]
        assert told == [ends[0]]

    virtual(program)
