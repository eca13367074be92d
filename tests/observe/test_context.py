"""Context variables: handlers' own reach the body and its children, and nobody else."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any

import pytest

from sideband import Ending, Handler, Run, callbacks, component, current_run, handler, observe
from sideband.testing import Recorder

from .helpers import On, watched

span: contextvars.ContextVar[str] = contextvars.ContextVar("span", default="none")
other: contextvars.ContextVar[Any] = contextvars.ContextVar("other", default=None)


@handler
def tracing(run: Run, value: Any) -> Generator[None, Ending]:
    """Set a variable around each run, and check that it is what it was when the run ends."""
    outer = span.get()
    mine = f"{outer}/{run.name}"
    token = span.set(mine)
    yield
    assert span.get() == mine
    span.reset(token)


@handler
async def tracing_async(run: Run, value: Any) -> AsyncGenerator[None, Ending]:
    """Set a variable around each run, waiting."""
    await asyncio.sleep(0)
    token = span.set(f"{span.get()}/{run.name}")
    yield
    await asyncio.sleep(0)
    span.reset(token)


@component("Lambda")
def child() -> str:
    """Return what a child sees."""
    return span.get()


@component("Lambda")
async def child_async() -> str:
    """Return what a child sees, after others have had their turn."""
    await asyncio.sleep(0)
    return child()


@pytest.mark.parametrize("tracer", [tracing, tracing_async])
async def test_a_variable_set_at_start_is_seen_by_body_and_children_alone(tracer: Handler) -> None:
    """Children under their parent's span, siblings beside each other; the caller's own value is untouched."""

    @component("Lambda")
    async def parent() -> list[str]:
        together = await asyncio.gather(child_async(), child_async())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(child_async())
        thread = await asyncio.to_thread(child)
        return [span.get(), *together, task.result(), thread, child(), span.get()]

    with watched(tracer):
        seen = await parent()
        assert span.get() == "none"

    inner = "none/parent"
    if tracer is tracing:
        leaves = [f"{inner}/child_async/child"] * 3 + [f"{inner}/child"] * 2
    else:  # the asynchronous one is skipped on synchronous runs
        leaves = [f"{inner}/child_async"] * 3 + [inner] * 2
    assert seen == [inner, *leaves, inner]


async def test_a_stream_sees_its_span_in_each_step_and_its_consumer_never() -> None:
    """Also where streams are nested, interleaved, and end out of order."""

    @component("Lambda")
    async def inner(name: str) -> AsyncGenerator[str]:
        for _ in range(2):
            yield f"{name} {span.get()}"

    @component("Lambda")
    async def outer(name: str) -> AsyncGenerator[str]:
        async with aclosing(inner(name)) as chunks:
            async for chunk in chunks:
                yield chunk
                yield span.get()

    seen: list[str] = []
    with watched(tracing):
        first, second = outer("a"), outer("b")
        for stream in (first, second, second, first, first):
            seen.append(await anext(stream))
            assert span.get() == "none"
            assert current_run() is None
        await first.aclose()
        seen += [chunk async for chunk in second]
        assert span.get() == "none"

    below = "none/outer/inner"
    assert seen == [
        f"a {below}",
        f"b {below}",
        "none/outer",
        "none/outer",
        f"a {below}",
        f"b {below}",
        "none/outer",
    ]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_body_that_sets_the_variable_itself_keeps_its_own_value(asynchronous: bool) -> None:
    """As unwatched, what a coroutine or function sets stays set for its caller."""

    @component("Lambda")
    def body() -> None:
        span.set("mine")

    @component("Lambda")
    async def body_async() -> None:
        span.set("mine")

    token = span.set("before")
    try:
        with watched(tracing):
            if asynchronous:
                await body_async()
            else:
                body()
        assert span.get() == "mine"
    finally:
        span.reset(token)


def test_a_stream_that_sets_the_variable_itself_keeps_it_between_its_steps() -> None:
    """The consumer sees it, as unwatched; once the body gives it back, the consumer has its own again."""

    @component("Lambda")
    def body() -> Generator[str]:
        yield span.get()
        token = span.set("mine")
        yield span.get()
        yield span.get()
        span.reset(token)
        yield span.get()
        yield span.get()

    outside: list[str] = []
    inside: list[str] = []
    with watched(tracing):
        for seen in body():
            inside.append(seen)
            outside.append(span.get())

    assert inside == ["none/body", "mine", "mine", "none/body", "none/body"]
    assert outside == ["none", "mine", "mine", "none", "none"]


def test_a_variable_that_the_consumer_sets_between_steps_is_its_own() -> None:
    """A generator handler's span does not undo what the consumer sets while it has the chunk."""

    @component("Lambda")
    def body() -> Generator[Any]:
        yield other.get()
        yield other.get()

    with watched(tracing):
        stream = body()
        assert next(stream) is None
        token = other.set("consumer")
        assert next(stream) == "consumer"
        assert other.get() == "consumer"
        other.reset(token)
        stream.close()


class Strange:
    """A value that cannot be compared, as arrays cannot."""

    def __eq__(self, value: object) -> bool:
        raise TypeError

    __hash__ = object.__hash__


