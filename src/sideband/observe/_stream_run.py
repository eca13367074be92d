"""The core of a run with a streamed output, without waiting; its drivers are in `_streamed` and `_returned`.

1. Each step of the body has the run, and what its start handlers changed, set in the consumer's
   context; between two steps the consumer sees neither.
2. When the stream opens, handlers that deal with streams get copies, fed chunk by chunk.
3. A chunk is told to the handlers before the consumer has it.
4. The ending is told before the consumer learns of it, and before it that of the streams that are
   still open in the run.
5. Such a stream may be read in another task or thread at that very moment. Whoever claims the run tells
   its ending; but while a chunk is being told, that is left to whoever tells it (`left`).
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable, Iterator
from contextvars import Token
from time import perf_counter
from typing import Any, final

from sideband.errors import Interrupted
from sideband.handlers import Listeners
from sideband.handlers._plan import Pending, fire
from sideband.observe._changes import Changed, show_changes
from sideband.observe._feed import Feed, follow
from sideband.observe._lifecycle import (
    Streams,
    begin,
    end,
    end_with_error,
    plan_of,
    start,
)
from sideband.runs import Outcome, Run, RunInfo
from sideband.scope._scope import Scope, current, current_scope, reset_current, restore, set_current
from sideband.streams import join as accumulate

__all__ = ["StreamedRun", "join", "open_inside", "warn_dropped"]

_logger = logging.getLogger("sideband")


def join(chunks: list[Any], accumulate: Callable[[list[Any]], Any] = accumulate) -> Any:
    """Put chunks together, by default as `sideband.streams.join` does; the list of them where that fails."""
    try:
        return accumulate(chunks)
    except Exception:
        _logger.exception("an accumulator failed; the output of a stream is the list of its chunks")
        return chunks


def warn_dropped(run: Run) -> None:
    """Tell the author of a program that it leaves a stream to the garbage collector."""
    message = f"the stream of {run!r} was dropped half-read; use `async with` or `contextlib.aclosing`"
    warnings.warn(message, ResourceWarning, stacklevel=3)


@final
class StreamedRun:
    """The core of a run with a streamed output."""

    __slots__ = (
        "_around",
        "_besides",
        "_calls",
        "_changed",
        "_feed",
        "_join",
        "_kept",
        "_open",
        "_scoped",
        "closers",
        "dropped",
        "left",
        "over",
        "run",
        "scope",
        "started",
        "takers",
        "telling",
        "token",
        "wants_more",
    )

    def __init__(self, run: Run, join: Callable[[list[Any]], Any] = join) -> None:
        """Take a run that was begun; `start` starts it inside of the first step."""
        run.streamed = True
        self.run = run
        self._calls = plan_of(run).chunks
        self._join = join
        self._kept: list[Any] | None = None
        self._feed: Feed[Any] | None = None
        self._changed: Changed | None = None
        self._around: Run | None = None
        self._besides = True
        self.token: Token[Run | None] | None = None
        """What makes the run no longer current, while a step of the body is going on."""
        self.wants_more: bool = False
        """Whether a step wants more in its context than the run: `enter_more` sets it."""
        # Taken out by the one who ends the run: `pop` is one step for all threads.
        self._open = [run]
        self.closers: list[asyncio.Future[None]] | None = None
        """Who waits to close the stream while the handlers of its ending are awaited."""
        self.takers: tuple[Callable[[Any], None], ...] = ()
        """What is given each chunk before the handlers are, let go of with the run; nothing of it raises."""
        self.scope: Scope | None = None
        """The scope of the body, where it is not that of the consumer."""
        self._scoped: Token[Scope] | None = None
        self.started = False
        self.dropped = False
        self.over = False
        self.telling = False
        """Whether the handlers are being told of a chunk."""
        self.left = False
        """Whether the run has ended, or is to be ended by whoever reads the stream."""

    @classmethod
    def of(cls, info: RunInfo, found: Listeners, value: Any, join: Callable[[list[Any]], Any]) -> StreamedRun:
        """Make it for a component that is about to be executed."""
        return cls(begin(info, found, value), join)

    def enter_step(self) -> None:
        """Make the run current, and its handlers' variables visible, in the consumer's context."""
        self.token = set_current(self.run)
        self.enter_more()

    def enter_more(self) -> None:
        """Set in the consumer's context what a step wants there more than the run."""
        if self.scope is not None:
            self._scoped = current_scope.set(self.scope)
        if self._changed is not None:
            self._changed.set()

    def leave_step(self) -> None:
        """Give the consumer's context back as it was; harmless where no step is going on."""
        token = self.token
        if token is not None:
            self.token = None
            self._leave_more()
            restore(current, token)

    def _leave_more(self) -> None:
        if self._changed is not None:
            self._changed.reset()
        if self._scoped is not None:
            restore(current_scope, self._scoped)
            self._scoped = None

    def start(self) -> Pending | None:
        """Tell the start handlers; inside of the first step."""
        self.started = True
        return start(self.run)

    def show_changes(self) -> None:
        """Show the body what the start handlers changed."""
        self._changed = show_changes(self.run)
        self.wants_more = self._changed is not None or self.scope is not None

    def open(self, *, asynchronous: bool) -> Pending | None:
        """Tell those who deal with streams that the output opens, each with a copy of its own.

        Raises:
            Abort: a handler stops the run.
        """
        run, plan = self.run, plan_of(self.run)
        pending: Pending | None = None
        given: set[int] = set()
        if plan.openings:
            feed: Feed[Any] = Feed("on_end_with_stream_output", follow(run) if asynchronous else None)
            self._feed = feed
            self.takers = (*self.takers, feed.publish)
            given = Streams.of(run).given = feed.given
            calls = tuple(map(feed.giving, plan.openings))
            pending = fire(calls, run, "on_end_with_stream_output", None)
        if plan.keeps_output and any(
            call.handler.wants_output and call.place not in given for call in plan.ends
        ):
            self._kept = kept = list[Any]()
            self.takers = (*self.takers, kept.append)
        return pending

    def chunk(self, chunk: Any) -> Pending | None:
        """Leave the step that gave a chunk, and tell the handlers of it.

        Raises:
            Abort: a handler stops the run; the driver closes the source and ends it.
        """
        # Written out, without calls of what it shares with `leave_step`: this is felt at each chunk.
        try:  # noqa: SIM105 - as is a context manager
            reset_current(self.token)  # type: ignore[arg-type] # a step is going on
        except ValueError:  # as `restore` says
            pass
        self.token = None
        self.telling = True
        if self.left:  # looked at after saying so: either this sees it, or `leave` sees this
            self._leave_more()
            return None
        run = self.run
        run.chunks = count = run.chunks + 1
        if self._besides:  # at the first chunk, and at the others where somebody wants more than to be told
            if count == 1:
                run.time_to_first_chunk = perf_counter() - run._t0
                self._besides = self.wants_more or bool(self.takers)
            if self.wants_more:
                self._leave_more()
            for take in self.takers:
                take(chunk)
        pending = fire(self._calls, run, "on_chunk", chunk) if self._calls else None
        if pending is None:
            self.telling = False
        return pending

    def told(self) -> Pending | None:
        """Say that handlers who wait have been told of a chunk; end the run if that was left to us."""
        self.telling = False
        return self.end(Outcome.CLOSED) if self.left else None

    def _claim(self) -> Run | None:
        self.left = True
        try:
            return self._open.pop()
        except IndexError:
            return None

    def end(self, outcome: Outcome) -> Pending | None:
        """End the run with what its consumer had of it, unless somebody else ends it."""
        run = self._claim()
        if run is None:
            return None
        kept, self._kept = self._kept, None
        output = None if kept is None else self._join(kept)
        self._end_copies(run, None)
        return end(run, output, outcome)

    def fail(self, error: BaseException) -> Pending | None:
        """End the run with an exception, unless somebody else ends it."""
        run = self._claim()
        if run is None:
            return None
        self._kept = None
        self._end_copies(run, None if isinstance(error, Interrupted) else error)
        return end_with_error(run, error)

    def leave(self) -> Pending | None:
        """End the run as closed, from outside of its stream; while a chunk is being told, leave it to who tells it."""
        self.left = True
        return None if self.telling else self.end(Outcome.CLOSED)

    def _end_copies(self, run: Run, error: BaseException | None) -> None:
        if self._feed is not None:
            if error is not None:
                run.error = error  # so that a handler that lets it through is not taken for failing
            self._feed.end(error)
            self._feed = None
        around, self._around = self._around, None
        if around is not None and around._open_streams is not None:
            around._open_streams.pop(id(self), None)

    def join_stream_around(self) -> None:
        """Let the stream in whose body this one has opened end this one before itself."""
        around = self.run.parent
        while around is not None and not around.streamed:
            around = around.parent
        if around is not None and around.outcome is None:
            self._around = around
            if around._open_streams is None:
                around._open_streams = {}
            around._open_streams[id(self)] = self, self.run

    def release(self) -> None:
        """Let go of the run, which is over.

        The traceback of an error refers to the frames that drive a stream and to those that read it:
        nothing in them may lead to the run, which leads to the error.
        """
        self.over = True
        del self.run, self.takers

    def close_failed(self, failure: Exception) -> None:
        """Log that a source could not be closed after its run had failed: the run's error goes first."""
        _logger.error("the source of %r failed to close after its run had failed", self.run, exc_info=failure)


def open_inside(run: Run) -> Iterator[tuple[StreamedRun, Run]]:
    """Take the streams that are still open in a run, innermost first: they end before it."""
    while run._open_streams:
        try:
            _, (stream, inside) = run._open_streams.popitem()
        except KeyError:  # it has just ended by itself, in another thread
            return
        yield from open_inside(inside)
        yield stream, inside
