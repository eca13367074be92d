"""What the tests with OpenTelemetry share: its SDK, handlers that open a span around each run, and what is asserted."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from sideband import Ending, Handler, Run, component, handler

from .helpers import until, watched


class Spans(SpanProcessor):
    """Keeps every span that was started, and every one that was ended, as often as it was."""

    def __init__(self) -> None:
        self.started: list[ReadableSpan] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.started.append(span)

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)

    def clear(self) -> None:
        """Forget everything."""
        self.started.clear()
        self.ended.clear()

    def tree(self) -> str:
        """Draw what was started as text, children under their parents, in the order of their names."""

        def lines(parent: int | None, depth: int) -> Iterator[str]:
            children = [span for span in self.started if (span.parent and span.parent.span_id) == parent]
            for span in sorted(children, key=lambda span: span.name):
                yield "  " * depth + span.name
                yield from lines(identity(span), depth + 1)

        return "\n".join(lines(None, 0))


def identity(span: ReadableSpan) -> int:
    """Return a span's own id."""
    found = span.get_span_context()
    assert found is not None
    return found.span_id


spans = Spans()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(spans)
tracer = provider.get_tracer("tests")


@handler
def generator(run: Run, value: Any) -> Generator[None, Ending]:
    """Open a span around the run, as one writes a fixture."""
    with tracer.start_as_current_span(run.name, attributes={"run": run.id}):
        yield


@handler
async def async_generator(run: Run, value: Any) -> AsyncGenerator[None, Ending]:
    """Do so, waiting."""
    await asyncio.sleep(0)
    with tracer.start_as_current_span(run.name, attributes={"run": run.id}):
        yield
        await asyncio.sleep(0)


class Attaching(Handler):
    """Attaches a span at the start and detaches it at the end, as instrumentations do."""

    def on_start(self, run: Run, input: Any) -> Any:  # noqa: A002
        span = tracer.start_span(run.name, attributes={"run": run.id})
        token = context.attach(trace.set_span_in_context(span))
        run.state[self] = span, token

    def on_end(self, run: Run, output: Any) -> Any:
        span, token = run.state[self]
        context.detach(token)
        span.end()

    def on_error(self, run: Run, error: BaseException) -> Any:
        run.state[self][0].record_exception(error)
        self.on_end(run, None)


class AsyncAttaching(Handler):
    """Does so, waiting."""

    def __init__(self) -> None:
        self.plain = Attaching()

    async def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        await asyncio.sleep(0)
        self.plain.on_start(run, input)

    async def on_end(self, run: Run, output: Any) -> None:
        await asyncio.sleep(0)
        self.plain.on_end(run, output)

    async def on_error(self, run: Run, error: BaseException) -> None:
        await asyncio.sleep(0)
        self.plain.on_error(run, error)


SORTS: dict[str, Callable[[], Handler]] = {
    "generator": lambda: generator,
    "class": Attaching,
    "async_generator": lambda: async_generator,
    "async_class": AsyncAttaching,
}

plain = pytest.mark.parametrize("sort", ["generator", "class"])
"""Handlers that synchronous runs can call, and finalizers."""

every = pytest.mark.parametrize("sort", SORTS)


@contextmanager
def traced(sort: str, expected: str) -> Generator[Callable[[], None]]:
    """Trace a block by a handler of a sort, inside of a span of its own, and assert all that tracing may not break.

    Gives a function that asserts that the caller stands where it stood, to be called between chunks.
    """
    spans.clear()
    complaints: list[str] = []
    listening = logging.Handler(logging.WARNING)
    listening.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    # What is slow on a busy machine is only a warning of asyncio's.
    listening.addFilter(lambda record: record.name != "asyncio" or record.levelno >= logging.ERROR)
    loggers = [logging.getLogger(name) for name in ("opentelemetry", "asyncio")]
    for logger in loggers:
        logger.addHandler(listening)
    try:
        with watched(SORTS[sort]()) as recorder, tracer.start_as_current_span("consumer") as own:
            before = variables()

            def untouched() -> None:
                assert trace.get_current_span() is own
                assert variables() == before

            yield untouched
            untouched()
    finally:
        for logger in loggers:
            logger.removeHandler(listening)

    assert complaints == []
    assert spans.tree() == drawn(expected), spans.tree()
    assert sorted(map(identity, spans.ended)) == sorted(map(identity, spans.started))
    of_runs = [span.attributes["run"] for span in spans.started if span.attributes]
    assert sorted(map(str, of_runs)) == sorted(run.id for run in recorder.runs())


async def expire_in_a_body(limit: asyncio.Timeout) -> None:
    """Let a timeout expire once a body waits in its own span, inside of its run's, inside of the consumer's."""
    await until(lambda: len(spans.started) == 3)
    limit.reschedule(asyncio.get_running_loop().time())


def variables() -> dict[contextvars.ContextVar[Any], int]:
    """Return every context variable that is set, with its value's identity."""
    return {variable: id(value) for variable, value in contextvars.copy_context().items()}


def drawn(expected: str) -> str:
    """Return the tree that a line says: "a(b c(d))" has the children b and c under a."""
    lines, depth, word = ["consumer"], 1, ""
    for letter in f"{expected} ":
        if letter in "() ":
            if word:
                lines.append("  " * depth + word)
            word = ""
            depth += (letter == "(") - (letter == ")")
        else:
            word += letter
    return "\n".join(lines)


@component("Tool")
def tool() -> int:
    """Open a span of its own, as a library does that knows OpenTelemetry alone."""
    with tracer.start_as_current_span("request"):
        return 1


@component("Tool")
async def tool_async() -> int:
    """Open a span of its own, and wait in it."""
    with tracer.start_as_current_span("request"):
        await asyncio.sleep(0)
        return 1


@component("ChatModel")
def chat(failing_at: int | None = None) -> Generator[int]:
    """Stream three chunks, with a span of its own for each."""
    for number in range(3):
        with tracer.start_as_current_span("request"):
            if number == failing_at:
                raise LookupError(number)
        yield number


async def numbers(failing_at: int | None = None) -> AsyncGenerator[int]:
    """Stream three chunks, with a span of its own for each, and wait in it."""
    for number in range(3):
        with tracer.start_as_current_span("request"):
            await asyncio.sleep(0)
            if number == failing_at:
                raise LookupError(number)
        yield number


chat_async = component("ChatModel", name="chat_async")(numbers)


@component("Lambda")
async def outer(*names: str) -> AsyncGenerator[int]:
    """Stream what streams inside of it give."""
    for name in names:
        async with aclosing(component("ChatModel", name=name)(numbers)()) as inner:
            async for chunk in inner:
                yield chunk
