"""One execution of the batch function: its batch, its run, its results. Knows no loop and no queue.

1. It is made where the callers are told: on a server's loop, or in the caller's own loop or thread.
2. `run` or `run_async` executes it, possibly in another thread; the batch's run surrounds just that.
3. `deliver` tells each part what became of its items, back where it was made; `abandon` that nobody waits
   for it any more. After that it holds nothing: an error's traceback leads to it, and it must not lead to
   the error.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, final

from sideband.errors import Abort, ServingError, WorkerCrashedError
from sideband.observe._lifecycle import begin, end_with_error, skip
from sideband.observe._observation import Observation
from sideband.runs import Run, RunInfo, RunLink
from sideband.scope._scope import Scope, current, current_scope
from sideband.serving._batch import Batch, listed
from sideband.serving._isolate import Attempt, halves
from sideband.serving._parts import Items, raisable
from sideband.serving._settings import Counters
from sideband.serving._shares import divided, total

__all__ = ["Execution", "Surroundings"]


@final
class Surroundings:
    """What every execution of a serving has around it: its identity, and who listens to its batches."""

    __slots__ = ("batch_size", "context", "hooks", "info", "isolate", "scope")

    def __init__(
        self, info: RunInfo, scope: Scope, hooks: tuple[str, ...], *, batch_size: int, isolate: bool
    ) -> None:
        """Take a copy of the calling context in which only the serving's own handlers listen."""
        self.batch_size = batch_size
        """The most items of a batch; changes as the serving is configured."""
        self.info = info
        self.scope = scope
        self.hooks = hooks
        self.isolate = isolate
        self.context: Context = copy_context()
        self.context.run(current.set, None)
        self.context.run(current_scope.set, scope)


