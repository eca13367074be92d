"""Iterators and asynchronous iterables as input: closed on every ending, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest

from sideband.errors import (
    DispatchTimeoutError,
    NotStartedError,
    ServingClosedError,
    ServingError,
)
from sideband.serving import Serving

from .helpers import Gate, identity, turns
from .sources import SORTS, Later


async def drop(stream: Any) -> None:
    """Take one event and leave."""
    async with aclosing(stream) as events:
        await anext(events)


async def cancelled(call: Any) -> None:
    """Cancel a call that waits."""
    task = asyncio.ensure_future(call)
    await turns(20)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def fail(_: Any) -> Any:
    """Refuse whatever it is."""
    raise ZeroDivisionError


ENDINGS: dict[
    str, tuple[dict[str, Any], Callable[[Serving[Any, Any], Any], Any], type[BaseException] | None]
] = {
    "read to the end": ({}, lambda serving, source: serving.dispatch_many(source), None),
    "dropped": ({}, lambda serving, source: drop(serving.stream_many(source)), None),
    "cancelled": ({"model": Gate()}, lambda serving, source: cancelled(serving.dispatch_many(source)), None),
    "timed out": (
        {"model": Gate()},
        lambda serving, source: serving.dispatch_many(source, timeout=0.01),
        DispatchTimeoutError,
    ),
    "failed": ({"model": fail}, lambda serving, source: serving.dispatch_many(source), ZeroDivisionError),
    "failed as a stream": (
        {"model": fail},
        lambda serving, source: drop(serving.stream_many(source)),
        ZeroDivisionError,
    ),
    "a bad key": ({"key": fail}, lambda serving, source: serving.dispatch_many(source), ZeroDivisionError),
    "a bad cost": (
        {"cost": fail},
        lambda serving, source: drop(serving.stream_many(source)),
        ZeroDivisionError,
    ),
    "a bad map": (
        {"map_inputs": fail},
        lambda serving, source: serving.dispatch_many(source),
        ZeroDivisionError,
    ),
    "bad results": (
        {"map_results": fail},
        lambda serving, source: serving.dispatch_many(source),
        ZeroDivisionError,
    ),
    "not started": ({"start": False}, lambda serving, source: serving.dispatch_many(source), NotStartedError),
    "not started, as a stream": (
        {"start": False},
        lambda serving, source: drop(serving.stream_many(source)),
        NotStartedError,
    ),
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_source_is_closed_once_on_every_ending(sort: Any, ending: str) -> None:
    """Before the caller learns of the end; and nothing of it waits any more. Statements 60 and 61."""
    options, act, error = ENDINGS[ending]
    model = options.get("model", identity)
    rest_of_them = {name: option for name, option in options.items() if name not in {"model", "start"}}
    serving: Serving[Any, Any] = Serving(model, name="served", batch_size=2, **rest_of_them)
    source = sort(8)
    if options.get("start", True):
        await serving.start()

    if error is None:
        await act(serving, source)
    else:
        with pytest.raises(error):
            await act(serving, source)

    assert source.closed == 1
    assert (serving.stats().waiting, serving.stats().in_line) == (0, 0)
    await serving.aclose(drain=False) if not isinstance(model, Gate) else await close(serving, model)


async def close(serving: Serving[Any, Any], gate: Gate) -> None:
    """Close a serving whose model waits at a gate."""
    closing_it = asyncio.create_task(serving.aclose(drain=False))
    await gate.open_all()
    await closing_it


@pytest.mark.parametrize("sort", SORTS)
async def test_the_close_of_the_serving_fails_who_reads_on(sort: Any) -> None:
    """What was read before is executed, if the close drains; the source is closed."""
    source = sort()
    serving: Serving[int, int] = Serving(identity, batch_size=2)
    await serving.start()
    events = serving.stream_many(source)
    await anext(events)
    await serving.aclose()

    with pytest.raises(ServingClosedError):
        async for _ in events:
            pass
    assert source.closed == 1


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("how", ["list", "stream"])
async def test_an_error_of_a_source_fails_its_call_alone(sort: Any, how: str) -> None:
    """With the same object; what waits of the call is taken out, other callers get their results. Statement 61."""
    source = sort(fails_at=3)
    gate = Gate()
    async with Serving(gate, batch_size=1, max_queue=100, partitions=1) as serving:
        other = asyncio.create_task(serving.dispatch("other"))
        await turns()

        async def call() -> Any:
            if how == "list":
                return await serving.dispatch_many(source)
            return [event async for event in serving.stream_many(source)]

        calling = asyncio.create_task(call())
        await turns(20)
        gate.open()
        await turns(20)
        assert await other == "other"
        await gate.open_all()
        with pytest.raises(LookupError) as caught:
            await calling

    assert caught.value is source.error
    assert source.closed == 1
    assert len(gate.batches) <= 3


async def test_a_source_that_was_cancelled_from_within_is_a_failure() -> None:
    """Not a cancellation of the caller, which nobody asked for."""

    async def source() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError

    async with Serving(identity) as serving:
        with pytest.raises(ServingError, match="the source of the values was cancelled"):
            await serving.dispatch_many(source())


async def test_a_source_that_fails_to_close_is_told_of() -> None:
    """Where nothing else went wrong."""

    class Stubborn(Later):
        async def aclose(self) -> None:
            raise LookupError("will not close")

    async with Serving(identity) as serving:
        with pytest.raises(LookupError, match="will not close"):
            await serving.dispatch_many(Stubborn(3))


async def test_a_generator_is_read_and_closed_in_one_task() -> None:
    """So that what it holds open in a task, as a timeout or a task group, may be left there."""
    tasks: list[Any] = []

    async def source() -> AsyncIterator[int]:
        async with asyncio.timeout(60):
            try:
                for number in range(1000):
                    tasks.append(asyncio.current_task())
                    yield number
            finally:
                tasks.append(asyncio.current_task())

    async with Serving(identity, batch_size=2) as serving:
        await drop(serving.stream_many(source()))

    assert len(set(tasks)) == 1
