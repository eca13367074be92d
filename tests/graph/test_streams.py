"""Streams in graphs: put together, passed on, copied, merged, closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from sideband import callbacks
from sideband.graph import (
    END,
    START,
    Graph,
)
from sideband.testing import Recorder, check_lifecycle

from .helpers import count, double, line, squares, total


async def test_a_stream_is_put_together_for_a_node_that_takes_a_value() -> None:
    """And a value is a stream of one chunk for one that takes a stream."""

    async def words(text: str) -> AsyncIterator[str]:
        for word in text.split():
            yield word

    assert await line(words, str.upper).invoke("a b c") == "ABC"
    assert await line(double, total).invoke(4) == 8


async def test_the_four_shapes_give_the_same() -> None:
    """Value or stream in, value or stream out, whatever the nodes are."""
    graph = line(total, count, squares)

    expected = [0, 1, 4]
    assert await graph.stream(3).collect() == expected
    assert await graph.transform([1, 2]).collect() == expected
    assert await graph.invoke(3) == 4  # numbers put together: the last one
    assert await graph.collect([1, 2]) == 4


async def test_a_value_is_one_chunk_of_a_streamed_call() -> None:
    """Where no node streams."""
    assert await line(double).stream(3).collect() == [6]


async def test_the_first_output_leaves_before_the_last_input_has_come() -> None:
    """Nodes that take and give streams gather nothing."""
    seen: list[str] = []

    async def source() -> AsyncIterator[int]:
        for number in range(3):
            seen.append(f"in {number}")
            yield number

    async for chunk in line(squares, squares).transform(source()):
        seen.append(f"out {chunk}")

    assert seen == ["in 0", "out 0", "in 1", "out 1", "in 2", "out 16"]


async def test_nothing_is_executed_before_the_first_pull() -> None:
    """A stream that nobody reads costs nothing."""
    called: list[int] = []
    stream = line(called.append).stream(1)

    assert called == []
    await stream.aclose()
    assert called == []


async def test_a_stream_that_several_nodes_take_reaches_each_whole() -> None:
    """One gathers it to the end before the other is pulled, more than a copy's usual bound."""
    graph = Graph[int, Any]().add_node("count", count).add_node("total", total).add_node("squares", squares)
    graph.add_edge(START, "count").add_edge("count", "total").add_edge("count", "squares")
    graph.add_edge("total", END).add_edge("squares", END)

    chunks = await graph.compile().stream(3_000).collect()

    assert {"total": sum(range(3_000))} in chunks
    assert [chunk["squares"] for chunk in chunks if "squares" in chunk] == [n * n for n in range(3_000)]


async def test_streams_that_meet_in_a_node_are_merged_with_their_keys() -> None:
    """The node takes a stream of mappings with one entry each."""

    async def keys(chunks: AsyncIterator[dict[str, int]]) -> AsyncIterator[tuple[str, int]]:
        async for chunk in chunks:
            for entry in chunk.items():
                yield entry

    graph = Graph[int, Any]().add_node("a", count).add_node("b", double).add_node("join", keys)
    graph.add_edge(START, "a").add_edge(START, "b").add_edge("a", "join").add_edge("b", "join").add_edge(
        "join", END
    )

    assert sorted(await graph.compile().stream(2).collect()) == [("a", 0), ("a", 1), ("b", 4)]


async def test_a_stream_closed_early_closes_those_of_the_nodes() -> None:
    """Up to the first one, before `aclose` returns."""
    closed: list[str] = []

    async def forever(x: int) -> AsyncIterator[int]:
        try:
            while True:
                yield x
        finally:
            closed.append("source")

    recorder = Recorder()
    with callbacks(recorder):
        stream = line(forever, squares).stream(2)
        async with stream:
            assert await anext(stream) == 4
            assert closed == []

    assert closed == ["source"]
    check_lifecycle(recorder)
    assert [run.outcome for run in recorder.runs()] == ["closed"] * 3


async def test_ordinary_generators_stream_too() -> None:
    """They are pulled inline."""

    def letters(text: str) -> Iterator[str]:
        yield from text

    assert await line(letters).stream("abc").collect() == ["a", "b", "c"]


async def test_a_passthrough_gathers_nothing() -> None:
    """What it is given goes on as it is, chunk by chunk."""
    graph = Graph[int, int]().add_node("count", count).add_passthrough("pass")
    graph.add_edge(START, "count").add_edge("count", "pass").add_edge("pass", END)

    assert await graph.compile().stream(3).collect() == [0, 1, 2]
