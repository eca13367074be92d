"""Runs whose output is a stream: one core without waiting, a driver for each kind of generator.

1. The run starts at the first pull. Until then nothing is made.
2. Each step of the body has the run, and what its start handlers changed, set in the consumer's
   context; between two steps the consumer sees neither.
3. A chunk is told to the handlers before the consumer has it.
4. The ending is told before the consumer learns of it: ok at exhaustion, error, cancelled, closed.
5. A driver is a generator itself, so that Python's own rules for one that is running, closed or not
   yet started hold for it.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import Token, copy_context
from types import TracebackType
from typing import Any, TypeVar, final

from sideband.handlers import Listeners
from sideband.handlers._plan import Pending, again, fire
from sideband.observe._lifecycle import (
    Changed,
    begin,
    context_of,
    end,
    end_with_error,
    plan_of,
    skip,
    start,
    wait_ending,
    wait_start,
)
from sideband.runs import Outcome, Run, RunInfo
from sideband.scope._scope import current, listeners, reset_current, restore, set_current

__all__ = ["ObservedAsyncGenerator", "join", "watch_generator"]

T = TypeVar("T")
S = TypeVar("S")

_logger = logging.getLogger("sideband")


def join(chunks: list[Any]) -> Any:
    """Put chunks together: text is joined, anything else stays a list."""
    if chunks and all(isinstance(chunk, str) for chunk in chunks):
        return "".join(chunks)
    return chunks


@final
class StreamedRun:
    """The core of a run with a streamed output."""

    __slots__ = (
        "_calls",
        "_changed",
        "_ended",
        "_join",
        "_kept",
        "_run_in_context",
        "_token",
        "dropped",
        "over",
        "pulled",
        "run",
    )

    def __init__(self, info: RunInfo, found: Listeners, value: Any, join: Callable[[list[Any]], Any]) -> None:
        """Begin the run; it is started by `start` inside of the first step."""
        self.run = begin(info, found, value)
        self.run.streamed = True
        plan = plan_of(self.run)
        self._calls = plan.chunks
        self._run_in_context: Callable[..., Any] = copy_context().run
        self._join = join
        self._kept: list[Any] | None = [] if plan.keeps_output else None
        self._changed: Changed | None = None
        self._token: Token[Run | None] | None = None
        self.pulled = False
        self.dropped = False
        self.over = False
        self._ended = False

    def enter_step(self) -> None:
        """Make the run current, and its handlers' variables visible, in the consumer's context."""
        self._token = set_current(self.run)
        if self._changed is not None:
            self._changed.set()

    def leave_step(self) -> None:
        """Give the consumer's context back as it was; harmless where no step is going on."""
        token = self._token
        if token is not None:
            self._token = None
            if self._changed is not None:
                self._changed.reset()
            restore(current, token)

    def start(self) -> Pending | None:
        """Tell the start handlers; inside of the first step."""
        self.pulled = True
        pending = start(self.run)
        self._run_in_context = context_of(self.run).run
        return pending

    def started(self) -> None:
        """Show the body what the start handlers changed."""
        if plan_of(self.run).starts:
            self._changed = Changed.since_start(self.run)
            if self._changed is not None:
                self._changed.set()

    def chunk(self, chunk: Any) -> Pending | None:
        """Leave the step that gave a chunk, and tell the handlers of it.

        Raises:
            Abort: a handler stops the run; the driver closes the source and ends it.
        """
        # Written out, without the calls of `leave_step` and `enter`: this is felt at each chunk.
        if self._changed is not None:
            self._changed.reset()
        reset_current(self._token)  # type: ignore[arg-type] # a step is going on
        self._token = None
        if self._ended:  # the stream was dropped while this step was on its way
            return None
        run = self.run
        run.chunks = count = run.chunks + 1
        if count == 1:
            run.time_to_first_chunk = time.perf_counter() - run._t0
        if self._kept is not None:
            self._kept.append(chunk)
        if not self._calls:
            return None
        pending: Pending | None
        try:
            pending = self._run_in_context(fire, self._calls, run, "on_chunk", chunk)
        except RuntimeError as error:
            again(error)
            pending = copy_context().run(fire, self._calls, run, "on_chunk", chunk)
        return pending

    def end(self, outcome: Outcome) -> Pending | None:
        """End the run with what its consumer had of it."""
        output = None
        if self._kept is not None and self.run.outcome is None:
            output, self._kept = self._join(self._kept), None
        self._ended = True
        return end(self.run, outcome, output)

    def fail(self, error: BaseException) -> Pending | None:
        """End the run with an exception."""
        self._kept = None
        return end_with_error(self.run, error)

    def release(self) -> None:
        """Let go of the run, which is over.

        The traceback of an error refers to the frames that drive a stream and to those that read it:
        nothing in them may lead to the run, which leads to the error.
        """
        self.over = True
        del self.run, self._run_in_context

    def close_failed(self, failure: Exception) -> None:
        """Log that a source could not be closed after its run had failed: the run's error goes first."""
        _logger.error("the source of %r failed to close after its run had failed", self.run, exc_info=failure)


