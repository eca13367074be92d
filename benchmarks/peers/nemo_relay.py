"""NeMo Relay: scopes and managed calls; subscribers run on a thread of its own, so that it waits for them to settle."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _bare as bare
from benchmarks.peers._gauges import Tick, importing
from benchmarks.peers._gauges import memory as memory_gauge
from nemo_relay import LLMRequest, ScopeType, llm, scope, subscribers

TITLE = "NeMo Relay"
DISTRIBUTION = "nemo-relay"

TOKEN = {"token": "word"}


def _subscribed(handle: Callable[[Any], None], count: int) -> Callable[[], AbstractContextManager[None]]:
    @contextlib.contextmanager
    def around() -> Iterator[None]:
        names = [f"bench-{place}" for place in range(count)]
        for name in names:
            subscribers.register(name, handle)
        try:
            yield
        finally:
            for name in names:
                subscribers.deregister(name)

    return around


def _work(run: Any, plain: Any, handlers: int, events: int) -> Work:
    """Return work under so many counting subscribers."""
    counter = Counter()

    def handle(event: Any) -> None:
        counter.seen += 1

    around = _subscribed(handle, handlers)
    return Work(run, plain, counter, events * handlers, subscribers.flush, around=around)


def call(handlers: int) -> Work:
    """A scope around each call, the lightest that subscribers see; a managed call of a tool costs ten times as much."""

    async def run(count: int) -> None:
        for number in range(count):
            with scope.scope("call", ScopeType.Function):
                await bare.echo(number)

    return _work(run, bare.repeat, handlers, events=2)


def call_sync(handlers: int) -> Work:
    """A scope around each call."""

    def run(count: int) -> None:
        for number in range(count):
            with scope.scope("call", ScopeType.Function):
                bare.echo_sync(number)

    return _work(run, bare.repeat_sync, handlers, events=2)


async def _tokens(count: int) -> AsyncIterator[dict[str, str]]:
    for _ in range(count):
        yield TOKEN


async def _read_tokens(count: int) -> int:
    seen = 0
    async for _ in _tokens(count):
        seen += 1
    return seen


async def _managed(count: int) -> Any:
    request = LLMRequest({}, {"model": "bench", "messages": []})
    # What collects may not block, and what it collects is not wanted: nothing is kept.
    return await llm.stream_execute("bench", request, lambda _: _tokens(count), lambda _: None, dict)


def chunk(handlers: int) -> Work:
    """A managed stream of a language model, whose subscribers see each chunk as a mark; nothing is collected."""
    counter = Counter()

    def handle(event: Any) -> None:
        counter.seen += 1

    async def run(count: int) -> int:
        seen = 0
        with scope.scope("bench", ScopeType.Agent):
            async for _ in await _managed(count):
                seen += 1
        return seen

    around = _subscribed(handle, handlers)
    # The start and the end of the scope and of the managed call are seen, too.
    return Work(
        run, _read_tokens, counter, lambda count: handlers * (count + 4), subscribers.flush, around=around
    )


def background(handlers: int) -> Work:
    """A scope around each call; subscribers are behind a queue by nature. It drops nothing, and its queue is not bounded."""
    counter = Counter()
    over = threading.Event()

    def handle(event: Any) -> None:
        over.wait(0.001)
        counter.seen += 1

    @contextlib.contextmanager
    def around() -> Iterator[None]:
        over.clear()
        with _subscribed(handle, handlers)():
            yield
            over.set()
            subscribers.flush()

    async def run(count: int) -> None:
        for number in range(count):
            with scope.scope("call", ScopeType.Function):
                await bare.echo(number)

    return Work(run, bare.repeat, counter, 2 * handlers, around=around)


def memory(chunks: int) -> Gauge | None:
    """A managed stream of a language model; nothing is collected."""
    counter = Counter()

    def handle(event: Any) -> None:
        counter.seen += event.name == "llm.chunk"

    async def stream(count: int, tick: Tick) -> None:
        with _subscribed(handle, 1)(), scope.scope("bench", ScopeType.Agent):
            async for _ in await _managed(count):
                tick()
            await subscribers.flush_async()

    return memory_gauge(stream, lambda: counter.seen, chunks, most=100_000)


def import_time(_level: int) -> Gauge:
    """`import nemo_relay`."""
    return importing("import nemo_relay")
