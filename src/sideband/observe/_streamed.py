"""Runs whose output is a stream: one core without waiting, a driver for each kind of generator.

1. The run starts at the first pull. Until then nothing is made.
2. Each step of the body has the run, and what its start handlers changed, set in the consumer's
   context; between two steps the consumer sees neither.
3. A chunk is told to the handlers before the consumer has it.
4. The ending is told before the consumer learns of it: ok at exhaustion, error, cancelled, closed.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import Token
from types import TracebackType
from typing import Any, TypeVar, final

from sideband.handlers import Listeners
from sideband.handlers._plan import Pending, enter, fire
from sideband.observe._lifecycle import (
    Changed,
    begin,
    end,
    end_with_error,
    plan_of,
    skip,
    start,
    wait_ending,
    wait_start,
)
from sideband.runs import Outcome, Run, RunInfo
from sideband.scope._scope import current, listeners, restore

__all__ = ["ObservedAsyncGenerator", "join", "watch_generator"]

T = TypeVar("T")
S = TypeVar("S")


def join(chunks: list[Any]) -> Any:
    """Put chunks together: text is joined, anything else stays a list."""
    if chunks and all(isinstance(chunk, str) for chunk in chunks):
        return "".join(chunks)
    return chunks


@final
class StreamedRun:
    """The core of a run with a streamed output."""

    __slots__ = ("_changed", "_join", "_kept", "_token", "run")

    def __init__(self, info: RunInfo, found: Listeners, value: Any, join: Callable[[list[Any]], Any]) -> None:
        """Begin the run; it is started by `start` inside of the first step."""
        self.run = begin(info, found, value)
        self.run.streamed = True
        self._join = join
        self._kept: list[Any] | None = [] if plan_of(self.run).keeps_output else None
        self._changed: Changed | None = None
        self._token: Token[Run | None] | None = None

    def enter_step(self) -> None:
        """Make the run current, and its handlers' variables visible, in the consumer's context."""
        self._token = current.set(self.run)
        if self._changed is not None:
            self._changed.set()

    def leave_step(self) -> None:
        """Give the consumer's context back as it was."""
        if self._token is None:
            return
        if self._changed is not None:
            self._changed.reset()
        restore(current, self._token)
        self._token = None

    def start(self) -> Pending | None:
        """Tell the start handlers; inside of the first step."""
        return start(self.run)

    def started(self) -> None:
        """Show the body what the start handlers changed."""
        if plan_of(self.run).starts:
            self._changed = Changed.since_start(self.run)
            if self._changed is not None:
                self._changed.set()

    def chunk(self, chunk: Any) -> Pending | None:
        """Tell the handlers of one chunk.

        Raises:
            Abort: a handler stops the run; the driver closes the source and ends it.
        """
        run = self.run
        run.chunks += 1
        if run.chunks == 1:
            run.time_to_first_chunk = time.perf_counter() - run._t0
        if self._kept is not None:
            self._kept.append(chunk)
        calls = plan_of(run).chunks
        if not calls:
            return None
        pending: Pending | None = enter(run._context, fire, calls, run, "on_chunk", chunk)
        return pending

    def end(self, outcome: Outcome) -> Pending | None:
        """End the run with what its consumer had of it."""
        output = None
        if self._kept is not None and self.run.outcome is None:
            output, self._kept = self._join(self._kept), None
        return end(self.run, outcome, output)

    def fail(self, error: BaseException) -> Pending | None:
        """End the run with an exception."""
        self._kept = None
        return end_with_error(self.run, error)


def watch_generator(
    info: RunInfo, value: Any, found: Listeners, source: Generator[T, S, Any]
) -> Generator[T, S, Any]:
    """Drive a generator as one run; the delegation of PEP 380 with the handlers told on the way."""
    streamed = StreamedRun(info, found, value, join)
    run = streamed.run
    step: Callable[[Any], T] = source.send
    sent: Any = None
    try:
        streamed.enter_step()
        skip(run, "on_start", value, streamed.start())
        streamed.started()
        while True:
            try:
                chunk = step(sent)
            except StopIteration as stop:
                skip(run, "on_end", None, streamed.end(Outcome.OK))
                return stop.value
            finally:
                streamed.leave_step()
            skip(run, "on_chunk", chunk, streamed.chunk(chunk))
            try:
                sent = yield chunk
                step = source.send
            except GeneratorExit:
                _close(streamed, source)
                skip(run, "on_end", None, streamed.end(Outcome.CLOSED))
                raise
            except BaseException as error:  # noqa: BLE001 - thrown in by the consumer, for the source
                step, sent = source.throw, error
            streamed.enter_step()
    except BaseException as error:
        streamed.leave_step()
        if run.outcome is None:
            _close(streamed, source)
            skip(run, "on_error", error, streamed.fail(error))
        raise
    finally:
        # The traceback of an error refers to this frame: keep no way back from it to the error.
        del run, streamed, sent