@final
class Execution:
    """A batch on its way through the batch function."""

    __slots__ = (
        "_abandoned",
        "_cancelled",
        "_isolate",
        "_observation",
        "_parts",
        "_queue_time",
        "_watched",
        "attempt",
        "batch",
        "context",
        "cost",
        "error",
        "exceptional",
        "execute_time",
        "link",
        "partition",
        "results",
        "size",
        "started",
    )

    def __init__(
        self,
        attempt: Attempt,
        around: Surroundings,
        *,
        now: float,
        partition: int,
        emit: Callable[[Execution, str, list[Any]], None],
    ) -> None:
        """Put the parts' items together; `emit` is called with each event, on the emitter's thread."""
        parts = attempt.parts
        values: list[Any] = []
        for part in parts:
            values += part.items()
        requests = [part for part in parts if isinstance(part, Items)]
        listened = bool(around.hooks) and any(items.receiver.listening for items in requests)
        self.batch: Batch[Any] = Batch(
            values,
            serving=around.info.name,
            partition=partition,
            hooks=around.hooks,
            sink=(lambda name, payload: emit(self, name, payload)) if listened else None,
        )
        self._parts = parts
        self._queue_time = now * len(values) - sum([part.arrived * part.size for part in parts])
        self.context = around.context.copy()
        self.partition = partition
        self.size = len(values)
        self.cost: float = sum([part.cost for part in parts]) if requests else 0
        self.started = now
        self.results: list[Any] = []
        self.error: BaseException | None = None
        self.exceptional = False
        self.execute_time = 0.0
        self.attempt = attempt.number
        self._isolate = around.isolate
        self._abandoned = self._cancelled = False
        self._watched: Run | None = None
        self._observation = self._observe(around, requests, attempt.previous)
        self.link: RunLink | None = None if self._observation is None else self._observation.run.link()
        for items in requests:
            if items.receiver.run is not None:
                items.receiver.executing(items, self)

    def _observe(
        self, around: Surroundings, requests: list[Items[Any]], previous: RunLink | None
    ) -> Observation | None:
        found = around.scope.look()
        if found is None:
            return None
        run = self.context.run(begin, around.info, found, self.batch.values)
        served: dict[Run, int] = {}
        for items in requests:
            if items.receiver.run is not None:
                served[items.receiver.run] = served.get(items.receiver.run, 0) + items.size
        links = [one.link() for one in served]
        run.links = (*links, previous) if previous else tuple(links)
        run.attributes.update(
            batch_size=self.size,
            max_batch_size=around.batch_size,
            items=tuple(served.values()),
            partition=self.partition,
            attempt=self.attempt,
        )
        return Observation(run)

    # -- executing -----------------------------------------------------------------------------

    def run(self, function: Callable[[Batch[Any]], Any]) -> None:
        """Execute in the calling thread; an error is kept for the callers."""
        if self._abandoned:  # before its thread came to it
            return
        try:
            self.context.run(self._run, function)
        except BaseException as error:  # noqa: BLE001 - it is the callers' to raise, whatever it is
            self._failed(error)

    def _run(self, function: Callable[[Batch[Any]], Any]) -> None:
        observation = self._observation
        if observation is None:
            self._call(function)
            return
        with observation:
            self._watched = observation.run
            self._call(function)

    def _call(self, function: Callable[[Batch[Any]], Any]) -> None:
        began = time.perf_counter()
        try:
            self._keep(function(self.batch))
        finally:
            self._over(began)

    async def run_async(self, function: Callable[[Batch[Any]], Awaitable[Any]]) -> None:
        """Execute in the calling task, whose context has to be this one's; an error is kept for the callers.

        Cancellation: of the task goes to the function, and on; the callers get an error.
        """
        try:
            await self._run_async(function)
        except asyncio.CancelledError as error:
            self._failed(error)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        except BaseException as error:  # noqa: BLE001 - it is the callers' to raise, whatever it is
            self._failed(error)

    async def _run_async(self, function: Callable[[Batch[Any]], Awaitable[Any]]) -> None:
        observation = self._observation
        if observation is None:
            await self._call_async(function)
            return
        async with observation:
            self._watched = observation.run
            await self._call_async(function)

    async def _call_async(self, function: Callable[[Batch[Any]], Awaitable[Any]]) -> None:
        began = time.perf_counter()
        try:
            self._keep(await function(self.batch))
        finally:
            self._over(began)

    def _keep(self, given: Any) -> None:
        if inspect.iscoroutine(given):
            given.close()
            msg = (
                f"serving {self.batch.serving!r}: the batch function returned a coroutine without being a "
                "coroutine function; define it with `async def`"
            )
            raise TypeError(msg)
        results = listed(given, self.batch.serving, "the results of the batch function", self.size)
        self.exceptional = any(issubclass(kind, BaseException) for kind in set(map(type, results)))
        self.results = results
        if self._watched is not None:
            self._watched.output = results

    def _failed(self, error: BaseException) -> None:
        self.exceptional = True
        if isinstance(error, asyncio.CancelledError):
            self._cancelled = True
            # To the callers this is a failure: nobody cancelled them.
            self.error = ServingError(self.batch.serving, "the execution of its batch was cancelled")
            self.error.__cause__ = error
        else:
            self.error = raisable(error)

    def _over(self, began: float) -> None:
        self.execute_time = time.perf_counter() - began
        self.batch.end()
        run = self._watched
        if run is not None:
            run.attributes["execute_time"] = self.execute_time
            if self.batch.usage is not None:
                run.usage = total(self.batch.usage)

    # -- telling the callers ---------------------------------------------------------------------

    def event(self, name: str, payload: list[Any]) -> None:
        """Tell the parts that listen of an event, each of its own items."""
        begin = 0
        for part in self._parts:
            end = begin + part.size
            if isinstance(part, Items) and part.receiver.listening:
                part.receiver.event(part, self.attempt, name, payload[begin:end])
            begin = end

    def again(self, now: float) -> list[Attempt]:
        """Return what is to be executed again of a batch that failed, instead of delivering it; or nothing.

        Not what was stopped on purpose: cancelled, given up, or aborted by a handler.
        """
        error = self.error
        if not self._isolate or self.size < 2 or self._abandoned or self._cancelled:
            return []
        if not isinstance(error, Exception) or isinstance(error, Abort):
            return []
        if isinstance(error, WorkerCrashedError) and not error.executing:  # the items are not to blame
            return []
        left = halves(self._parts, now)
        self._let_go()
        return [Attempt(parts, self.attempt + 1, self.link) for parts in left]

    def deliver(self) -> None:
        """Tell each part its results, or the error; then let go of them all."""
        results = self.results if self.error is None else [self.error] * self.size
        begin = 0
        for part in self._parts:
            end = begin + part.size
            part.done(self, results[begin:end])
            begin = end
        self._let_go()

    def abandon(self, error: BaseException) -> None:
        """Tell each part that there will be no results, and refuse further events."""
        self._abandoned = True
        self.batch.end()
        parts, self._parts = self._parts, []
        for part in parts:
            part.failed(error)

    def end_run(self, error: BaseException) -> None:
        """End the run of a function that goes on although nobody waits for it; later it ends no run."""
        run, self._watched = self._watched, None
        if run is not None:
            skip(run, end_with_error(run, error))

    def _let_go(self) -> None:
        self._parts = []
        self.results = []
        self.error = self._watched = self._observation = None

    def count(self, counters: Counters) -> None:
        """Add it to the serving's totals, and give each part what it consumed; before the parts are told."""
        usage = self.batch.usage
        if usage is not None:
            parts = self._parts
            for part, own in zip(parts, divided(usage, [(p.size, p.cost) for p in parts]), strict=True):
                if isinstance(part, Items):
                    part.usage = own
        counters.add(
            items=self.size,
            failed=self.error is not None,
            execute_time=self.execute_time,
            queue_time=self._queue_time,
        )