def test_values_that_cannot_be_compared_are_no_trouble() -> None:
    """What handlers changed is found by identity where `==` fails."""
    first, second = Strange(), Strange()
    seen: list[Any] = []

    @component("Lambda")
    def body() -> None:
        seen.append(other.get())

    token = other.set(first)
    try:
        with callbacks(On("on_start", lambda *_: [other.set(second)])):
            body()
        assert other.get() is first
    finally:
        other.reset(token)

    assert seen == [second]


def test_two_handlers_share_the_private_context_of_a_run() -> None:
    """An inner handler sees what an outer one set: that is how a log line finds its span."""
    seen: list[str] = []

    class Inner(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            seen.append(span.get())

        def on_event(self, run: Run, name: str, payload: Any) -> None:
            seen.append(span.get())

        def on_end(self, run: Run, output: Any) -> None:
            seen.append(span.get())

    with watched(Inner(), tracing), observe("block") as run:
        run.emit("event")

    assert seen == ["none/block"] * 3


def test_a_variable_set_by_an_ending_or_an_event_reaches_nobody() -> None:
    """What handlers set after the start is theirs alone."""

    def leak(*_: Any) -> None:
        span.set("leaked")

    with watched(On("on_end", leak), On("on_event", leak), On("on_chunk", leak)):
        with observe("block") as run:
            run.emit("event")
            assert span.get() == "none"
        assert span.get() == "none"


def test_an_event_emitted_by_a_handler_is_told_in_a_copy_of_its_context() -> None:
    """While the run's private context is in use, an event neither fails nor leaks."""
    seen: list[tuple[str, str]] = []

    class Emitting(Handler):
        def on_end(self, run: Run, output: Any) -> None:
            seen.append(("end", span.get()))

        def on_event(self, run: Run, name: str, payload: Any) -> None:
            seen.append((name, span.get()))
            if name == "first":
                run.emit("second")
            span.set("leaked")

    with watched(Emitting(), tracing), observe("block") as run:
        run.emit("first")

    assert seen[:2] == [("first", "none/block"), ("second", "none/block")]


@pytest.mark.parametrize("tracer", [tracing, tracing_async])
async def test_an_event_emitted_in_a_thread_sees_the_span_of_its_run(tracer: Handler) -> None:
    """Whatever context the thread has, and while the run's own handlers wait."""
    seen: list[str] = []

    class Seeing(Handler):
        def on_event(self, run: Run, name: str, payload: Any) -> None:
            seen.append(span.get())

    with watched(Seeing(), tracer):
        async with observe("block") as run:
            await asyncio.get_running_loop().run_in_executor(None, run.emit, "event")

    assert seen == ["none/block"]


def test_components_called_by_a_handler_are_children_of_its_run() -> None:
    """A handler's own work is watched like any other, under the run that it handles."""

    class Working(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            if run.name == "block":
                child()

    with watched(Working()) as recorder, observe("block"):
        pass

    assert recorder.tree() == "block (Lambda): ok\n  child (Lambda): ok"


async def test_a_stream_read_in_several_tasks_sees_its_span_in_each() -> None:
    """The variables are set in whatever context pulls, and reset in that one."""

    @component("Lambda")
    async def body() -> AsyncGenerator[str]:
        while True:
            yield span.get()

    async def pull() -> tuple[str, str]:
        return await anext(stream), span.get()

    with watched(tracing):
        async with aclosing(body()) as stream:
            for _ in range(3):
                assert await asyncio.create_task(pull()) == ("none/body", "none")


async def test_a_stream_dropped_elsewhere_resets_nothing_in_a_foreign_context() -> None:
    """A finalizer runs wherever the last reference goes, and changes nothing there."""
    recorder = Recorder()

    @component("Lambda")
    async def body() -> AsyncGenerator[str]:
        yield span.get()

    async def start() -> list[AsyncGenerator[str]]:
        with callbacks(tracing, recorder):
            stream = body()
            await anext(stream)
            return [stream]

    kept = await asyncio.create_task(start())
    token = span.set("here")
    with pytest.warns(ResourceWarning, match="dropped half-read"):
        kept.clear()

    assert span.get() == "here"
    assert recorder.run().outcome == "closed"
    span.reset(token)


@pytest.mark.parametrize("handlers", [(), (Recorder(),), (tracing,)], ids=["unwatched", "watched", "changed"])
def test_a_step_may_go_on_in_another_context(handlers: tuple[Any, ...]) -> None:
    """Whoever drives a stream by hand may do so anywhere: watched it gives what it gives unwatched."""

    @component("Lambda")
    async def body() -> AsyncGenerator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    def drive(stream: AsyncGenerator[int]) -> Generator[int]:
        while True:
            step: Any = anext(stream)
            try:
                while True:
                    contextvars.copy_context().run(step.send, None)
            except StopIteration as stop:
                yield stop.value
            except StopAsyncIteration:
                return

    with callbacks(*handlers):
        assert list(drive(body())) == [0, 1, 2]
    assert current_run() is None
