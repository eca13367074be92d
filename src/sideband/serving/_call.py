"""One caller's request: its items, what became of them, in the caller's order. Waits for nothing.

Everything here happens in the caller's own loop or thread. What one batch executes of a request is a
part: a range of its items, whatever the batch's other items are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, final

from sideband.runs import Run
from sideband.serving._batch import BatchOutput, HookEvent
from sideband.serving._parts import Executed, Items, is_error, raisable
from sideband.serving._tally import Tally

__all__ = ["Call"]


@final
class Call:
    """A request and what is known of it so far.

    `notify` is called when there is news for whoever waits: events, or the end.
    """

    __slots__ = (
        "_complete", "_done", "_early", "_next", "_open", "_tally", "_traceback", "error", "events", "finished",
        "listening", "notify", "results", "return_exceptions", "run", "settled", "size", "streaming",
    )  # fmt: skip

    def __init__(
        self, size: int | None, *, run: Run | None, listening: bool, streaming: bool, return_exceptions: bool
    ) -> None:
        """Expect `size` results.

        Args:
            size: how many items the request has; None if they are told by `expect`.
            run: its run of kind Serving, if it is watched.
            listening: whether hook events are of use to anybody.
            streaming: whether `events` are collected, in the order of the items.
            return_exceptions: whether an item's exception is a result like any other.
        """
        self.run = run
        self.listening = listening
        self.streaming = streaming
        self.return_exceptions = return_exceptions
        self.size = size or 0
        """Items so far."""
        self.settled = 0
        """Items at the front whose results nobody has to keep, or to wait for, any more."""
        self.results: list[Any] = [] if streaming else [None] * self.size
        self.events: deque[HookEvent | BatchOutput[Any]] = deque()
        self.error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self.finished = size == 0
        self._open = size is None
        self.notify: Callable[[], None] = _nobody
        self._done = 0
        self._next = 0
        # What parts gave before those in front of them were complete, by their start; and where those
        # that are complete end.
        self._early: dict[int, list[HookEvent | BatchOutput[Any]]] = {}
        self._complete: dict[int, int] = {}
        self._tally: Tally | None = None

    def expect(self, count: int) -> None:
        """Expect more results; for a request whose size was not known."""
        self.size += count
        if not self.streaming:
            self.results += [None] * count

    def complete(self) -> None:
        """Expect no more."""
        self._open = False
        if self._done == self.size and not self.finished:
            self._finish()

    def next_event(self) -> HookEvent | BatchOutput[Any]:
        """Take the event that is next; there has to be one."""
        event = self.events.popleft()
        if isinstance(event, BatchOutput):
            self.settled += len(event.output)
        return event

    def executing(self, part: Items[Any], execution: Executed) -> None:
        """Tell the run's handlers that a part of it is being executed."""
        if self.run is not None and not self.finished:
            if self._tally is None:
                self._tally = Tally()
            self._tally.begins(part, execution)
            self.run.emit(
                "executing",
                {
                    "items": part.size,
                    "batch_size": execution.size,
                    "partition": execution.partition,
                    "queue_time": execution.started - part.arrived,
                    "attempt": execution.attempt,
                },
            )

    def event(self, part: Items[Any], attempt: int, name: str, payload: list[Any]) -> None:
        """Tell the run's handlers at once, and the stream in its turn."""
        if self.finished:
            return
        if self.run is not None:
            self.run.emit(name, payload)
        if self.streaming:
            self._hold(part.start, HookEvent(name=name, payload=payload, offset=part.start, attempt=attempt))

    def done(self, part: Items[Any], execution: Executed, own: list[Any]) -> None:
        """Keep the results of a part; the last one finishes the request."""
        if self.finished:
            return
        failure = self.failure(own) if execution.exceptional else None
        if failure is not None:
            self.failed(failure)
            return
        start, stop = part.start, part.start + part.size
        self._done += part.size
        if self._tally is not None:
            self._tally.ends(part)
        if self.streaming:
            self._hold(start, BatchOutput(output=own, offset=start))
            self._complete[start] = stop
            self._release()
        else:
            self.results[start:stop] = own
            if self._open:
                self._complete[start] = stop
                self._release()
                self.settled = self._next
                self.notify()
        if self._done == self.size and not self._open:
            self._finish()

    def failure(self, own: list[Any]) -> BaseException | None:
        """Return the first of these results that fails the request; from any thread."""
        for result in own:
            # What ends the program is no result even for those who want exceptions as results.
            if is_error(result) and not (self.return_exceptions and isinstance(result, Exception)):
                return result
        return None

    def failed(self, error: BaseException) -> None:
        """Finish the request with an error; results of other parts are dropped."""
        if self.finished:
            return
        self.error = raisable(error)
        self._traceback = self.error.__traceback__
        self._finish()

    def outcome(self) -> list[Any]:
        """Return the results of a finished request, or raise what it failed with."""
        if self.error is None:
            return self.results
        # One batch fails all its callers with one exception: each raises it with its first traceback.
        raise self.error.with_traceback(self._traceback)

    def _hold(self, start: int, event: HookEvent | BatchOutput[Any]) -> None:
        if start == self._next:
            self.events.append(event)
            self.notify()
        else:
            self._early.setdefault(start, []).append(event)

    def _release(self) -> None:
        # What is complete at the front lets the parts behind it speak.
        while (stop := self._complete.pop(self._next, None)) is not None:
            self._next = stop
            self.events.extend(self._early.pop(stop, ()))

    def _finish(self) -> None:
        self.finished = True
        self._early.clear()
        self._record()
        self.notify()

    def leave(self) -> None:
        """Let the request go, finished or not: what still comes for it goes nowhere.

        An error's traceback refers to the request, so the request must not lead back to it or to its run.
        """
        self._record()
        self.finished = True
        self.run = self.error = self._traceback = None
        self.notify = _nobody

    def _record(self) -> None:
        """Write on the run where its time went, and which batches served it."""
        tally, self._tally = self._tally, None
        if self.run is not None and tally is not None:
            tally.record(self.run)


def _nobody() -> None:
    """Stand in until a driver waits."""
