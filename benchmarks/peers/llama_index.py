"""LlamaIndex: its dispatcher of spans and events, and workflows, which it watches."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.cases.hooks import NODES
from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _bare as bare
from benchmarks.peers._gauges import Tick, importing
from benchmarks.peers._gauges import memory as memory_gauge
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatInProgressEvent
from llama_index.core.instrumentation.span import BaseSpan
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from workflows import Workflow, step
from workflows.events import Event, StartEvent, StopEvent

TITLE = "LlamaIndex"
DISTRIBUTION = "llama-index-core"


def _span_handlers(count: int, counter: Counter) -> list[Any]:
    class Count(BaseSpanHandler[BaseSpan]):
        def new_span(self, *args: Any, **kwargs: Any) -> None:
            counter.seen += 1

        def prepare_to_exit_span(self, *args: Any, **kwargs: Any) -> None:
            counter.seen += 1

        def prepare_to_drop_span(self, *args: Any, **kwargs: Any) -> None:
            pass

    return [Count() for _ in range(count)]


def _token_handlers(count: int, counter: Counter) -> list[Any]:
    class Count(BaseEventHandler):
        def handle(self, event: Any, **kwargs: Any) -> None:
            if isinstance(event, LLMChatInProgressEvent):
                counter.seen += 1

    return [Count() for _ in range(count)]


def _dispatcher(handlers: int, counter: Counter) -> Any:
    dispatcher = get_dispatcher(f"bench.{handlers}")
    dispatcher.propagate = False
    dispatcher.span_handlers = _span_handlers(handlers, counter)
    return dispatcher


def call(handlers: int) -> Work:
    """A coroutine function decorated with `@dispatcher.span`; handlers are span handlers that keep no spans."""
    counter = Counter()

    # A function that is decorated again is left as it is: each level has one of its own.
    @_dispatcher(handlers, counter).span
    async def watched(x: int) -> int:
        return x

    async def run(count: int) -> None:
        for number in range(count):
            await watched(number)

    return Work(run, bare.repeat, counter, events=2 * handlers)


def call_sync(handlers: int) -> Work:
    """A function decorated with `@dispatcher.span`; handlers are span handlers that keep no spans."""
    counter = Counter()

    @_dispatcher(handlers, counter).span
    def watched(x: int) -> int:
        return x

    def run(count: int) -> None:
        for number in range(count):
            watched(number)

    return Work(run, bare.repeat_sync, counter, events=2 * handlers)


def crowd(handlers: int) -> Work:
    """A coroutine function decorated with `@dispatcher.span`; handlers are span handlers that keep no spans."""
    counter = Counter()

    @_dispatcher(handlers, counter).span
    async def watched(x: int) -> int:
        return await bare.pause(x)

    async def run(count: int) -> None:
        await bare.crowd_of(watched, count)

    return Work(run, bare.crowd, counter, events=2 * handlers)


class Model(CustomLLM):
    """A chat model of so many chunks."""

    size: int

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text="word")

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        yield CompletionResponse(text="word")

    @llm_chat_callback()
    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return _responses(self.size)


async def _responses(count: int) -> AsyncIterator[ChatResponse]:
    reply = ChatMessage(role="assistant", content="")
    for _ in range(count):
        yield ChatResponse(message=reply, delta="word")


async def _read_responses(count: int) -> int:
    seen = 0
    async for _ in _responses(count):
        seen += 1
    return seen


async def _read_model(count: int) -> int:
    seen = 0
    async for _ in await Model(size=count).astream_chat([ChatMessage(role="user", content="hi")]):
        seen += 1
    return seen


def _at_root(*, spans: list[Any], events: list[Any]) -> Callable[[], AbstractContextManager[None]]:
    """Return what puts handlers at the root of all dispatchers, in place of the silent ones that are there."""
    root = get_dispatcher()

    @contextlib.contextmanager
    def around() -> Iterator[None]:
        before = root.span_handlers, root.event_handlers
        root.span_handlers, root.event_handlers = spans or before[0], events or before[1]
        try:
            yield
        finally:
            root.span_handlers, root.event_handlers = before

    return around


def chunk(handlers: int) -> Work:
    """A model's `astream_chat` with `@llm_chat_callback`, which makes an event of each chunk, over its own stream."""
    counter = Counter()
    around = _at_root(spans=[], events=_token_handlers(handlers, counter))
    return Work(_read_model, _read_responses, counter, events=handlers, around=around)


def _chain_events(handlers: int) -> Callable[[int], int]:
    return lambda count: 2 * handlers * (NODES + 1) * (count // NODES)


def _linear() -> Any:
    """Return a workflow of ten steps, each of which answers an event with the next."""
    events: list[Any] = [type(f"Event{place}", (Event,), {}) for place in range(NODES - 1)]
    steps = {
        f"step{place}": _step(f"step{place}", taken, given)
        for place, (taken, given) in enumerate(zip([StartEvent, *events], [*events, StopEvent], strict=True))
    }
    return type("Chain", (Workflow,), steps)(timeout=None)


def _step(name: str, taken: Any, given: Any) -> Any:
    async def pass_on(self: Any, event: Any) -> Any:
        return given(result=event.value) if given is StopEvent else given(value=event.value)

    pass_on.__name__, pass_on.__qualname__ = name, f"Chain.{name}"
    pass_on.__annotations__ = {"event": taken, "return": given}
    return step(pass_on)


def chain(handlers: int) -> Work:
    """A `Workflow` of ten steps, which are tasks that answer events with events; handlers are span handlers."""
    workflow, counter = _linear(), Counter()

    async def run(count: int) -> None:
        for number in range(count // NODES):
            await workflow.run(value=number)

    around = _at_root(spans=_span_handlers(handlers, counter), events=[])
    return Work(run, bare.chain, counter, _chain_events(handlers), around=around)


def memory(chunks: int) -> Gauge | None:
    """A model's `astream_chat` with `@llm_chat_callback`."""
    counter = Counter()

    async def stream(count: int, tick: Tick) -> None:
        with _at_root(spans=[], events=_token_handlers(1, counter))():
            async for _ in await Model(size=count).astream_chat([ChatMessage(role="user", content="hi")]):
                tick()

    return memory_gauge(stream, lambda: counter.seen, chunks, most=1_000_000)


def import_time(_level: int) -> Gauge:
    """`import llama_index.core.instrumentation`, which imports the whole of the core."""
    return importing("from llama_index.core.instrumentation import get_dispatcher")
