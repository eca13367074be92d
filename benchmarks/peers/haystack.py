"""Haystack: a pipeline of components, seen by a tracer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.cases.hooks import NODES
from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers._gauges import importing
from haystack import Pipeline, component, tracing

TITLE = "Haystack"
DISTRIBUTION = "haystack-ai"


@component
class Identity:
    """A component of a pipeline, synchronous and asynchronous."""

    @component.output_types(value=int)
    def run(self, value: int) -> dict[str, int]:
        """Return what came."""
        return {"value": value}

    @component.output_types(value=int)
    async def run_async(self, value: int) -> dict[str, int]:
        """Return what came."""
        return {"value": value}


class Span(tracing.Span):
    """Takes tags and forgets them."""

    def set_tag(self, key: str, value: Any) -> None:
        pass


class Tracer(tracing.Tracer):
    """Haystack takes one tracer: several handlers are called by it."""

    def __init__(self, counter: Counter, handlers: int) -> None:
        self.counter = counter
        self.handlers = range(handlers)

    @contextlib.contextmanager
    def trace(self, operation_name: str, tags: Any = None, parent_span: Any = None) -> Iterator[Any]:
        for _ in self.handlers:
            self.counter.seen += 1
        yield Span()
        for _ in self.handlers:
            self.counter.seen += 1

    def current_span(self) -> Any:
        return None


def _tracing(counter: Counter, handlers: int) -> Callable[[], AbstractContextManager[None]]:
    @contextlib.contextmanager
    def around() -> Iterator[None]:
        if handlers:
            tracing.enable_tracing(Tracer(counter, handlers))
        try:
            yield
        finally:
            tracing.disable_tracing()

    return around


def _linear() -> Any:
    pipeline: Any = Pipeline()
    for place in range(NODES):
        pipeline.add_component(f"n{place}", Identity())
        if place:
            pipeline.connect(f"n{place - 1}.value", f"n{place}.value")
    pipeline.warm_up()
    return pipeline


def _chain_events(handlers: int) -> Callable[[int], int]:
    return lambda count: 2 * handlers * (NODES + 1) * (count // NODES)


async def _bare(count: int) -> None:
    node = Identity()
    for number in range(count // NODES):
        value = {"value": number}
        for _ in range(NODES):
            value = await node.run_async(**value)


def _bare_sync(count: int) -> None:
    node = Identity()
    for number in range(count // NODES):
        value = {"value": number}
        for _ in range(NODES):
            value = node.run(**value)


def chain(handlers: int) -> Work:
    """A `Pipeline` by `run_async`; there is one tracer, so that three handlers are three counts in it."""
    pipeline, counter = _linear(), Counter()

    async def run(count: int) -> None:
        for number in range(count // NODES):
            await pipeline.run_async({"n0": {"value": number}})

    return Work(run, _bare, counter, _chain_events(handlers), around=_tracing(counter, handlers))


def chain_sync(handlers: int) -> Work:
    """A `Pipeline` by `run`; there is one tracer, so that three handlers are three counts in it."""
    pipeline, counter = _linear(), Counter()

    def run(count: int) -> None:
        for number in range(count // NODES):
            pipeline.run({"n0": {"value": number}})

    return Work(run, _bare_sync, counter, _chain_events(handlers), around=_tracing(counter, handlers))


def import_time(_level: int) -> Gauge:
    """`from haystack import Pipeline, component, tracing`."""
    return importing("from haystack import Pipeline, component, tracing")
