"""Coroutines that return a stream, as the SDKs have them: one run from the call to the stream's end."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from sideband import Outcome, component

from .helpers import Five, collected, watched


@component("ChatModel")
def numbers_sync(n: int) -> Generator[str]:
    """Stream."""
    for i in range(n):
        yield str(i)


class Response:
    """A stream as the SDKs have it: an iterator with a `close` and more."""

    status = 200

    def __init__(self, chunks: str) -> None:
        self._chunks = iter(chunks)
        self.closed = 0

    def __aiter__(self) -> Response:
        return self

    async def __anext__(self) -> str:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration

    async def close(self) -> None:
        self.closed += 1


@component("ChatModel", stream=True)
async def create(chunks: str, *, stream: bool = True) -> Any:
    """Answer as an SDK's client does."""
    if chunks == "fail":
        raise LookupError
    return Response(chunks) if stream else chunks


async def test_a_coroutine_that_returns_a_stream_starts_when_called_and_ends_with_the_stream() -> None:
    """Its chunks are the run's; the rest of the stream can be reached; closing closes it."""
    with watched() as recorder:
        stream = await create("ab")
        assert recorder.timings() == ["on_start"]
        assert stream.status == 200
        assert await collected(stream) == ["a", "b"]

    assert recorder.timings() == ["on_start", "on_chunk", "on_chunk", "on_end"]
    assert (recorder.run().output, recorder.run().streamed) == ("ab", True)


@pytest.mark.parametrize("pulls", [0, 1])
async def test_a_returned_stream_closed_early_closes_its_source_once(pulls: int) -> None:
    """Also unread: its run has started."""
    with watched() as recorder:
        stream = await create("ab")
        async with stream:
            for _ in range(pulls):
                await anext(stream)
        await stream.aclose()

    assert recorder.run().outcome is Outcome.CLOSED
    assert recorder.run().chunks == pulls
    assert stream.closed == 1


async def test_a_returned_stream_that_is_dropped_unread_is_ended_on_the_spot() -> None:
    """It was a run from the call on."""
    with watched() as recorder:
        stream = await create("ab")
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            del stream
        assert recorder.run().outcome is Outcome.CLOSED


async def test_a_coroutine_that_fails_or_returns_no_stream_is_a_plain_run() -> None:
    """With `stream=False` among its own arguments an SDK's method returns a value."""
    with watched() as recorder:
        assert await create("ab", stream=False) == "ab"
        with pytest.raises(LookupError):
            await create("fail")

    assert recorder.timings() == ["on_start", "on_end", "on_start", "on_error"]
    assert (recorder.runs()[0].output, recorder.runs()[0].streamed) == ("ab", False)


async def test_unwatched_the_returned_stream_is_the_very_object() -> None:
    """No wrapper where nobody listens."""
    assert type(await create("ab")) is Response


async def test_a_handler_for_streams_reads_a_returned_one() -> None:
    """It opens when the coroutine returns it."""
    five = Five()

    with watched(five):
        await collected(await create("ab"))

    assert five.calls == ["start", ("out", ["a", "b"])]


def test_stream_true_is_for_coroutine_functions() -> None:
    """A generator is a stream by itself."""
    with pytest.raises(TypeError, match="coroutine function that returns a stream"):
        component("ChatModel", stream=True)(numbers_sync.__wrapped__)  # type: ignore[attr-defined]
