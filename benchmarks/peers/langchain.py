"""LangChain core: callbacks of runnables and chat models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from benchmarks.cases.hooks import NODES
from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _bare as bare
from benchmarks.peers._gauges import Tick, importing
from benchmarks.peers._gauges import memory as memory_gauge
from benchmarks.peers._langchain import Calls, Tokens, config
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda, RunnableSequence

TITLE = "LangChain core"
DISTRIBUTION = "langchain-core"


class Model(BaseChatModel):
    """A chat model of so many chunks; the last one is marked, so that none is added."""

    size: int

    @property
    def _llm_type(self) -> str:
        return "bench"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="word"))])

    def _chunk(self, place: int) -> ChatGenerationChunk:
        if place == self.size - 1:
            return ChatGenerationChunk(message=AIMessageChunk(content="word", chunk_position="last"))
        return ChatGenerationChunk(message=AIMessageChunk(content="word"))

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[Any]:
        for place in range(self.size):
            yield self._chunk(place)

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        for place in range(self.size):
            yield self._chunk(place)


def call(handlers: int) -> Work:
    """`RunnableLambda.ainvoke`; handlers run inline."""
    runnable, counter = RunnableLambda(bare.echo), Counter()
    options = config([Calls(counter) for _ in range(handlers)])

    async def run(count: int) -> None:
        for number in range(count):
            await runnable.ainvoke(number, options)

    return Work(run, bare.repeat, counter, events=2 * handlers)


def call_sync(handlers: int) -> Work:
    """`RunnableLambda.invoke`."""
    runnable, counter = RunnableLambda(bare.echo_sync), Counter()
    options = config([Calls(counter) for _ in range(handlers)])

    def run(count: int) -> None:
        for number in range(count):
            runnable.invoke(number, options)

    return Work(run, bare.repeat_sync, counter, events=2 * handlers)


def crowd(handlers: int) -> Work:
    """`RunnableLambda.ainvoke`; handlers run inline."""
    runnable, counter = RunnableLambda(bare.pause), Counter()
    options = config([Calls(counter) for _ in range(handlers)])

    async def run(count: int) -> None:
        await bare.crowd_of(lambda number: runnable.ainvoke(number, options), count)

    return Work(run, bare.crowd, counter, events=2 * handlers)


def chunk(handlers: int) -> Work:
    """`BaseChatModel.astream`, over reading the model's own `_astream`; it also puts the chunks together to one message."""
    counter = Counter()
    options = config([Tokens(counter) for _ in range(handlers)])

    async def run(count: int) -> int:
        seen = 0
        async for _ in Model(size=count).astream("hi", options):
            seen += 1
        return seen

    return Work(run, _read_model, counter, events=handlers)


async def _read_model(count: int) -> int:
    seen = 0
    async for _ in Model(size=count)._astream("hi"):
        seen += 1
    return seen


def chunk_sync(handlers: int) -> Work:
    """`BaseChatModel.stream`, over reading the model's own `_stream`; it also puts the chunks together to one message."""
    counter = Counter()
    options = config([Tokens(counter) for _ in range(handlers)])

    def run(count: int) -> int:
        return sum(1 for _ in Model(size=count).stream("hi", options))

    return Work(run, _read_model_sync, counter, events=handlers)


def _read_model_sync(count: int) -> int:
    return sum(1 for _ in Model(size=count)._stream("hi"))


def _chain_events(handlers: int) -> Callable[[int], int]:
    return lambda count: 2 * handlers * (NODES + 1) * (count // NODES)


def chain(handlers: int) -> Work:
    """A `RunnableSequence` of `RunnableLambda`s, by `ainvoke`; handlers run inline."""
    sequence: Any = RunnableSequence(*[RunnableLambda(bare.echo) for _ in range(NODES)])
    counter = Counter()
    options = config([Calls(counter) for _ in range(handlers)])

    async def run(count: int) -> None:
        for number in range(count // NODES):
            await sequence.ainvoke(number, options)

    return Work(run, bare.chain, counter, events=_chain_events(handlers))


def chain_sync(handlers: int) -> Work:
    """A `RunnableSequence` of `RunnableLambda`s, by `invoke`."""
    sequence: Any = RunnableSequence(*[RunnableLambda(bare.echo_sync) for _ in range(NODES)])
    counter = Counter()
    options = config([Calls(counter) for _ in range(handlers)])

    def run(count: int) -> None:
        for number in range(count // NODES):
            sequence.invoke(number, options)

    return Work(run, bare.chain_sync, counter, events=_chain_events(handlers))


def memory(chunks: int) -> Gauge | None:
    """`BaseChatModel.astream`, which keeps every chunk for the message at the end, whoever wants that."""
    counter = Counter()

    async def stream(count: int, tick: Tick) -> None:
        async for _ in Model(size=count).astream("hi", config([Tokens(counter)])):
            tick()

    return memory_gauge(stream, lambda: counter.seen, chunks, most=1_000_000)


def memory_output(chunks: int) -> Gauge | None:
    """The same; the handler has `on_llm_end`, too."""
    counter = Counter()

    class Output(Tokens):
        def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
            pass

    async def stream(count: int, tick: Tick) -> None:
        async for _ in Model(size=count).astream("hi", config([Output(counter)])):
            tick()

    return memory_gauge(stream, lambda: counter.seen, chunks, most=1_000_000)


def import_time(_level: int) -> Gauge:
    """`RunnableLambda` and `BaseCallbackHandler`."""
    return importing(
        "from langchain_core.callbacks import BaseCallbackHandler\nfrom langchain_core.runnables import RunnableLambda"
    )


def growth_handlers(handlers: int) -> Work:
    """As the asynchronous call."""
    return call(handlers)


def growth_depth(depth: int) -> Work:
    """A `RunnableLambda` that awaits the next one's `ainvoke`."""
    counter = Counter()
    inner: Any = RunnableLambda(bare.echo)
    for _ in range(depth - 1):
        inner = _outside(inner)
    options = config([Calls(counter)])

    async def run(count: int) -> None:
        for number in range(count):
            await inner.ainvoke(number, options)

    return Work(run, bare.nests(depth), counter, events=2 * depth)


def _outside(inner: Any) -> Any:
    async def around(x: int) -> int:
        return await inner.ainvoke(x)  # type: ignore[no-any-return]

    return RunnableLambda(around)


def growth_chunks(chunks: int) -> Work | None:
    """As the chunk of an asynchronous stream, up to 10,000 of them."""
    if chunks > 10_000:
        return None
    counter, model = Counter(), Model(size=chunks)
    options = config([Tokens(counter)])

    async def run(count: int) -> None:
        for _ in range(count):
            async for _ in model.astream("hi", options):
                pass

    async def read(count: int) -> None:
        for _ in range(count):
            async for _ in model._astream("hi"):
                pass

    return Work(run, read, counter, events=chunks)
