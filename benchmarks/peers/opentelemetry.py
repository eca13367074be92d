"""OpenTelemetry: spans, and the SDK's processors, which see them start and end. No chunks: a span has no such timing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.cases.hooks import NODES
from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _bare as bare
from benchmarks.peers._gauges import importing
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

TITLE = "OpenTelemetry SDK"
DISTRIBUTION = "opentelemetry-sdk"


class Count(SpanProcessor):
    """Counts starts and ends."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.counter.seen += 1

    def on_end(self, span: Any) -> None:
        self.counter.seen += 1


class SlowExporter(SpanExporter):
    """Takes a millisecond for each span, until it is over."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.over = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for _ in spans:
            self.over.wait(0.001)
            self.counter.seen += 1
        return SpanExportResult.SUCCESS


def _tracer(handlers: int, counter: Counter) -> trace.Tracer:
    """Return a tracer with so many processors; that of the API alone, which makes no spans, where there are none."""
    if not handlers:
        return trace.NoOpTracerProvider().get_tracer("bench")
    provider = TracerProvider(shutdown_on_exit=False)
    for _ in range(handlers):
        provider.add_span_processor(Count(counter))
    return provider.get_tracer("bench")


def call(handlers: int) -> Work:
    """A span made current around each call; without handlers the API's own tracer, which makes none."""
    counter = Counter()
    tracer = _tracer(handlers, counter)

    async def run(count: int) -> None:
        for number in range(count):
            with tracer.start_as_current_span("call"):
                await bare.echo(number)

    return Work(run, bare.repeat, counter, events=2 * handlers)


def call_sync(handlers: int) -> Work:
    """A span made current around each call; without handlers the API's own tracer, which makes none."""
    counter = Counter()
    tracer = _tracer(handlers, counter)

    def run(count: int) -> None:
        for number in range(count):
            with tracer.start_as_current_span("call"):
                bare.echo_sync(number)

    return Work(run, bare.repeat_sync, counter, events=2 * handlers)


def crowd(handlers: int) -> Work:
    """A span made current around each call; without handlers the API's own tracer, which makes none."""
    counter = Counter()
    tracer = _tracer(handlers, counter)

    async def watched(number: int) -> int:
        with tracer.start_as_current_span("call"):
            return await bare.pause(number)

    async def run(count: int) -> None:
        await bare.crowd_of(watched, count)

    return Work(run, bare.crowd, counter, events=2 * handlers)


def _chain_events(handlers: int) -> Callable[[int], int]:
    return lambda count: 2 * handlers * (NODES + 1) * (count // NODES)


def chain(handlers: int) -> Work:
    """A span around ten awaited functions, and one around each: there is no graph."""
    counter = Counter()
    tracer = _tracer(handlers, counter)

    async def run(count: int) -> None:
        for number in range(count // NODES):
            x = number
            with tracer.start_as_current_span("chain"):
                for _ in range(NODES):
                    with tracer.start_as_current_span("node"):
                        x = await bare.echo(x)

    return Work(run, bare.chain, counter, events=_chain_events(handlers))


def background(handlers: int) -> Work:
    """A `BatchSpanProcessor` with its defaults, whose exporter takes a millisecond a span; it sees ends alone."""
    counter = Counter()
    providers: list[TracerProvider] = []

    @contextlib.contextmanager
    def around() -> Iterator[None]:
        slow = [SlowExporter(counter) for _ in range(handlers)]
        provider = TracerProvider(shutdown_on_exit=False)
        for exporter in slow:
            provider.add_span_processor(BatchSpanProcessor(exporter))
        providers[:] = [provider]
        yield
        for exporter in slow:
            exporter.over.set()
        provider.shutdown()

    async def run(count: int) -> None:
        tracer = providers[0].get_tracer("bench")
        for number in range(count):
            with tracer.start_as_current_span("call"):
                await bare.echo(number)

    def settle() -> None:
        # A flush waits for the whole queue: worth its time where the events are counted.
        if counter.seen < 3 * 2 * handlers:
            providers[0].force_flush()

    return Work(run, bare.repeat, counter, events=handlers, settle=settle, around=around)


def import_time(_level: int) -> Gauge:
    """`from opentelemetry.sdk.trace import SpanProcessor, TracerProvider`."""
    return importing("from opentelemetry.sdk.trace import SpanProcessor, TracerProvider")


def growth_handlers(handlers: int) -> Work:
    """As the asynchronous call."""
    return call(handlers)


def growth_depth(depth: int) -> Work:
    """A function that awaits itself, a span around each."""
    counter = Counter()
    tracer = _tracer(1, counter)

    async def nest(left: int) -> int:
        with tracer.start_as_current_span("call"):
            return await nest(left - 1) if left > 1 else left

    async def run(count: int) -> None:
        for _ in range(count):
            await nest(depth)

    return Work(run, bare.nests(depth), counter, events=2 * depth)