def watch_generator(
    info: RunInfo,
    value: Any,
    found: Listeners,
    source: Generator[T, S, Any],
    join: Callable[[list[Any]], Any] = join,
) -> Generator[T, S, Any]:
    """Drive a generator as one run; the delegation of PEP 380 with the handlers told on the way."""
    streamed = StreamedRun(info, found, value, join)
    run = streamed.run
    send: Callable[[Any], T] = source.send
    step = send
    sent: Any = None
    try:
        streamed.enter_step()
        skip(run, streamed.start())
        streamed.started()
        while True:
            try:
                chunk = step(sent)
            except StopIteration as stop:
                streamed.leave_step()
                skip(run, streamed.end(Outcome.OK))
                return stop.value
            pending = streamed.chunk(chunk)
            if pending is not None:
                skip(run, pending)
            try:
                sent = yield chunk
                step = send
            except GeneratorExit:
                _close(streamed, source)
                skip(run, streamed.end(Outcome.CLOSED))
                raise
            except BaseException as error:  # noqa: BLE001 - thrown in by the consumer, for the source
                step, sent = source.throw, error
            streamed.enter_step()
    except BaseException as error:
        streamed.leave_step()
        if run.outcome is None:
            try:
                _close(streamed, source)
            except Exception as failure:  # noqa: BLE001 - the first error is the one to raise
                streamed.close_failed(failure)
            finally:
                skip(run, streamed.fail(error))
        raise
    finally:
        streamed.release()
        del run, sent


def _close(streamed: StreamedRun, source: Generator[Any, Any, Any]) -> None:
    streamed.enter_step()
    try:
        source.close()
    finally:
        streamed.leave_step()


async def _watch(streamed: StreamedRun, source: AsyncGenerator[T, S]) -> AsyncGenerator[T, S]:
    """Drive an asynchronous generator as one run; as `watch_generator`, with waiting."""
    run = streamed.run
    asend = source.asend
    step: Callable[[Any], Any] = functools.partial(_first_step, source)
    sent: Any = None
    try:
        streamed.enter_step()
        pending = streamed.start()
        if pending is not None:
            await wait_start(run, pending)
        streamed.started()
        while True:
            try:
                chunk = await step(sent)
            except StopAsyncIteration:
                streamed.leave_step()
                await wait_ending(run, streamed.end(Outcome.OK))
                return
            pending = streamed.chunk(chunk)
            if pending is not None:
                await wait_start(run, pending)
            try:
                sent = yield chunk
                step = asend
            except GeneratorExit:
                if streamed.dropped:
                    warn_dropped(run)
                await _aclose(streamed, source)
                await wait_ending(run, streamed.end(Outcome.CLOSED))
                raise
            except BaseException as error:  # noqa: BLE001 - thrown in by the consumer, for the source
                step, sent = source.athrow, error
            streamed.enter_step()
    except BaseException as error:
        streamed.leave_step()
        if run.outcome is None:
            await _fail(streamed, source, error)
        raise
    finally:
        streamed.release()
        del run, sent


