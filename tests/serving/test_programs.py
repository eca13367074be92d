"""Whole servings under random programs: every accepted item is answered once, to its caller, or fails with a reason."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import callbacks
from sideband.errors import (
    DispatchTimeoutError,
    LengthMismatchError,
    NotStartedError,
    QueueFullError,
    ServingClosedError,
    ServingError,
)
from sideband.runs import Outcome
from sideband.serving import Batch, BatchOutput, HookEvent, Serving
from sideband.testing import Recorder, check_lifecycle

from .helpers import in_thread, turns

Value = tuple[int, int]
"""A caller's number, and the item's place in its request."""


class BatchError(Exception):
    """What a batch fails with."""


class ItemError(Exception):
    """What an item fails with."""


@dataclass(frozen=True)
class Caller:
    """What one caller does."""

    how: str
    count: int
    """Items; those of `dispatch` and the like are sent one by one."""
    turns: int
    """Turns of the loop before it begins."""
    gives_up: int | None
    """Turns after which it is cancelled."""
    timeout: float | None


@dataclass(frozen=True)
class Program:
    """A serving, its callers, and how it ends."""

    callers: list[Caller]
    batch_size: int
    batch_timeout: float
    partitions: int
    kind: str
    hooks: bool
    max_queue: int
    failing: frozenset[int]
    """Batches that fail, by number."""
    short: frozenset[int]
    """Batches that give too few results."""
    bad: frozenset[int]
    """Places whose items fail."""
    drain: bool
    closes_after: int | None
    """Turns after which the serving closes, whatever goes on."""


HOWS = [
    "dispatch",
    "dispatch_many",
    "stream",
    "stream_many",
    "inline_many",
    "sync",
    "sync many",
    "sync stream",
    "loop",
]

callers = st.builds(
    Caller,
    how=st.sampled_from(HOWS),
    count=st.integers(0, 7),
    turns=st.integers(0, 6),
    gives_up=st.none() | st.integers(0, 12),
    timeout=st.none() | st.sampled_from([0.0, 60.0]),
)
rarely = st.frozensets(st.integers(0, 12), max_size=2)
programs = st.builds(
    Program,
    callers=st.lists(callers, min_size=1, max_size=8),
    batch_size=st.integers(1, 5),
    batch_timeout=st.sampled_from([0.0, 0.001]),
    partitions=st.integers(1, 4),
    kind=st.sampled_from(["thread", "inline", "coroutine"]),
    hooks=st.booleans(),
    max_queue=st.sampled_from([4, 1000]),
    failing=rarely,
    short=rarely,
    bad=rarely.map(lambda places: frozenset(place for place in places if place < 7)),
    drain=st.booleans(),
    closes_after=st.none() | st.integers(0, 20),
)


class Model:
    """A batch function that fails where the program says so, and remembers what it was given."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.executed: Counter[Value] = Counter()
        self.lock = threading.Lock()
        self.batches = 0

    def __call__(self, batch: Batch[Value]) -> list[Any]:
        with self.lock:
            number = self.batches
            self.batches += 1
            self.executed.update(batch.values)
        assert 1 <= batch.size <= self.program.batch_size
        if self.program.hooks:
            for name in ("first", "second"):
                batch.emit(name, [(name, value) for value in batch])
        if number in self.program.failing:
            raise BatchError(number)
        results: list[Any] = [ItemError(v) if v[1] in self.program.bad else ("result", v) for v in batch]
        return results[1:] if number in self.program.short else results

    async def asynchronous(self, batch: Batch[Value]) -> list[Any]:
        await asyncio.sleep(0)
        results = self(batch)
        await asyncio.sleep(0)
        return results


