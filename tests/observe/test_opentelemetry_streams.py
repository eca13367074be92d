"""A handler that opens an OpenTelemetry span around each stream: one, whoever reads it, wherever and in whatever order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sideband import component, propagate

from .helpers import collected
from .tracing import (
    chat,
    chat_async,
    every,
    numbers,
    outer,
    plain,
    spans,
    tool,
    tool_async,
    traced,
)

ALL = "(request request request)"


@plain
def test_a_generator_has_one_span_that_its_consumer_never_sees(sort: str) -> None:
    """What its body opens is inside of it, and between chunks the consumer stands in its own span."""
    with traced(sort, f"chat{ALL} tool(request)") as untouched:
        for chunk in chat():
            untouched()
            if chunk == 1:
                tool()
        untouched()


@every
async def test_an_asynchronous_generator_has_one_span_that_its_consumer_never_sees(sort: str) -> None:
    """As generators do."""
    with traced(sort, f"chat_async{ALL} tool_async(request)") as untouched:
        async for chunk in chat_async():
            untouched()
            if chunk == 1:
                await tool_async()
        untouched()


@every
async def test_a_returned_stream_has_one_span_from_the_call_to_its_end(sort: str) -> None:
    """As the official SDKs return streams."""

    @component("ChatModel", stream=True)
    async def create() -> AsyncIterator[int]:
        await tool_async()
        return numbers()

    with traced(sort, "create(request request request tool_async(request))") as untouched:
        stream = await create()
        untouched()
        async for _ in stream:
            untouched()


@every
async def test_a_stream_may_be_the_input_of_another(sort: str) -> None:
    """What is pulled inside of a body is inside of its span."""

    @component("Transformer")
    async def doubled(given: AsyncIterator[int]) -> AsyncGenerator[int]:
        async for number in given:
            yield 2 * number

    with traced(sort, f"doubled(chat_async{ALL})") as untouched:
        async for _ in doubled(chat_async()):
            untouched()


@every
async def test_nested_streams_have_nested_spans(sort: str) -> None:
    """One after the other under the outer one."""
    with traced(sort, f"outer(a{ALL} b{ALL})") as untouched:
        async for _ in outer("a", "b"):
            untouched()


@plain
def test_nested_generators_have_nested_spans(sort: str) -> None:
    """Delegated to with `yield from`."""

    @component("Lambda")
    def around() -> Generator[int]:
        yield from chat()
        tool()
        yield from chat()

    with traced(sort, f"around(chat{ALL} chat{ALL} tool(request))") as untouched:
        for _ in around():
            untouched()


@every
async def test_gathered_streams_have_spans_beside_each_other(sort: str) -> None:
    """Their steps interleave."""
    with traced(sort, f"chat_async{ALL} outer(a{ALL})") as untouched:
        await asyncio.gather(collected(chat_async()), collected(outer("a")))
        untouched()


@every
async def test_streams_of_a_task_group_have_spans_beside_each_other(sort: str) -> None:
    """Inside of the run that starts the group."""

    @component("Lambda")
    async def grouping() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(collected(chat_async()))
            group.create_task(collected(outer("a")))

    with traced(sort, f"grouping(chat_async{ALL} outer(a{ALL}))"):
        await grouping()


@plain
async def test_a_generator_read_in_to_thread_is_a_child_of_the_awaiting_run(sort: str) -> None:
    """All of it there, or a chunk in each thread."""

    @component("Lambda")
    async def reading() -> list[int]:
        stream = chat()
        first = [await asyncio.to_thread(next, stream), await asyncio.to_thread(next, stream)]
        return [*first, *await asyncio.to_thread(list, stream), *await asyncio.to_thread(list, chat())]

    with traced(sort, f"reading(chat{ALL} chat{ALL})"):
        assert await reading() == [0, 1, 2, 0, 1, 2]


@plain
def test_generators_read_in_an_executor_through_propagate_are_children(sort: str) -> None:
    """Several at once."""

    def read(_: int) -> list[int]:
        return list(chat())

    @component("Lambda")
    def spreading() -> list[list[int]]:
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(propagate(read), range(3)))

    with traced(sort, f"spreading(chat{ALL} chat{ALL} chat{ALL})"):
        assert spreading() == [[0, 1, 2]] * 3


@every
async def test_a_stream_read_in_another_task_keeps_its_one_span(sort: str) -> None:
    """Opened here, read and closed there."""
    with traced(sort, f"chat_async{ALL}") as untouched:
        stream = chat_async()
        assert await anext(stream) == 0
        untouched()
        assert await asyncio.create_task(collected(stream)) == [1, 2]


@every
async def test_a_stream_read_in_a_task_a_chunk_keeps_its_one_span(sort: str) -> None:
    """The last of which learns of the end."""

    async def pull(stream: AsyncGenerator[int]) -> int:
        return await anext(stream, -1)

    with traced(sort, f"chat_async{ALL}"):
        stream = chat_async()
        assert [await asyncio.create_task(pull(stream)) for _ in range(4)] == [0, 1, 2, -1]


@every
async def test_a_stream_closed_in_another_task_ends_its_span_there(sort: str) -> None:
    """In the context in which the span was opened."""
    with traced(sort, "outer(a(request))"):
        stream = outer("a")
        await anext(stream)

        async def close() -> None:
            await stream.aclose()

        await asyncio.create_task(close())


@every
async def test_streams_that_end_in_the_order_in_which_they_were_opened_keep_their_spans(sort: str) -> None:
    """No stack is popped: the first one ends while the second one is open."""
    with traced(sort, f"chat_async{ALL} outer(a{ALL})") as untouched:
        first, second = chat_async(), outer("a")
        for stream in (first, second, first, second, first):
            await anext(stream)
            untouched()
        assert await collected(first) == []
        untouched()
        assert await collected(second) == [2]


@plain
def test_generators_that_end_in_the_order_in_which_they_were_opened_keep_their_spans(sort: str) -> None:
    """As asynchronous ones do."""
    with traced(sort, f"chat{ALL} chat{ALL}") as untouched:
        first, second = chat(), chat()
        for stream in (first, second, first):
            next(stream)
            untouched()
        assert list(first) == [2]
        untouched()
        assert list(second) == [1, 2]


@every
async def test_streams_closed_in_the_order_in_which_they_were_opened_keep_their_spans(sort: str) -> None:
    """The first one first, whatever is open inside of it."""
    with traced(sort, "outer(a(request)) outer(b(request))") as untouched:
        first, second = outer("a"), outer("b")
        await anext(first)
        await anext(second)
        await first.aclose()
        untouched()
        await second.aclose()


@every
async def test_a_stream_left_open_inside_of_another_ends_before_it(sort: str) -> None:
    """And is harmless to read on: it is no longer watched."""
    kept: list[Any] = []

    @component("Lambda")
    async def leaving() -> AsyncGenerator[int]:
        kept.append(chat_async())
        yield await anext(kept[0])

    with traced(sort, f"leaving(chat_async{ALL})") as untouched:
        assert await collected(leaving()) == [0]
        untouched()
        assert len(spans.ended) == 3
        assert await collected(kept[0]) == [1, 2]
