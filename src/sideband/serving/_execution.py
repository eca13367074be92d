"""One execution of the batch function: its batch, its run, its results. Knows no loop and no queue.

1. It is made where the callers are told: on a server's loop, or in the caller's own loop or thread.
2. `run` or `run_async` executes it, possibly in another thread; the batch's run surrounds just that.
3. `deliver` tells each part what became of its items, back where it was made.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import InvalidStateError
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, final

from sideband.errors import ServingError
from sideband.observe._lifecycle import begin
from sideband.observe._observation import Observation
from sideband.runs import RunInfo, RunLink
from sideband.scope._scope import Scope, current, current_scope
from sideband.serving._batch import Batch, listed
from sideband.serving._call import Items, Part, Single
from sideband.serving._settings import Counters

__all__ = ["Execution", "Surroundings"]


@final
class Surroundings:
    """What every execution of a serving has around it: its identity, and who listens to its batches."""

    __slots__ = ("context", "hooks", "info", "scope")

    def __init__(self, info: RunInfo, scope: Scope, hooks: tuple[str, ...]) -> None:
        """Take a copy of the calling context in which only the serving's own handlers listen."""
        self.info = info
        self.scope = scope
        self.hooks = hooks
        self.context: Context = copy_context()
        self.context.run(current.set, None)
        self.context.run(current_scope.set, scope)


@final
class Execution:
    """A batch on its way through the batch function."""

    __slots__ = (
        "_context", "_observation", "_parts", "_queue_time", "batch", "error", "execute_time", "link", "partition", "results",
        "size", "started",
    )  # fmt: skip

    def __init__(
        self,
        parts: list[Part],
        around: Surroundings,
        *,
        now: float,
        partition: int,
        emit: Callable[[Execution, str, list[Any]], None],
    ) -> None:
        """Put the parts' items together; `emit` is called with each event, on the emitter's thread."""
        values: list[Any] = []
        requests: list[Items[Any]] = []
        arrived = 0.0
        for part in parts:
            if type(part) is Single:
                values.append(part.value)
                arrived += part.arrived
            else:
                assert isinstance(part, Items)
                requests.append(part)
                values += part.values[part.start : part.start + part.size]
                arrived += part.arrived * part.size
        listened = bool(around.hooks) and any(items.receiver.listening for items in requests)
        self.batch: Batch[Any] = Batch(
            values,
            serving=around.info.name,
            partition=partition,
            hooks=around.hooks,
            sink=(lambda name, payload: emit(self, name, payload)) if listened else None,
        )
        self._parts = parts
        self._queue_time = now * len(values) - arrived
        self._context = around.context.copy()
        self.partition = partition
        self.size = len(values)
        self.started = now
        self.results: list[Any] = []
        self.error: BaseException | None = None
        self.execute_time = 0.0
        self._observation = self._observe(around, requests)
        self.link: RunLink | None = None if self._observation is None else self._observation.run.link()
        for items in requests:
            if items.receiver.run is not None:
                items.receiver.executing(items, self)

    def _observe(self, around: Surroundings, requests: list[Items[Any]]) -> Observation | None:
        found = around.scope.look()
        if found is None:
            return None
        run = self._context.run(begin, around.info, found, self.batch.values)
        served = dict.fromkeys(items.receiver.run for items in requests)
        run.links = tuple(one.link() for one in served if one is not None)
        run.attributes.update(batch_size=self.size, partition=self.partition)
        return Observation(run)

    def run(self, function: Callable[[Batch[Any]], Any]) -> None:
        """Execute in the calling thread; an error is kept for the callers."""
        try:
            self._context.run(self._run, function)
        except BaseException as error:  # noqa: BLE001 - it is the callers' to raise, whatever it is
            self.error = error

    def _run(self, function: Callable[[Batch[Any]], Any]) -> None:
        began = time.perf_counter()
        try:
            if self._observation is None:
                self.results = self._checked(function(self.batch))
                return
            with self._observation as run:
                run.output = self.results = self._checked(function(self.batch))
        finally:
            self.execute_time = time.perf_counter() - began
            self.batch.end()

    async def run_async(self, function: Callable[[Batch[Any]], Awaitable[Any]]) -> None:
        """Execute in a task of its own; an error is kept for the callers.

        Cancellation: of the calling task goes to the function and on; the callers get an error.
        """
        task = asyncio.get_running_loop().create_task(self._run_async(function), context=self._context)
        try:
            await task
        except asyncio.CancelledError as cancelled:
            # To the callers this is a failure: nobody cancelled them.
            self.error = ServingError(self.batch.serving, "the execution of its batch was cancelled")
            self.error.__cause__ = cancelled
            asyncio_task = asyncio.current_task()
            if asyncio_task is not None and asyncio_task.cancelling():
                raise
        except BaseException as error:  # noqa: BLE001 - it is the callers' to raise, whatever it is
            self.error = error

    async def _run_async(self, function: Callable[[Batch[Any]], Awaitable[Any]]) -> None:
        began = time.perf_counter()
        try:
            if self._observation is None:
                self.results = self._checked(await function(self.batch))
                return
            async with self._observation as run:
                run.output = self.results = self._checked(await function(self.batch))
        finally:
            self.execute_time = time.perf_counter() - began
            self.batch.end()

    def _checked(self, results: Any) -> list[Any]:
        return listed(results, self.batch.serving, "the results of the batch function", self.size)

    def event(self, name: str, payload: list[Any]) -> None:
        """Tell the parts that listen of an event, each of its own items."""
        begin = 0
        for part in self._parts:
            end = begin + part.size
            if type(part) is Items and part.receiver.listening:
                part.receiver.event(part, name, payload[begin:end])
            begin = end

    def deliver(self) -> None:
        """Tell each part its results, or the error."""
        if self.error is not None:
            self.fail(self.error)
            return
        begin = 0
        results = self.results
        kind: object = None
        raises = False
        for part in self._parts:
            if type(part) is Single:
                result = results[begin]
                begin += 1
                if type(result) is not kind:  # asked once for results of one type
                    kind = type(result)
                    raises = isinstance(result, BaseException)
                if raises:
                    part.failed(result)
                    continue
                try:
                    part.future.set_result(result)
                except InvalidStateError:  # its caller has gone
                    continue
            else:
                assert isinstance(part, Items)
                part.receiver.done(part, self, begin)
                begin += part.size

    def fail(self, error: BaseException) -> None:
        """Tell each part that there will be no results, and refuse further events."""
        self.batch.end()
        for part in self._parts:
            part.failed(error)

    def count(self, counters: Counters) -> None:
        """Add it to the serving's totals."""
        counters.batches += 1
        counters.items += self.size
        counters.failed += self.error is not None
        counters.execute_time += self.execute_time
        counters.queue_time += self._queue_time
