"""Components whose input is a stream: what their handlers see of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, nullcontext
from typing import Any

import pytest

from sideband import callbacks, component
from sideband.observe import transform
from sideband.streams import Copy, Stream, SyncStream, from_iterable

from .helpers import Five, Keep, Log, collected, watched


@component("Transformer")
async def upper(letters: AsyncIterator[str]) -> AsyncGenerator[str]:
    """Turn a stream into a stream."""
    async for letter in letters:
        yield letter.upper()


@component("Lambda")
async def join_async(letters: AsyncIterator[str]) -> str:
    """Turn a stream into a value."""
    return "".join([letter async for letter in letters])


@component("Lambda")
def join_sync(letters: Iterator[str]) -> str:
    """Turn a stream into a value."""
    return "".join(letters)


async def source(text: str) -> AsyncGenerator[str]:
    """Be a stream that is no component."""
    for letter in text:
        yield letter


async def test_a_streamed_input_is_told_with_a_copy_in_place_of_the_start() -> None:
    """For those who deal with streams; others start with the stream itself as input."""
    five, calls = Five(), list[str]()

    with watched(Log("A", calls), five) as recorder:
        assert await join_async(source("abc")) == "abc"

    assert five.calls == [("end", "abc"), ("in", list("abc"))]
    assert calls == ["A start", "A end"]
    assert isinstance(recorder.run().input, AsyncGenerator)


async def test_a_stream_that_becomes_a_stream_tells_both() -> None:
    """Input and output copies, and neither start nor end."""
    five = Five()

    with watched(five):
        assert await collected(upper(source("ab"))) == ["A", "B"]

    assert sorted(five.calls) == [("in", ["a", "b"]), ("out", ["A", "B"])]


async def test_the_copy_of_an_input_ends_where_the_body_stopped_reading() -> None:
    """Nothing is read ahead, or on, for a handler's sake."""
    five, pulled = Five(), list[str]()

    async def counted() -> AsyncGenerator[str]:
        for letter in "abc":
            pulled.append(letter)
            yield letter

    @component("Lambda")
    async def first(letters: AsyncIterator[str]) -> str:
        return await anext(letters)

    with watched(five):
        async with aclosing(counted()) as letters:
            assert await first(letters) == "a"

    assert five.calls == [("end", "a"), ("in", ["a"])]
    assert pulled == ["a"]


async def test_an_input_that_fails_fails_the_body_and_the_copy_alike() -> None:
    """With the same exception object."""
    five, error = Five(), LookupError()

    async def failing() -> AsyncGenerator[str]:
        yield "a"
        raise error

    with watched(five), pytest.raises(LookupError) as caught:
        await join_async(failing())

    assert caught.value is error
    assert five.calls == [("error", error), ("in", error)]


def test_a_synchronous_input_is_told_too() -> None:
    """With a copy for threads, readable when the run is over."""
    keep = Keep()

    with watched(keep):
        assert join_sync(iter("abc")) == "abc"
        assert join_sync(SyncStream(iter("de"))) == "de"

    assert [list(copy) for copy in keep.inputs] == [["a", "b", "c"], ["d", "e"]]


async def test_streams_of_the_library_stay_streams_for_the_body() -> None:
    """What is made of them inside works as without handlers."""

    @component("Lambda")
    async def mapped(letters: Stream[str]) -> list[str]:
        return await letters.map(str.upper).collect()

    keep = Keep()
    with watched(keep):
        assert await mapped(from_iterable("ab")) == ["A", "B"]

    copy: Copy[str] = keep.inputs[0]
    assert await copy.collect() == ["a", "b"]


async def test_unwatched_or_unwanted_the_body_gets_the_very_stream() -> None:
    """No tap stands between where nobody asked for one."""
    seen: list[Any] = []

    @component("Lambda")
    async def look(letters: AsyncIterator[str]) -> None:
        seen.append(letters)

    letters = source("a")
    await look(letters)
    await letters.aclose()

    assert seen == [letters]


def test_a_collection_is_a_value_where_any_iterable_is_accepted() -> None:
    """A list can be read twice, and measured; it is given to the body as it is."""
    seen: list[Any] = []

    @component("Lambda")
    def count(texts: Iterable[str]) -> int:
        seen.append(texts)
        return len(list(texts))

    five, texts = Five(), ["a", "b"]
    with watched(five):
        assert count(texts) == 2

    assert seen[0] is texts
    assert five.calls == ["start", ("end", 2)]


def test_a_function_may_say_that_its_first_argument_is_a_stream() -> None:
    """Where no annotation does."""

    @component("Lambda")
    @transform
    def total(values, start=0):  # type: ignore[no-untyped-def] # pyright: ignore[reportMissingParameterType, reportUnknownParameterType, reportUnknownArgumentType, reportUnknownVariableType]
        return sum(values, start)

    keep = Keep()
    with watched(keep):
        assert total(iter([1, 2]), start=3) == 6
        assert total(values=iter([4])) == 4

    assert [list(copy) for copy in keep.inputs] == [[1, 2], [4]]


@pytest.mark.parametrize("watching", [False, True])
async def test_a_stream_that_a_body_leaves_half_read_is_still_its_callers(watching: bool) -> None:
    """Nobody warns of it, and the caller reads on, as if nobody watched."""

    @component("Lambda")
    async def look(letters: AsyncIterator[str]) -> str:
        return await anext(letters)

    @component("Lambda")
    def look_sync(letters: Iterator[str]) -> str:
        return next(letters)

    keep = Keep()
    with watched(keep) if watching else nullcontext():
        async with from_iterable(source("abc")) as letters:
            assert await look(letters) == "a"
            assert await anext(letters) == "b"
        with SyncStream(iter("abc")) as letters_sync:
            assert look_sync(letters_sync) == "a"
            assert next(letters_sync) == "b"


async def test_who_listens_at_the_first_pull_gets_a_copy_of_the_input() -> None:
    """Not who listened when the generator was made: that is where its run starts."""

    @component("Lambda")
    async def upper(letters: AsyncIterator[str]) -> AsyncIterator[str]:
        async for letter in letters:
            yield letter.upper()

    early, late = Keep(), Keep()
    made = upper(source("ab"))
    with callbacks(early):
        early_made = upper(source("cd"))
    with watched(late):
        assert await collected(made) == ["A", "B"]
        assert await collected(early_made) == ["C", "D"]

    assert early.inputs == []
    assert [await copy.collect() for copy in late.inputs] == [["a", "b"], ["c", "d"]]
