"""The right parent for every run, whatever tasks and threads do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

import sideband
from sideband import add_global_handler, callbacks, component, current_run, metadata, observe, propagate
from sideband.testing import Recorder, check_lifecycle

from .helpers import watched


@component("Lambda")
def leaf(name: str) -> str:
    """Do nothing."""
    return name


@component("Lambda")
async def leaf_async(turns: int) -> int:
    """Let others have their turn."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return turns


async def test_parents_are_right_under_gather_and_task_groups() -> None:
    """Siblings that run at the same time, and end out of order, have one parent each, the right one."""

    @component("Lambda")
    async def parent(turns: list[int]) -> None:
        await asyncio.gather(*(leaf_async(turn) for turn in turns))
        async with asyncio.TaskGroup() as group:
            for turn in turns:
                group.create_task(leaf_async(turn))

    with watched() as recorder:
        await asyncio.gather(parent([3, 1, 2]), parent([1, 2]))

    first, second = recorder.runs("parent")
    assert [run.input for run in recorder.children(first)] == [3, 1, 2] * 2
    assert [run.input for run in recorder.children(second)] == [1, 2] * 2


async def test_a_task_that_outlives_its_parent_keeps_it_as_parent() -> None:
    """A run may end after the run in which it was started; both are right."""
    go = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    @component("Lambda")
    async def late() -> None:
        await go.wait()

    @component("Lambda")
    async def parent() -> None:
        tasks.append(asyncio.create_task(late()))
        await asyncio.sleep(0)

    with watched() as recorder:
        await parent()
        assert recorder.run("parent").outcome == "ok"
        go.set()
        await tasks[0]

    assert recorder.run("late").parent is recorder.run("parent")


async def test_to_thread_carries_parents_by_itself() -> None:
    """A thread that has a copy of the context has its run."""

    @component("Lambda")
    async def parent() -> None:
        await asyncio.gather(*(asyncio.to_thread(leaf, name) for name in "abc"))

    with watched() as recorder:
        await parent()

    assert {run.input for run in recorder.children(recorder.run("parent"))} == set("abc")


def test_propagate_carries_parents_into_raw_threads_and_executors() -> None:
    """One bound function may run on any number of threads at once; an unbound one is not seen there."""

    @component("Lambda")
    def parent() -> None:
        bound = propagate(leaf)
        thread = threading.Thread(target=bound, args=("thread",))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(bound, ["a", "b", "c", "d"]))
            list(pool.map(leaf, ["unseen"]))

    with watched() as recorder:
        parent()

    names = {run.input for run in recorder.children(recorder.run("parent"))}
    assert names == {"thread", "a", "b", "c", "d"}
    assert len(recorder.runs()) == 6


def test_a_propagated_function_keeps_handlers_metadata_and_identity() -> None:
    """All of the caller's scope is carried, and what the function sets stays in it."""
    seen: list[object] = []

    def work() -> None:
        """Look around."""
        run = current_run()
        seen.append(run and run.name)
        with observe("inner") as inner:
            seen.append(dict(inner.metadata))

    with watched(), metadata(user="u"), observe("outer"):
        bound = propagate(work)
    bound()

    assert bound.__doc__ == "Look around."
    assert seen == ["outer", {"user": "u"}]


async def forbidden_async() -> None:
    """Be a coroutine function."""


async def forbidden_async_generator() -> AsyncGenerator[int]:
    """Be an asynchronous generator function."""
    yield 1


def forbidden_generator() -> object:
    """Be a generator function."""
    yield 1


@pytest.mark.parametrize("function", [forbidden_async, forbidden_async_generator, forbidden_generator])
def test_propagate_takes_plain_functions_alone(function: object) -> None:
    """The body of the others runs after the call has returned, outside of what was carried."""
    with pytest.raises(TypeError, match="takes a plain function"):
        propagate(function)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def test_streams_read_at_the_same_time_have_the_right_children() -> None:
    """Children belong to the stream in whose step they started, not to the one pulled last."""

    @component("Lambda")
    async def stream(name: str) -> AsyncGenerator[str]:
        for _ in range(2):
            yield leaf(name)

    with watched() as recorder:
        a, b = stream("a"), stream("b")
        async with aclosing(a), aclosing(b):
            for each in (a, b, b, a):
                await anext(each)
                leaf("between")

    for run in recorder.runs("stream"):
        assert [child.input for child in recorder.children(run)] == [run.input] * 2
    assert [run.parent for run in recorder.runs("leaf") if run.input == "between"] == [None] * 4


def test_handlers_may_be_registered_while_other_threads_run() -> None:
    """Runs on many threads and a registry that changes all the while: each handler sees whole runs."""
    recorders = [Recorder() for _ in range(20)]
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with observe("outer"):
                leaf("x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for recorder in recorders:
        with add_global_handler(recorder):
            while len(recorder) < 20:
                stop.wait(0)
    stop.set()
    for thread in threads:
        thread.join()

    for recorder in recorders:
        check_lifecycle(recorder)


def test_identities_are_the_same_on_every_thread() -> None:
    """Ids, state and attributes are made on first use, once, whichever thread is first."""
    barrier = threading.Barrier(8)
    seen: list[tuple[str, str, int, int]] = []

    def look() -> None:
        barrier.wait()
        seen.append((run.id, run.trace_id, id(run.state), id(run.attributes)))

    with watched(), observe("block") as run:
        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(set(seen)) == 1


def test_events_may_be_emitted_from_any_thread() -> None:
    """Each is told once, on the emitter's thread, also while others emit on the same run."""
    with watched() as recorder, observe("block") as run:

        def shout(number: int) -> None:
            for i in range(100):
                run.emit("shout", (number, i))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(shout, range(8)))

    assert sorted(recorder.events("shout")) == [(number, i) for number in range(8) for i in range(100)]
    assert all(record.payload[0] is not None for record in recorder if record.event)


def test_emit_goes_to_the_current_run() -> None:
    """An event belongs to the run in whose body it is emitted, and to nobody outside of runs."""
    with watched() as recorder:
        sideband.emit("lost")
        with observe("outer"):
            sideband.emit("one")
            with observe("inner"):
                sideband.emit("two", 2)
            sideband.emit("three")

    assert [(record.run.name, record.event, record.payload) for record in recorder if record.event] == [
        ("outer", "one", None),
        ("inner", "two", 2),
        ("outer", "three", None),
    ]


def test_callbacks_may_be_left_in_another_order_than_tasks_think() -> None:
    """A scope is a value in a context variable: leaving one in another task's context pops nothing."""

    async def main() -> list[str]:
        recorder = Recorder()
        entered = asyncio.Event()

        async def scoped() -> None:
            with callbacks(recorder):
                entered.set()
                await asyncio.sleep(0)
                leaf("seen")

        async def unscoped() -> None:
            await entered.wait()
            leaf("unseen")
            await asyncio.sleep(0)

        await asyncio.gather(scoped(), unscoped())
        return [run.input for run in recorder.runs()]

    assert asyncio.run(main()) == ["seen"]
