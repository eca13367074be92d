"""Coroutines that return a stream, as the official SDKs have them, as runs: from the call to the stream's end."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, final

from sideband.observe._lifecycle import end, wait_ending, wait_start
from sideband.observe._stream_run import StreamedRun
from sideband.observe._streamed import Watched, aend, close_step, end_now, watch
from sideband.observe._tap import Tap, listen
from sideband.runs import Outcome, Run

__all__ = ["ObservedStream", "watch_returned"]

T = TypeVar("T")


async def watch_returned(run: Run, body: Callable[[], Awaitable[Any]], tapped: Tap | None) -> Any:
    """Drive a coroutine that returns a stream; return the stream, watched, or whatever else it returns."""
    streamed = StreamedRun(run)
    try:
        streamed.enter_step()
        listen(run, tapped, asynchronous=True)
        await wait_start(run, streamed.start())
        streamed.show_changes()
        source = await body()
        if isinstance(source, AsyncIterable):
            await wait_start(run, streamed.open(asynchronous=True))
            streamed.join_stream_around()
            return ObservedStream[Any](streamed, source)
        run.streamed, run.output = False, source
        streamed.leave_step()
        await wait_ending(run, end(run, source))
    except BaseException as error:
        streamed.leave_step()
        ending = functools.partial(streamed.fail, error)
        if isinstance(error, GeneratorExit):
            end_now(streamed, ending)
        else:
            await aend(streamed, ending)
        raise
    else:
        return source
    finally:
        streamed.leave_step()
        del run, streamed


@final
class ObservedStream(Watched[T], AsyncIterator[T]):
    """A stream that a coroutine has returned, as the official SDKs do; its run started with the call.

    Whatever else the stream has (`response`, `headers`, …) can be reached through it.

    Closing: as for generators; unread, too, since the run has started.
    """

    __slots__ = ("_pulled", "_source")

    def __init__(self, streamed: StreamedRun, source: Any) -> None:
        """Take over what the coroutine of a run that has started returned."""
        self._streamed = streamed
        self._source = source
        self._pulled = False
        self._stream = watch(streamed, source if hasattr(source, "__anext__") else aiter(source))

    def __anext__(self) -> Any:
        """Return the next chunk, after the handlers have been told."""
        stream: Any = self._stream
        if self._pulled:
            return anext(stream)
        self._pulled = True
        return self._first_step(stream.__anext__)

    async def aclose(self) -> None:
        """Close the stream; its run ends as closed unless it has ended."""
        streamed = self._streamed
        if self._pulled or streamed is None or streamed.over or self._stream is None:
            if self._stream is not None:
                await self._close_driver(self._stream)
            return
        self._pulled = True
        try:
            await close_step(streamed, self._source)
        except BaseException as error:
            await aend(streamed, functools.partial(streamed.fail, error))
            raise
        else:
            await aend(streamed, lambda: streamed.end(Outcome.CLOSED))
        finally:
            await self._stream.aclose()

    close = aclose

    async def __aenter__(self) -> ObservedStream[T]:
        """Return the stream; leaving the block closes it."""
        return self

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the stream has."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._source, name)