class Callers:
    """Runs the callers of a program, and checks what each of them gets."""

    def __init__(self, program: Program, serving: Serving[Value, Any]) -> None:
        self.program = program
        self.serving = serving
        self.recorders = [Recorder() for _ in program.callers]

    async def run(self, number: int) -> None:
        caller = self.program.callers[number]
        await turns(caller.turns)
        with callbacks(self.recorders[number]):
            task = asyncio.create_task(self.act(number, caller))
            if caller.gives_up is not None:
                await turns(caller.gives_up)
                task.cancel()
            await asyncio.wait([task])
        with suppress(asyncio.CancelledError):
            await task
        assert not task.cancelled() or caller.gives_up is not None

    async def act(self, number: int, caller: Caller) -> None:
        values = [(number, place) for place in range(caller.count)]
        refusal: Exception | None = None
        try:
            await getattr(self, caller.how.replace(" ", "_"))(values, caller.timeout)
        except (BatchError, ItemError, ServingError, RuntimeError) as error:
            refusal = error
        self.check_refusal(number, caller, refusal)

    def check_refusal(self, number: int, caller: Caller, refusal: Exception | None) -> None:
        """Assert that an error is one that the program accounts for."""
        match refusal:
            case None | BatchError() | QueueFullError():
                return
            case ItemError():
                assert refusal.args[0][0] == number  # another caller's item is none of its business
            case DispatchTimeoutError():
                assert caller.timeout == 0.0
            case LengthMismatchError():
                assert self.program.short
            case _:
                assert isinstance(refusal, ServingClosedError | NotStartedError)
                assert self.program.closes_after is not None

    def expected(self, values: list[Value]) -> list[Any]:
        return [("result", value) for value in values]

    async def dispatch(self, values: list[Value], timeout: float | None) -> None:
        for value in values:
            assert await self.serving.dispatch(value, timeout=timeout) == ("result", value)

    async def dispatch_many(self, values: list[Value], timeout: float | None) -> None:
        assert await self.serving.dispatch_many(values, timeout=timeout) == self.expected(values)

    async def inline_many(self, values: list[Value], timeout: float | None) -> None:
        assert await self.serving.inline_many(values) == self.expected(values)

    async def stream(self, values: list[Value], timeout: float | None) -> None:
        for value in values:
            async with aclosing(self.serving.stream(value, timeout=timeout)) as stream:
                self.check([event async for event in stream], [value])

    async def stream_many(self, values: list[Value], timeout: float | None) -> None:
        async with aclosing(self.serving.stream_many(values, timeout=timeout)) as stream:
            self.check([event async for event in stream], values)

    async def loop(self, values: list[Value], timeout: float | None) -> None:
        await asyncio.to_thread(lambda: asyncio.run(self.stream_many(values, timeout)))

    async def sync(self, values: list[Value], timeout: float | None) -> None:
        def work() -> None:
            for value in values:
                assert self.serving.dispatch_sync(value, timeout=timeout) == ("result", value)

        await asyncio.to_thread(work)

    async def sync_many(self, values: list[Value], timeout: float | None) -> None:
        results = await asyncio.to_thread(self.serving.dispatch_many_sync, values, timeout=timeout)
        assert results == self.expected(values)

    async def sync_stream(self, values: list[Value], timeout: float | None) -> None:
        def work() -> list[Any]:
            return list(self.serving.stream_many_sync(values, timeout=timeout))

        self.check(await asyncio.to_thread(work), values)

    def check(self, events: list[Any], values: list[Value]) -> None:
        """Assert that a stream gave each item once, in order, each part's events before its results."""
        place = 0
        pending: list[tuple[str, list[Any]]] = []
        for event in events:
            assert event.offset == place
            if isinstance(event, HookEvent):
                pending.append((event.name, event.payload))
                continue
            assert isinstance(event, BatchOutput)
            own = values[place : place + len(event.output)]
            assert event.output == self.expected(own)
            names = ("first", "second") if self.program.hooks else ()
            assert pending == [(name, [(name, value) for value in own]) for name in names]
            pending = []
            place += len(event.output)
        assert (place, pending) == (len(values), [])


