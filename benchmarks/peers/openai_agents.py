"""OpenAI Agents: spans of a trace and processors of them; streams of runs, which no hook sees."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import agents
from agents.models.interface import Model
from agents.testing import assistant_message
from agents.tracing import TracingProcessor, custom_span, set_trace_processors, trace
from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _bare as bare
from benchmarks.peers._gauges import Tick, importing
from benchmarks.peers._gauges import memory as memory_gauge
from openai.types.responses import Response, ResponseCompletedEvent, ResponseTextDeltaEvent

TITLE = "OpenAI Agents"
DISTRIBUTION = "openai-agents"

# In place of the one that exports to a server.
set_trace_processors([])


class Count(TracingProcessor):
    """Counts starts and ends of spans."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def on_span_start(self, span: Any) -> None:
        self.counter.seen += 1

    def on_span_end(self, span: Any) -> None:
        self.counter.seen += 1

    def on_trace_start(self, trace: Any) -> None:
        pass

    def on_trace_end(self, trace: Any) -> None:
        pass

    def shutdown(self) -> None:
        pass

    def force_flush(self) -> None:
        pass


def _processed(counter: Counter, handlers: int) -> Callable[[], AbstractContextManager[None]]:
    @contextlib.contextmanager
    def around() -> Iterator[None]:
        set_trace_processors([Count(counter) for _ in range(handlers)])
        try:
            yield
        finally:
            set_trace_processors([])

    return around


def call(handlers: int) -> Work:
    """A custom span around each call, within one trace: the lightest that processors see."""
    counter = Counter()

    async def run(count: int) -> None:
        with trace("bench"):
            for number in range(count):
                with custom_span("call"):
                    await bare.echo(number)

    return Work(run, bare.repeat, counter, 2 * handlers, around=_processed(counter, handlers))


def call_sync(handlers: int) -> Work:
    """A custom span around each call, within one trace: the lightest that processors see."""
    counter = Counter()

    def run(count: int) -> None:
        with trace("bench"):
            for number in range(count):
                with custom_span("call"):
                    bare.echo_sync(number)

    return Work(run, bare.repeat_sync, counter, 2 * handlers, around=_processed(counter, handlers))


class Deltas(Model):
    """A model that streams so many pieces of text."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.final = Response(
            id="r", created_at=0.0, model="bench", object="response", output=[assistant_message("word")],
            parallel_tool_calls=False, tool_choice="none", tools=[],
        )  # fmt: skip

    async def get_response(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        for place in range(self.size):
            yield ResponseTextDeltaEvent.model_construct(
                type="response.output_text.delta", content_index=0, delta="word", item_id="m",
                logprobs=[], output_index=0, sequence_number=place,
            )  # fmt: skip
        yield ResponseCompletedEvent.model_construct(
            type="response.completed", response=self.final, sequence_number=self.size
        )


def _is_delta(event: Any) -> bool:
    return bool(event.type == "raw_response_event" and event.data.type == "response.output_text.delta")


async def _read_model(count: int) -> int:
    seen = 0
    async for event in Deltas(count).stream_response():
        seen += event.type == "response.output_text.delta"
    return seen


def chunk(handlers: int) -> Work:
    """`Runner.run_streamed`, over the model's own stream. No hook sees a chunk: the consumer itself calls the handlers."""
    counter = Counter()
    options = agents.RunConfig(tracing_disabled=True)

    def handle(event: Any) -> None:
        counter.seen += 1

    called = [handle] * handlers

    async def run(count: int) -> int:
        seen = 0
        agent = agents.Agent(name="bench", model=Deltas(count))
        async for event in agents.Runner.run_streamed(agent, "hi", run_config=options).stream_events():
            if _is_delta(event):
                seen += 1
                for call_handler in called:
                    call_handler(event)
        return seen

    return Work(run, _read_model, counter, events=handlers)


def memory(chunks: int) -> Gauge | None:
    """`Runner.run_streamed`, whose consumer calls the handler."""
    counter = Counter()
    options = agents.RunConfig(tracing_disabled=True)

    async def stream(count: int, tick: Tick) -> None:
        agent = agents.Agent(name="bench", model=Deltas(count))
        async for event in agents.Runner.run_streamed(agent, "hi", run_config=options).stream_events():
            if _is_delta(event):
                counter.seen += 1
                tick()

    return memory_gauge(stream, lambda: counter.seen, chunks, most=100_000)


def import_time(_level: int) -> Gauge:
    """`import agents`."""
    return importing("import agents")
