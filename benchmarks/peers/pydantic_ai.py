"""Pydantic AI: hooks of an agent. It watches agents alone, so that a call is a whole run of one, with a model of no work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _bare as bare
from benchmarks.peers._gauges import Tick, importing
from benchmarks.peers._gauges import memory as memory_gauge
from pydantic_ai import Agent
from pydantic_ai.capabilities import Hooks
from pydantic_ai.messages import ModelResponse, PartDeltaEvent, TextPart
from pydantic_ai.models.function import FunctionModel

TITLE = "Pydantic AI"
DISTRIBUTION = "pydantic-ai-slim"


async def _answer(messages: Any, info: Any) -> ModelResponse:
    return ModelResponse(parts=[TextPart("word")])


def _streaming(count: int) -> FunctionModel:
    async def stream(messages: Any, info: Any) -> AsyncIterator[str]:
        for _ in range(count):
            yield "word"

    return FunctionModel(_answer, stream_function=stream)


def _call_hooks(counter: Counter) -> Any:
    hooks: Any = Hooks()

    @hooks.on.before_model_request
    async def before(context: Any, request_context: Any) -> Any:
        counter.seen += 1
        return request_context

    @hooks.on.after_model_request
    async def after(context: Any, *, request_context: Any, response: Any) -> Any:
        counter.seen += 1
        return response

    return hooks


def _token_hooks(counter: Counter) -> Any:
    hooks: Any = Hooks()

    @hooks.on.event(PartDeltaEvent)
    async def delta(context: Any, event: Any) -> None:
        counter.seen += 1

    return hooks


def call(handlers: int) -> Work:
    """`Agent.run` with a `FunctionModel`: a whole agent; handlers are asynchronous hooks around its one request."""
    counter = Counter()
    agent = Agent(FunctionModel(_answer), capabilities=[_call_hooks(counter) for _ in range(handlers)])

    async def run(count: int) -> None:
        for _ in range(count):
            await agent.run("hi")

    return Work(run, bare.repeat, counter, events=2 * handlers)


async def _read(model: FunctionModel, hooks: list[Any]) -> int:
    seen = 0
    async with Agent(model, capabilities=hooks).run_stream("hi") as result:
        async for _ in result.stream_text(delta=True, debounce_by=None):
            seen += 1
    return seen


def chunk(handlers: int) -> Work:
    """`Agent.run_stream` with asynchronous hooks of events; the first chunk is a part's start, and no delta."""
    counter = Counter()

    async def run(count: int) -> int:
        return await _read(_streaming(count), [_token_hooks(counter) for _ in range(handlers)])

    return Work(run, bare.read, counter, events=lambda count: handlers * (count - 1))


def memory(chunks: int) -> Gauge | None:
    """`Agent.run_stream` with an asynchronous hook of events; the first chunk is a part's start, and no delta."""
    counter = Counter()

    async def stream(count: int, tick: Tick) -> None:
        counter.seen += 1
        async with Agent(_streaming(count), capabilities=[_token_hooks(counter)]).run_stream("hi") as result:
            async for _ in result.stream_text(delta=True, debounce_by=None):
                tick()

    return memory_gauge(stream, lambda: counter.seen, chunks, most=100_000)


def import_time(_level: int) -> Gauge:
    """`from pydantic_ai import Agent`."""
    return importing("from pydantic_ai import Agent")