async def execute(program: Program) -> None:
    """Run a program, and check what can be seen from outside."""
    model = Model(program)
    batches = Recorder()
    options: dict[str, Any] = {"executor": "inline"} if program.kind == "inline" else {}
    function: Callable[[Any], Any] = model.asynchronous if program.kind == "coroutine" else model
    serving: Serving[Value, Any] = Serving(
        function,
        name="program",
        batch_size=program.batch_size,
        batch_timeout=program.batch_timeout,
        partitions=program.partitions,
        hooks=("first", "second") if program.hooks else (),
        max_queue=program.max_queue,
        callbacks=[batches],
        **options,
    )
    acting = Callers(program, serving)
    await serving.start()
    running = asyncio.gather(*[acting.run(number) for number in range(len(program.callers))])
    if program.closes_after is None:
        await asyncio.wait_for(running, 20)
    else:
        await turns(program.closes_after)
    await serving.aclose(drain=program.drain)
    await asyncio.wait_for(running, 20)
    await (
        asyncio.get_running_loop().shutdown_default_executor()
    )  # threads whose task gave up go on until answered

    stats = serving.stats()
    assert (stats.waiting, stats.executing) == (0, 0)
    assert max(model.executed.values(), default=1) == 1  # nothing is executed twice
    if all(
        caller.gives_up is None for caller in program.callers
    ):  # a thread or an inline batch goes on alone
        assert stats.items == model.executed.total()
    check_runs(program, acting.recorders, batches)


def check_runs(program: Program, recorders: list[Recorder], batches: Recorder) -> None:
    """Assert that runs are whole, that handlers saw their own callers' events alone, and are linked."""
    check_lifecycle(batches)
    for number, recorder in enumerate(recorders):
        check_lifecycle(recorder)
        for name in ("first", "second"):
            for payload in recorder.events(name):
                assert all(entry[0] == name and entry[1][0] == number for entry in payload)
    linked = {batch.id: {link.id for link in batch.links} for batch in batches.runs()}
    for recorder in recorders:
        for run in recorder.runs():
            for link in run.links:  # both ways; who gives up may do so before the batch's thread came to it
                assert run.outcome is Outcome.CANCELLED or link.id in linked
                assert run.id in linked.get(link.id, {run.id})
            if run.outcome is Outcome.OK and run.input not in ([], ()):
                assert run.links


@given(programs)
def test_every_accepted_item_is_answered_once_to_its_own_caller(program: Program) -> None:
    """With its own slice of results and events, in its order; or it fails with an error that says why."""
    asyncio.run(execute(program))


@given(programs)
def test_the_same_holds_on_a_loop_in_a_thread(program: Program) -> None:
    """All callers are threads, as in a synchronous program."""
    model = Model(program)
    options: dict[str, Any] = {"executor": "inline"} if program.kind == "inline" else {}
    function: Callable[[Any], Any] = model.asynchronous if program.kind == "coroutine" else model
    serving: Serving[Value, Any] = Serving(
        function,
        batch_size=program.batch_size,
        partitions=program.partitions,
        hooks=("first", "second") if program.hooks else (),
        max_queue=program.max_queue,
        **options,
    )
    acting = Callers(program, serving)

    def act(number: int) -> None:
        caller = program.callers[number]
        values = [(number, place) for place in range(caller.count)]
        with (
            suppress(BatchError, ItemError, QueueFullError, ServingClosedError, ValueError),
            callbacks(acting.recorders[number]),
        ):
            acting.check(list(serving.stream_many_sync(values)), values)

    with serving:
        joins = [in_thread(lambda number=number: act(number)) for number in range(len(program.callers))]  # type: ignore[misc]
        for join in joins:
            join()

    assert serving.stats().items + serving.stats().withdrawn <= sum(
        caller.count for caller in program.callers
    )
    assert max(model.executed.values(), default=1) == 1
    for recorder in acting.recorders:
        check_lifecycle(recorder)


@pytest.mark.parametrize("how", HOWS)
async def test_each_way_to_call_is_answered(how: str) -> None:
    """The programs above do answer their callers where nothing goes wrong."""
    caller = Caller(how=how, count=7, turns=0, gives_up=None, timeout=None)
    nothing: frozenset[int] = frozenset()
    program = Program(
        callers=[caller] * 3, batch_size=3, batch_timeout=0.0, partitions=2, kind="thread", hooks=True, max_queue=99,
        failing=nothing, short=nothing, bad=nothing, drain=True, closes_after=None,
    )  # fmt: skip
    model = Model(program)
    async with Serving(model, batch_size=3, partitions=2, hooks=("first", "second")) as serving:
        acting = Callers(program, serving)
        values = [(0, place) for place in range(7)]
        await getattr(acting, how.replace(" ", "_"))(values, None)

    assert model.executed == Counter(values)
