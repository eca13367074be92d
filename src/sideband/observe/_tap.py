"""A run's streamed input: what the body pulls, shown to the handlers that asked for a copy.

1. A tap stands where the stream stood among the arguments; unless a handler wants it, it only passes on.
2. It is fed as the body pulls, and over when the stream ends, fails or is closed, or when the run ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, final

from sideband.handlers._plan import Call
from sideband.observe._feed import Feed, follow
from sideband.observe._lifecycle import Streams, plan_of
from sideband.runs import Run
from sideband.streams import Stream, SyncStream
from sideband.streams._sources import close_source

__all__ = ["Tap", "listen", "tap"]


class Tap:
    """What both sorts of taps share: the source, and the copies to feed."""

    __slots__ = ("_iterator", "_source", "feed")

    def __init__(self, source: Any) -> None:
        """Pass on what the source gives."""
        self._source = source
        self._iterator: Any = None
        self.feed: Feed[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the source has."""
        return getattr(self._source, name)

    def abandon(self, begun: bool) -> bool:  # noqa: ARG002 - as other sources have it
        """Say that nothing is lost: the source is the caller's, who may read on or close it."""
        self._over()
        return False

    def _told(self, chunk: Any) -> Any:
        if self.feed is not None:
            self.feed.publish(chunk)
        return chunk

    def _over(self, error: BaseException | None = None) -> None:
        if self.feed is not None:
            self.feed.end(error)


@final
class AsyncTap(Tap, AsyncIterator[Any]):
    """A tap on an asynchronous stream."""

    __slots__ = ()

    async def __anext__(self) -> Any:
        """Return the next chunk."""
        if self._iterator is None:
            self._iterator = aiter(self._source)
        try:
            return self._told(await self._iterator.__anext__())
        except StopAsyncIteration:
            self._over()
            raise
        except BaseException as error:
            self._over(error)
            raise

    async def aclose(self) -> None:
        """Close the source, where it can be closed."""
        self._over()
        await close_source(self._source)


@final
class SyncTap(Tap, Iterator[Any]):
    """A tap on an ordinary iterator."""

    __slots__ = ()

    def __next__(self) -> Any:
        """Return the next chunk."""
        try:
            return self._told(next(self._source))
        except StopIteration:
            self._over()
            raise
        except BaseException as error:
            self._over(error)
            raise


def tap(value: Any) -> tuple[Any, Tap] | None:
    """Return what to give the body in place of a stream, and the tap on it; None if it is no stream.

    A list, a string or another collection is a value, also where any iterable is accepted.
    """
    made: Tap
    if isinstance(value, AsyncIterable):
        made = AsyncTap(value)
        return (Stream(made) if isinstance(value, Stream) else made), made
    if isinstance(value, Iterator | SyncStream):
        made = SyncTap(value)
        return (SyncStream(made) if isinstance(value, SyncStream) else made), made
    return None


def listen(run: Run, found: Tap | None, *, asynchronous: bool) -> None:
    """Let the handlers that deal with streams start with a copy of the run's input, in their places of the onion."""
    plan = plan_of(run)
    if found is None or not plan.stream_starts:
        return
    feed: Feed[Any] = Feed("on_start_with_stream_input", follow(run) if asynchronous else None)
    streaming = {call.place for call in plan.stream_starts}
    others = [call for call in plan.starts if call.place not in streaming]
    starts: list[Call] = [*map(feed.giving, plan.stream_starts), *others]
    streams = Streams.of(run)
    streams.starts = tuple(sorted(starts, key=lambda call: -call.place))
    streams.inputs = found.feed = feed
