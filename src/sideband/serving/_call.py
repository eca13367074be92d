"""One caller's request: its items, what became of them, in the caller's order. Waits for nothing.

Everything here happens in the caller's own loop or thread. What one batch executes of a request is a
part: a range of its items, whatever the batch's other items are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, final

from sideband.runs import Run, RunLink
from sideband.serving._batch import BatchOutput, HookEvent

__all__ = ["Call", "Executed", "Items", "Part", "Receiver", "Single", "is_error", "raisable"]

T = TypeVar("T")


class Executed(Protocol):
    """What a receiver may know of the execution of its items."""

    @property
    def partition(self) -> int:
        """Which partition executes them."""
        ...

    @property
    def size(self) -> int:
        """The items of the whole batch."""
        ...

    @property
    def started(self) -> float:
        """When it began, on the clock by which parts arrive."""
        ...

    @property
    def execute_time(self) -> float:
        """Seconds that the batch function took; 0 until it has returned."""
        ...

    @property
    def attempt(self) -> int:
        """Which execution of its items it is, from 1; more than 1 where a failed batch is divided."""
        ...

    @property
    def exceptional(self) -> bool:
        """Whether any of its results is an exception."""
        ...

    @property
    def link(self) -> RunLink | None:
        """The Batch run, if somebody watches it."""
        ...


class Receiver(Protocol):
    """Who is told what becomes of a part, in the loop or thread where the request was made."""

    @property
    def run(self) -> Run | None:
        """The request's run, if it is watched."""
        ...

    @property
    def listening(self) -> bool:
        """Whether hook events are of any use to it."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def executing(self, part: Items[Any], execution: Executed) -> None:
        """A batch with these items starts. Called only where there is a run."""

    def event(self, part: Items[Any], attempt: int, name: str, payload: list[Any]) -> None:
        """The batch emitted an event; the payload is that of these items. Called only where it listens."""

    def done(self, part: Items[Any], execution: Executed, own: list[Any]) -> None:
        """The batch is done; `own` are the results of these items, its error for each if it failed."""

    def failed(self, error: BaseException) -> None:
        """Items of the request will get no results."""


@final
class Items(Generic[T]):
    """Items of one request that wait to be executed, whatever else is in their batch."""

    __slots__ = ("arrived", "receiver", "size", "start", "values", "waiting")

    def __init__(self, receiver: Receiver, values: list[T], start: int, size: int, arrived: float) -> None:
        """Let `size` items of `values`, from `start`, wait since `arrived`."""
        self.receiver = receiver
        self.values = values
        self.start = start
        self.size = size
        self.arrived = arrived
        self.waiting = False

    def split(self, count: int) -> Items[T]:
        """Take the first `count` items off as a part of their own."""
        first = Items(self.receiver, self.values, self.start, count, self.arrived)
        self.start += count
        self.size -= count
        return first

    def piece(self, start: int, count: int, arrived: float) -> Items[T]:
        """Return some of the items as a part of their own; this one stays as it is."""
        return Items(self.receiver, self.values, self.start + start, count, arrived)

    @property
    def gone(self) -> bool:
        """Whether nobody waits for the results any more."""
        return self.receiver.finished

    def failed(self, error: BaseException) -> None:
        """Report that there will be none."""
        self.receiver.failed(error)


@final
class Single:
    """One item that nobody watches: its value and a future, and nothing else, since there are many."""

    __slots__ = ("arrived", "future", "value", "waiting")

    size = 1

    def __init__(self, value: Any, future: asyncio.Future[Any], arrived: float) -> None:
        """Resolve `future` with what becomes of `value`."""
        self.value = value
        self.future = future
        self.arrived = arrived
        self.waiting = True

    def split(self, count: int) -> Single:  # noqa: ARG002 - as every part
        """Return itself: one item cannot be split."""
        return self

    def piece(self, start: int, count: int, arrived: float) -> Single:  # noqa: ARG002 - as every part
        """Return itself, waiting anew."""
        self.arrived = arrived
        return self

    @property
    def gone(self) -> bool:
        """Whether its caller has gone."""
        return self.future.done()

    def failed(self, error: BaseException) -> None:
        """Fail the future, unless its caller has gone."""
        if not self.future.done():
            self.future.set_exception(raisable(error))


Part = Items[Any] | Single
"""What waits in a serving's queue."""


@final
class Call:
    """A request and what is known of it so far.

    `notify` is called when there is news for whoever waits: events, or the end.
    """

    __slots__ = (
        "_complete", "_done", "_early", "_executed", "_next", "_traceback", "error", "events", "finished",
        "listening", "notify", "results", "return_exceptions", "run", "streaming",
    )  # fmt: skip

    def __init__(
        self, size: int, *, run: Run | None, listening: bool, streaming: bool, return_exceptions: bool
    ) -> None:
        """Expect `size` results.

        Args:
            size: how many items the request has.
            run: its run of kind Serving, if it is watched.
            listening: whether hook events are of use to anybody.
            streaming: whether `events` are collected, in the order of the items.
            return_exceptions: whether an item's exception is a result like any other.
        """
        self.run = run
        self.listening = listening
        self.streaming = streaming
        self.return_exceptions = return_exceptions
        self.results: list[Any] = [None] * size
        self.events: deque[HookEvent | BatchOutput[Any]] = deque()
        self.error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self.finished = not size
        self.notify: Callable[[], None] = _nobody
        self._done = 0
        self._next = 0
        # What parts gave before those in front of them were complete, by their start; and where those
        # that are complete end.
        self._early: dict[int, list[HookEvent | BatchOutput[Any]]] = {}
        self._complete: dict[int, int] = {}
        self._executed: list[tuple[Items[Any], Executed]] = []

    def executing(self, part: Items[Any], execution: Executed) -> None:
        """Tell the run's handlers that a part of it is being executed."""
        if self.run is not None:
            self._executed.append((part, execution))
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
        self.results[start:stop] = own
        self._done += part.size
        if self.streaming:
            self._hold(start, BatchOutput(output=own, offset=start))
            self._complete[start] = stop
            self._release()
        if self._done == len(self.results):
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
        if self.run is None or not self._executed:
            return
        executions = [execution for _, execution in self._executed]
        shares = [part.size / execution.size for part, execution in self._executed]
        partitions = sorted({execution.partition for execution in executions})
        self.run.attributes.update(
            queue_time=max(execution.started - part.arrived for part, execution in self._executed),
            execute_time=sum(execution.execute_time for execution in executions),
            execute_share=sum(share * e.execute_time for share, e in zip(shares, executions, strict=True)),
            batch_size=max(execution.size for execution in executions),
            batches=len(executions),
            partition=partitions[0] if len(partitions) == 1 else tuple(partitions),
            share=sum(shares),
        )
        links = dict.fromkeys(execution.link for execution in executions if execution.link is not None)
        self.run.links = (*self.run.links, *links)
        self._executed.clear()


def _nobody() -> None:
    """Stand in until a driver waits."""


def is_error(result: object) -> TypeGuard[BaseException]:
    """Tell by its type alone: to be asked for their class, some objects run code of their own."""
    return issubclass(type(result), BaseException)


def raisable(error: BaseException) -> BaseException:
    """Return an error that any caller can raise: what steers Python's own machinery is wrapped."""
    if not isinstance(error, StopIteration | StopAsyncIteration | GeneratorExit | asyncio.CancelledError):
        return error
    wrapped = RuntimeError(f"the batch function gave {error!r}, which cannot be raised as it is")
    wrapped.__cause__ = error
    return wrapped
