"""The drivers of generators as runs.

1. The run starts at the first pull. Until then nothing is made.
2. A driver is a generator itself, so that Python's own rules for one that is running, closed or not
   yet started hold for it.
3. A stream that is dropped half-read is ended on the spot by its finalizer.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from sideband.handlers import Listeners
from sideband.handlers._generator import unknown_to_the_loop
from sideband.handlers._plan import Pending
from sideband.observe._lifecycle import skip, wait_ending, wait_start
from sideband.observe._stream_run import StreamedRun, join, open_inside, warn_dropped
from sideband.observe._tap import Tap, listen
from sideband.runs import Outcome, RunInfo
from sideband.scope._scope import listeners, set_current
from sideband.streams._sources import close_source
from sideband.streams._waits import wake_future

__all__ = [
    "ObservedAsyncGenerator",
    "Watched",
    "aend",
    "close_step",
    "end_now",
    "join",
    "watch",
    "watch_generator",
]

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")


def watch_generator(
    info: RunInfo,
    value: Any,
    found: Listeners,
    source: Generator[T, S, Any],
    join: Callable[[list[Any]], Any] = join,
    *,
    tapped: Tap | None = None,
) -> Generator[T, S, Any]:
    """Drive a generator as one run; the delegation of PEP 380 with the handlers told on the way."""
    streamed = StreamedRun.of(info, found, value, join)
    run = streamed.run
    send: Callable[[Any], T] = source.send
    step = send
    sent: Any = None
    try:
        streamed.enter_step()
        listen(run, tapped, asynchronous=False)
        skip(run, streamed.start())
        skip(run, streamed.open(asynchronous=False))
        streamed.show_changes()
        streamed.join_stream_around()
        while True:
            try:
                chunk = step(sent)
            except StopIteration as stop:
                streamed.leave_step()
                end_now(streamed, lambda: streamed.end(Outcome.OK))
                return stop.value
            pending = streamed.chunk(chunk)
            if pending is not None or streamed.left:
                skip(run, pending)
                skip(run, streamed.told())
            try:
                sent = yield chunk
                step = send
            except GeneratorExit:
                _close(streamed, source)
                end_now(streamed, lambda: streamed.end(Outcome.CLOSED))
                raise
            except BaseException as error:  # noqa: BLE001 - thrown in by the consumer, for the source
                step, sent = source.throw, error
            streamed.token = set_current(run)  # as below
            if streamed.wants_more:
                streamed.enter_more()
    except BaseException as error:
        _fail(streamed, source, error)
        raise
    finally:
        streamed.release()
        del run, sent


def end_now(streamed: StreamedRun, ending: Callable[[], Pending | None]) -> None:
    """End a run, and before it the streams that are open in it; handlers that wait are skipped."""
    for inside, run in open_inside(streamed.run):
        skip(run, inside.leave())
    skip(streamed.run, ending())


def _fail(streamed: StreamedRun, source: Generator[Any, Any, Any], error: BaseException) -> None:
    streamed.leave_step()
    if streamed.run.outcome is not None:
        return
    try:
        _close(streamed, source)
    except Exception as failure:  # noqa: BLE001 - the first error is the one to raise
        streamed.close_failed(failure)
    finally:
        end_now(streamed, lambda: streamed.fail(error))


def _close(streamed: StreamedRun, source: Generator[Any, Any, Any]) -> None:
    streamed.enter_step()
    try:
        source.close()
    finally:
        streamed.leave_step()


async def watch(
    streamed: StreamedRun, source: AsyncIterator[T], tapped: Tap | None = None
) -> AsyncGenerator[T, Any]:
    """Drive an asynchronous iterator as one run; as `watch_generator`, with waiting."""
    run = streamed.run
    asend, athrow = _steps(source)
    step: Callable[[Any], Any] = functools.partial(unknown_to_the_loop, asend)
    sent: Any = None
    try:
        streamed.enter_step()
        if not streamed.started:
            listen(run, tapped, asynchronous=True)
            await wait_start(run, streamed.start())
            await wait_start(run, streamed.open(asynchronous=True))
            streamed.show_changes()
            streamed.join_stream_around()
        while True:
            try:
                chunk = await step(sent)
            except StopAsyncIteration:
                streamed.leave_step()
                await aend(streamed, lambda: streamed.end(Outcome.OK))
                return
            pending = streamed.chunk(chunk)
            if pending is not None or streamed.left:
                await wait_start(run, pending)
                await wait_ending(run, streamed.told())
            try:
                sent = yield chunk
                step = asend
            except GeneratorExit:
                if streamed.dropped:
                    warn_dropped(run)
                await close_step(streamed, source)
                await aend(streamed, lambda: streamed.end(Outcome.CLOSED))
                raise
            except BaseException as error:  # noqa: BLE001 - thrown in by the consumer, for the source
                step, sent = athrow, error
            # Written out, without a call of `enter_step`: this is felt at each chunk.
            streamed.token = set_current(run)
            if streamed.wants_more:
                streamed.enter_more()
    except BaseException as error:
        await _afail(streamed, source, error)
        raise
    finally:
        streamed.release()
        del run, sent


def _steps(source: AsyncIterator[T]) -> tuple[Callable[[Any], Awaitable[T]], Callable[[Any], Awaitable[T]]]:
    """Return how to send to a source and how to throw into it; what is no generator is only pulled."""
    if isinstance(source, AsyncGenerator):
        generator = cast("AsyncGenerator[T, Any]", source)
        return generator.asend, generator.athrow

    async def throw(error: BaseException) -> T:
        raise error

    pull = source.__anext__
    return lambda _: pull(), throw


async def aend(streamed: StreamedRun, ending: Callable[[], Pending | None]) -> None:
    """End a run, and before it the streams that are open in it, waiting for their handlers."""
    closers: list[asyncio.Future[None]] = []
    streamed.closers = closers
    try:
        for inside, run in open_inside(streamed.run):
            await wait_ending(run, inside.leave())
        await wait_ending(streamed.run, ending())
    finally:
        streamed.closers = None
        for closer in closers:
            wake_future(closer)


async def _afail(streamed: StreamedRun, source: AsyncIterator[Any], error: BaseException) -> None:
    streamed.leave_step()
    if streamed.run.outcome is not None:
        return
    if isinstance(error, GeneratorExit):  # what drives this is being closed itself and may not wait
        end_now(streamed, lambda: streamed.fail(error))
        return
    try:
        await close_step(streamed, source)
    except Exception as failure:  # noqa: BLE001 - the first error is the one to raise
        streamed.close_failed(failure)
    finally:
        await aend(streamed, lambda: streamed.fail(error))


async def close_step(streamed: StreamedRun, source: AsyncIterator[Any]) -> None:
    """Close the source, as a step of its run."""
    streamed.enter_step()
    try:
        await close_source(source)
    finally:
        streamed.leave_step()


class Watched(Generic[T]):
    """What a consumer holds of a stream that may be watched; its last drop ends the run.

    A loop that shuts down closes every generator that it knows at once, in any order. So it is to know
    this and neither the driver nor the source: one stream may be closing another one meanwhile.
    """

    __slots__ = ("__weakref__", "_stream", "_streamed")

    _stream: AsyncGenerator[T, Any] | None
    _streamed: StreamedRun | None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.aclose()

    def aclose(self) -> Any:
        """Close the stream; its run ends as closed unless it has ended."""
        raise NotImplementedError

    def _first_step(self, step: Callable[..., R], *args: Any) -> R:
        """Make the driver's first step."""
        hooks = sys.get_asyncgen_hooks()
        if hooks.firstiter is None:
            return step(*args)
        hooks.firstiter(cast("AsyncGenerator[Any, Any]", self))
        sys.set_asyncgen_hooks(firstiter=None)
        try:
            return step(*args)
        finally:
            sys.set_asyncgen_hooks(firstiter=hooks.firstiter)

    async def _close_driver(self, stream: AsyncGenerator[T, Any]) -> None:
        """Close the driver; while it waits for the handlers of its run's ending, wait for that."""
        closers = self._streamed.closers if self._streamed is not None else None
        if closers is None:
            await stream.aclose()
            return
        closers.append(closer := asyncio.get_running_loop().create_future())
        await closer

    def __del__(self, _finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        """End the run of a stream that was dropped half-read."""
        streamed = getattr(self, "_streamed", None)
        if streamed is None or streamed.over:
            return
        run = getattr(streamed, "run", None)
        if run is None or run.outcome is not None:
            return
        if not streamed.started or getattr(self._stream, "ag_running", False):
            # Somebody awaits a step of it, without keeping the stream: Python closes it after that.
            streamed.dropped = True
            return
        end_now(streamed, lambda: streamed.end(Outcome.CLOSED))
        if not _finalizing():
            warn_dropped(run)


class ObservedAsyncGenerator(Watched[T], AsyncGenerator[T, S]):
    """An asynchronous generator that is watched if somebody listens at its first pull.

    Closing: `aclose` ends the run as closed. Dropped half-read, its finalizer ends the run on the
        spot, with plain handlers alone, and warns.
    Threads: read it in one task at a time; not necessarily the one that made it.
    """

    __slots__ = ("_info", "_join", "_source", "_tap", "_value")

    def __init__(
        self,
        info: RunInfo,
        value: Any,
        source: AsyncGenerator[T, S],
        join: Callable[[list[Any]], Any] = join,
        *,
        tap: Callable[[], tuple[AsyncGenerator[T, S], Tap | None]] | None = None,
    ) -> None:
        """Wrap a generator that has not been pulled; `tap` makes it again, with a tap on its input, if it is watched."""
        self._info = info
        self._value = value
        self._source = source
        self._join = join
        self._tap = tap
        # What is pulled: undecided before the first pull, then the bare generator or the one that drives it.
        self._stream = None
        self._streamed = None

    def __aiter__(self) -> AsyncGenerator[T, S]:
        """Return the bare generator where nobody listens: it is about to be pulled, and costs nothing more."""
        if self._stream is None and self._found() is None:
            self._stream = self._source
        return self if self._stream is not self._source else self._source

    def _found(self) -> Listeners | None:
        return listeners()

    def _begin(self, found: Listeners) -> StreamedRun:
        return StreamedRun.of(self._info, found, self._value, self._join)

    def _pulled(self) -> AsyncGenerator[T, S]:
        found = self._found()
        if found is None:
            self._stream = self._source
        else:
            tapped: Tap | None = None
            if self._tap is not None:
                self._source, tapped = self._tap()
                self._tap = None
            self._streamed = self._begin(found)
            self._stream = watch(self._streamed, self._source, tapped)
        return self._stream

    def __anext__(self) -> Any:
        """Return the next chunk, after the handlers have been told."""
        stream = self._stream
        return anext(stream) if stream is not None else self._first_step(self._pulled().__anext__)

    def asend(self, value: S) -> Any:
        """Send a value into the generator and return its next chunk."""
        stream = self._stream
        return self._first_step(self._pulled().asend, value) if stream is None else stream.asend(value)

    def athrow(self, *error: Any) -> Any:
        """Throw an exception into the generator and return its next chunk."""
        return self._unpulled().athrow(*error)

    def aclose(self) -> Any:
        """Close the generator; its run ends as closed unless it has ended."""
        stream = self._unpulled()
        return stream.aclose() if self._streamed is None else self._close_driver(stream)

    def _unpulled(self) -> AsyncGenerator[T, S]:
        # What is closed or thrown into before its first pull does not run, and is no run.
        if self._stream is None:
            self._stream = self._source
        return self._stream

    async def __aenter__(self) -> AsyncGenerator[T, S]:
        """Return the stream; leaving the block closes it."""
        return self
