"""A handler that opens an OpenTelemetry span around each call: one span a run, under the right parent, closed in silence."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sideband import Abort, Run, callbacks, component, emit, observe, propagate

from .helpers import On, drive_to_its_own_wait, raising, until
from .tracing import every, expire_in_a_body, plain, spans, tool, tool_async, traced, tracer


@component("Lambda")
def parent(fails: bool = False) -> int:
    """Call two tools, and a library that knows OpenTelemetry alone."""
    found = tool() + tool()
    if fails:
        raise LookupError
    return found


@component("Lambda")
async def parent_async(fails: bool = False) -> int:
    """Await two tools."""
    found = await tool_async() + await tool_async()
    if fails:
        raise LookupError
    return found


@component("Lambda")
async def waiting() -> None:
    """Wait for ever, in a span of its own."""
    with tracer.start_as_current_span("request"):
        await asyncio.get_running_loop().create_future()


TWO = "parent(tool(request) tool(request))"
TWO_ASYNC = "parent_async(tool_async(request) tool_async(request))"


@plain
def test_a_function_has_one_span_around_its_children(sort: str) -> None:
    """Spans that the body opens itself are children of its run's span."""
    with traced(sort, TWO):
        assert parent() == 2


@every
async def test_a_coroutine_has_one_span_around_its_children(sort: str) -> None:
    """As functions do."""
    with traced(sort, TWO_ASYNC):
        assert await parent_async() == 2


@plain
def test_a_watched_block_has_one_span(sort: str) -> None:
    """`observe` is a run like any other."""
    with traced(sort, "block(tool(request))") as untouched:
        with observe("block"):
            tool()
        untouched()


@every
async def test_a_watched_asynchronous_block_has_one_span(sort: str) -> None:
    """Also with handlers that wait."""
    with traced(sort, "block(tool_async(request))") as untouched:
        async with observe("block"):
            await tool_async()
        untouched()


@plain
def test_a_function_that_fails_ends_its_span(sort: str) -> None:
    """Once, with the children's."""
    with traced(sort, TWO), pytest.raises(LookupError):
        parent(fails=True)


@every
async def test_a_coroutine_that_fails_ends_its_span(sort: str) -> None:
    """Once, with the children's."""
    with traced(sort, TWO_ASYNC), pytest.raises(LookupError):
        await parent_async(fails=True)


@every
async def test_gathered_calls_have_spans_beside_each_other(sort: str) -> None:
    """No sibling becomes another's child."""

    @component("Lambda")
    async def gathering() -> None:
        await asyncio.gather(tool_async(), parent_async(), tool_async())

    with traced(sort, f"gathering({TWO_ASYNC} tool_async(request) tool_async(request))"):
        await gathering()


@every
async def test_calls_of_a_task_group_have_spans_beside_each_other(sort: str) -> None:
    """Also where one of them fails and the others are cancelled."""

    @component("Lambda")
    async def grouping() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(waiting())
            group.create_task(parent_async(fails=True))

    with traced(sort, f"grouping({TWO_ASYNC} waiting(request))"), pytest.raises(ExceptionGroup):
        await grouping()


@every
async def test_a_task_that_outlives_its_parent_keeps_its_span(sort: str) -> None:
    """Its parent's span ends first, out of order; nothing is reset that is not its own."""

    @component("Lambda")
    async def starting() -> asyncio.Task[int]:
        return asyncio.create_task(parent_async())

    with traced(sort, f"starting({TWO_ASYNC})") as untouched:
        task = await starting()
        untouched()
        assert await task == 2


@plain
async def test_a_call_in_to_thread_is_a_child_of_the_awaiting_run(sort: str) -> None:
    """The thread has the body's context."""

    @component("Lambda")
    async def threading_out() -> int:
        return await asyncio.to_thread(parent)

    with traced(sort, f"threading_out({TWO})"):
        assert await threading_out() == 2


@plain
def test_calls_in_an_executor_through_propagate_are_children(sort: str) -> None:
    """Several at once, each in a context of its own."""

    def work(_: int) -> int:
        return parent()

    @component("Lambda")
    def spreading() -> int:
        with ThreadPoolExecutor(3) as pool:
            return sum(pool.map(propagate(work), range(3)))

    with traced(sort, f"spreading({TWO} {TWO} {TWO})"):
        assert spreading() == 6


@every
async def test_a_cancelled_call_ends_its_span(sort: str) -> None:
    """In the context in which it began, whoever cancels."""
    with traced(sort, "waiting(request)"):
        task = asyncio.create_task(waiting())
        await until(lambda: len(spans.started) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@every
async def test_a_call_that_times_out_ends_its_span(sort: str) -> None:
    """The timeout's own cancellation is one."""
    with traced(sort, "waiting(request)"), pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
            group.create_task(expire_in_a_body(limit))
            await waiting()


@pytest.mark.parametrize("sort", ["generator", "class", "async_generator"])
async def test_a_coroutine_that_is_closed_ends_its_span(sort: str) -> None:
    """As when it is dropped: handlers cannot wait, but a generator is closed in the run's own context."""
    with traced(sort, "waiting(request)"):
        coroutine = waiting()
        await drive_to_its_own_wait(coroutine)
        coroutine.close()


@every
async def test_a_call_that_a_handler_stops_ends_the_spans_outside_of_it(sort: str) -> None:
    """An `Abort` leaves no span open, and none current."""
    abort = Abort()

    with callbacks(raising("on_start", abort)), traced(sort, "parent_async"), pytest.raises(Abort) as caught:
        await parent_async()

    assert caught.value is abort


@every
async def test_failing_handlers_beside_it_do_not_disturb_a_span(sort: str) -> None:
    """Neither inside of it nor outside."""
    failing = [raising(timing, LookupError()) for timing in ("on_start", "on_end")]

    with callbacks(failing[0]), traced(sort, TWO_ASYNC), callbacks(failing[1]):
        assert await parent_async() == 2


@every
async def test_a_run_that_ends_while_a_thread_emits_on_it_ends_its_span(sort: str) -> None:
    """The handler of an event does not keep the run's own context from its ending."""
    emitting, ended = threading.Event(), threading.Event()

    def event(run: Run, name: str, payload: Any) -> None:
        emitting.set()
        assert ended.wait(20)

    @component("Lambda")
    async def working() -> None:
        thread = asyncio.get_running_loop().run_in_executor(None, propagate(lambda: emit("progress")))
        try:
            await thread
        finally:
            left.append(thread)

    left: list[asyncio.Future[None]] = []
    with traced(sort, "working"), callbacks(On("on_event", event)):
        task = asyncio.create_task(working())
        await until(emitting.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ended.set()
