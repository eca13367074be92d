"""Merges: order of arrival, endings by name, errors, and no task that outlives them."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest

from sideband.errors import StreamClosedError
from sideband.streams import NamedChunk, SourceEnded, Stream, merge, merge_named
from sideband.testing._check_stream import check_stream

from .helpers import Gated, Source, others, settle

variable: ContextVar[str] = ContextVar("variable", default="unset")


async def test_a_merge_of_one_keeps_the_contract() -> None:
    """It does all that a consumer may rely on, and loses nothing to a cancellation."""
    sources: list[Source] = []

    def make() -> Stream[int]:
        sources.append(Source(4))
        return merge(sources[-1])

    await check_stream(
        make,
        expected=[0, 1, 2, 3],
        resumable=True,
        still_open=lambda: [source for source in sources if source.open or not source.closed],
    )


async def test_chunks_come_in_order_of_arrival() -> None:
    """A slow source does not hold a fast one back."""
    slow, fast = Gated(), Gated()
    async with merge(slow, fast) as stream:
        for gate, chunk in ((fast, 1), (fast, 2), (slow, "a"), (fast, 3)):
            reading = asyncio.create_task(stream.__anext__())
            await settle()
            gate.chunks.put_nowait(chunk)
            assert await reading == chunk
    assert (slow.closed, fast.closed, slow.waiting, fast.waiting) == (1, 1, 0, 0)
    assert others() == set()


async def test_each_sources_order_is_kept_and_all_chunks_come() -> None:
    """Nothing is lost, doubled or swapped within a source."""
    items = await merge_named(a=Source(5), b=Source(3, waits=3), c=Source(0)).collect()

    for name, n in (("a", 5), ("b", 3), ("c", 0)):
        mine = [item for item in items if item.source == name]
        assert mine == [*(NamedChunk(name, i) for i in range(n)), SourceEnded(name)]
    assert len(items) == 11


async def test_each_source_is_read_one_chunk_ahead_from_the_first_pull_on() -> None:
    """Nothing before it, and no more after it."""
    sources = [Source(9, waits=0), Source(9, waits=0)]
    stream = merge(*sources)
    await settle()
    assert [source.pulled for source in sources] == [0, 0]

    await anext(stream)
    await settle()
    assert sum(source.pulled for source in sources) == 3
    await stream.aclose()


async def test_an_error_ends_the_merge_and_closes_the_other_sources() -> None:
    """What had arrived is given first; when the very error is raised, everything is closed."""
    error = ValueError("broken")
    endless, failing = Source(10_000), Source(2, error)
    stream = merge(endless, failing)
    chunks: list[int] = []
    with pytest.raises(ValueError, match="broken") as caught:
        async for chunk in stream:
            chunks.append(chunk)

    assert caught.value is error
    assert chunks.count(0) == chunks.count(1) == 2
    assert (endless.open, endless.closed, failing.closed) == (0, 1, 1)
    assert others() == set()
    assert await stream.collect() == []


async def test_a_second_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Only one can be raised; the other one is not swallowed."""

    class Failing(Source):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("still there")

    with caplog.at_level(logging.ERROR, "sideband"), pytest.raises(ValueError, match="broken"):
        await merge(Failing(100), Source(1, ValueError("broken"))).collect()
    assert "still there" in caplog.text


async def test_errors_of_closing_are_raised_together() -> None:
    """One as it is, several as a group; every source is closed all the same, whether read or not."""

    class Failing(Source):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("still there")

    for read in (0, 1):
        sources = [Failing(9), Source(9), Failing(9)]
        stream = merge(*sources)
        for _ in range(read):
            await anext(stream)
        with pytest.raises(ExceptionGroup) as caught:
            await stream.aclose()
        assert len(caught.value.exceptions) == 2
        assert [source.closed for source in sources] == [1, 1, 1]

    stream = merge(Failing(9))
    with pytest.raises(OSError, match="still there"):
        await stream.aclose()


async def test_a_source_that_is_being_closed_is_not_cancelled() -> None:
    """Its cleanup runs to its end, though the merge is closed meanwhile."""
    steps: list[str] = []

    class Slow(Source):
        async def aclose(self) -> None:
            steps.append("begun")
            await settle()
            steps.append("done")

    stream = merge(Slow(1), Gated())
    assert await anext(stream) == 0
    await settle(5)
    assert steps == ["begun"]
    await stream.aclose()
    assert steps == ["begun", "done"]


async def test_streams_are_handed_over() -> None:
    """The originals cannot be read any more; closing one closes the merge."""
    sources = [Source(3), Source(3)]
    first, second = map(Stream, sources)
    stream = merge(first, second)
    with pytest.raises(StreamClosedError):
        await anext(first)
    with pytest.raises(StreamClosedError):
        merge(second)
    await anext(stream)
    await second.aclose()

    assert [source.closed for source in sources] == [1, 1]
    assert await stream.collect() == []


async def test_a_merge_of_nothing_is_empty() -> None:
    """No source, no chunk."""
    assert await merge().collect() == []
    assert await merge_named().collect() == []


async def test_a_cancelled_reader_loses_nothing() -> None:
    """The chunk that arrives meanwhile waits."""
    gate = Gated()
    stream = merge(gate, Gated())
    reading = asyncio.create_task(stream.__anext__())
    await settle()
    reading.cancel()
    gate.chunks.put_nowait("a")
    await settle()
    assert reading.cancelled()
    assert await anext(stream) == "a"
    await stream.aclose()


async def test_sources_run_in_the_context_of_the_call() -> None:
    """Each in a copy of its own."""

    async def chunks() -> AsyncIterator[str]:
        yield variable.get()
        variable.set("source")
        yield variable.get()

    token = variable.set("caller")
    stream = merge(chunks(), chunks())
    variable.reset(token)
    assert sorted(await stream.collect()) == ["caller", "caller", "source", "source"]
    assert variable.get() == "unset"


async def test_a_merge_dropped_half_read_stops_its_tasks_and_warns() -> None:
    """The finalizer closes the sources, as the last resort."""
    sources = [Source(9), Source(9)]
    stream = merge(*sources)
    await anext(stream)
    with pytest.warns(ResourceWarning, match="half-read"):
        del stream
    gc.collect()
    await settle()
    assert [source.closed for source in sources] == [1, 1]
    assert others() == set()


async def test_the_loops_end_closes_the_sources() -> None:
    """A merge that is neither closed nor dropped ends with its loop."""
    sources = [Source(9), Source(9)]
    kept: list[Stream[int]] = []

    async def main() -> None:
        kept.append(merge(*sources))
        await anext(kept[0])

    await asyncio.to_thread(asyncio.run, main())
    assert [source.closed for source in sources] == [1, 1]
    await kept[0].aclose()