def _first_step(source: AsyncGenerator[T, S], sent: S) -> Awaitable[T]:
    # A loop closes the generators that it knows when it shuts down, in any order: it is to know the
    # driver alone, which closes its source.
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return source.asend(sent)
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def _fail(streamed: StreamedRun, source: AsyncGenerator[Any, Any], error: BaseException) -> None:
    run = streamed.run
    if isinstance(error, GeneratorExit):  # what drives this is being closed itself and may not wait
        skip(run, streamed.fail(error))
        return
    try:
        await _aclose(streamed, source)
    except Exception as failure:  # noqa: BLE001 - the first error is the one to raise
        streamed.close_failed(failure)
    finally:
        await wait_ending(run, streamed.fail(error))


async def _aclose(streamed: StreamedRun, source: AsyncGenerator[Any, Any]) -> None:
    streamed.enter_step()
    try:
        await source.aclose()
    finally:
        streamed.leave_step()


@final
class ObservedAsyncGenerator(AsyncGenerator[T, S]):
    """An asynchronous generator that is watched if somebody listens at its first pull.

    Closing: `aclose` ends the run as closed. Dropped half-read, its finalizer ends the run on the
        spot, with plain handlers alone, and warns.
    Threads: read it in one task at a time; not necessarily the one that made it.
    """

    __slots__ = ("__weakref__", "_info", "_join", "_source", "_stream", "_streamed", "_value")

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
        # What is pulled: undecided before the first pull, then the bare generator or the one that drives it.
        self._stream: AsyncGenerator[T, S] | None = None
        self._streamed: StreamedRun | None = None

    def __aiter__(self) -> AsyncGenerator[T, S]:
        """Return the bare generator where nobody listens: it is about to be pulled, and costs nothing more."""
        if self._stream is None and listeners() is None:
            self._stream = self._source
        return self if self._stream is not self._source else self._source

    def _pulled(self) -> AsyncGenerator[T, S]:
        found = listeners()
        if found is None:
            self._stream = self._source
        else:
            self._streamed = StreamedRun(self._info, found, self._value, self._join)
            self._stream = _watch(self._streamed, self._source)
        return self._stream

    def __anext__(self) -> Any:
        """Return the next chunk, after the handlers have been told."""
        stream = self._stream
        return (self._pulled() if stream is None else stream).__anext__()

    def asend(self, value: S) -> Any:
        """Send a value into the generator and return its next chunk."""
        return (self._stream or self._pulled()).asend(value)

    def athrow(self, *error: Any) -> Any:
        """Throw an exception into the generator and return its next chunk."""
        return self._unpulled().athrow(*error)

    def aclose(self) -> Any:
        """Close the generator; its run ends as closed unless it has ended."""
        return self._unpulled().aclose()

    def _unpulled(self) -> AsyncGenerator[T, S]:
        # What is closed or thrown into before its first pull does not run, and is no run.
        if self._stream is None:
            self._stream = self._source
        return self._stream

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
        if streamed is None or streamed.over or streamed.run.outcome is not None:
            return
        if not streamed.pulled or getattr(self._stream, "ag_running", False):
            # Somebody awaits a step of it, without keeping the stream: Python closes it after that.
            streamed.dropped = True
            return
        skip(streamed.run, streamed.end(Outcome.CLOSED))
        if not _finalizing():
            warn_dropped(streamed.run)


def warn_dropped(run: Run) -> None:
    """Tell the author of a program that it leaves a stream to the garbage collector."""
    message = f"the stream of {run!r} was dropped half-read; use `async with` or `contextlib.aclosing`"
    warnings.warn(message, ResourceWarning, stacklevel=3)