def _close(streamed: StreamedRun, source: Generator[Any, Any, Any]) -> None:
    streamed.enter_step()
    try:
        source.close()
    finally:
        streamed.leave_step()


@final
class ObservedAsyncGenerator(AsyncGenerator[T, S]):
    """An asynchronous generator that is watched if somebody listens at its first pull.

    Closing: `aclose` ends the run as closed. Dropped half-read, its finalizer ends the run on the
        spot, with plain handlers alone, and warns.
    Threads: read it in one task at a time; not necessarily the one that made it.
    """

    __slots__ = ("__weakref__", "_decided", "_info", "_join", "_source", "_streamed", "_value")

    def __init__(
        self,
        info: RunInfo,
        value: Any,
        source: AsyncGenerator[T, S],
        join: Callable[[list[Any]], Any] = join,
    ) -> None:
        """Wrap a generator that has not been pulled."""
        self._info = info
        self._value = value
        self._source = source
        self._join = join
        self._decided = False
        self._streamed: StreamedRun | None = None

    def __aiter__(self) -> AsyncGenerator[T, S]:
        """Return the bare generator where nobody listens: it is about to be pulled, and costs nothing more."""
        if not self._decided and listeners() is None:
            return self._source
        return self

    async def __anext__(self) -> T:
        """Return the next chunk, after the handlers have been told."""
        return await self._step(self._source.__anext__())

    async def asend(self, value: S) -> T:
        """Send a value into the generator and return its next chunk."""
        return await self._step(self._source.asend(value))

    async def athrow(self, *error: Any) -> T:
        """Throw an exception into the generator and return its next chunk."""
        return await self._step(self._source.athrow(*error))

    async def _step(self, step: Awaitable[T]) -> T:
        streamed = self._streamed
        if streamed is None:
            found = None if self._decided else listeners()
            self._decided = True
            if found is None:
                return await step
            streamed = self._streamed = StreamedRun(self._info, found, self._value, self._join)
            streamed.enter_step()
            await self._start(streamed)
        else:
            streamed.enter_step()
        run = streamed.run
        try:
            try:
                chunk = await step
            finally:
                streamed.leave_step()
            pending = streamed.chunk(chunk)
            if pending is not None:
                await wait_start(run, "on_chunk", chunk, pending)
        except StopAsyncIteration:
            await wait_ending(run, "on_end", run.output, streamed.end(Outcome.OK))
            raise
        except BaseException as error:
            await self._fail(streamed, error)
            raise
        else:
            return chunk
        finally:
            del run, streamed

    async def _start(self, streamed: StreamedRun) -> None:
        try:
            pending = streamed.start()
            if pending is not None:
                await wait_start(streamed.run, "on_start", self._value, pending)
        except BaseException as error:
            streamed.leave_step()
            await self._fail(streamed, error)
            raise
        streamed.started()

    async def _fail(self, streamed: StreamedRun, error: BaseException) -> None:
        run = streamed.run
        if run.outcome is None:
            try:
                await self._close(streamed)
            finally:
                pending = streamed.fail(error)
                if isinstance(error, GeneratorExit):  # this coroutine is being closed and may not wait
                    skip(run, "on_error", error, pending)
                else:
                    await wait_ending(run, "on_error", error, pending)

    async def aclose(self) -> None:
        """Close the generator; its run ends as closed unless it has ended."""
        streamed = self._streamed
        if streamed is None or streamed.run.outcome is not None:
            self._decided = True
            await self._source.aclose()
            return
        try:
            await self._close(streamed)
        except BaseException as error:
            await wait_ending(streamed.run, "on_error", error, streamed.fail(error))
            raise
        await wait_ending(streamed.run, "on_end", streamed.run.output, streamed.end(Outcome.CLOSED))

    async def _close(self, streamed: StreamedRun) -> None:
        streamed.enter_step()
        try:
            await self._source.aclose()
        finally:
            streamed.leave_step()

    async def __aenter__(self) -> AsyncGenerator[T, S]:
        """Return the stream; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.aclose()

    def __del__(self, _finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        """End the run of a stream that was dropped half-read."""
        streamed = getattr(self, "_streamed", None)
        if streamed is None or streamed.run.outcome is not None:
            return
        run = streamed.run
        skip(run, "on_end", None, streamed.end(Outcome.CLOSED))
        if not _finalizing():
            warnings.warn(
                f"the stream of {run!r} was dropped half-read; use `async with` or `contextlib.aclosing`",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
