"""A started serving: the queue, the timer, the partitions, all on one event loop.

Only `post` may be called from another thread. Everything else, and every report to a receiver, happens
on the engine's loop; nothing happens on it while nothing waits.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import Future
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, cast, final

from sideband.errors import DispatchTimeoutError, QueueFullError, ServingClosedError
from sideband.serving._clock import clock_of
from sideband.serving._execution import Execution, Surroundings
from sideband.serving._grading import Grading
from sideband.serving._isolate import Attempt
from sideband.serving._model import Processes, Source
from sideband.serving._partitions import Partitions
from sideband.serving._parts import Items, Part, Singles
from sideband.serving._policy import BatchPolicy
from sideband.serving._settings import Counters, Settings

__all__ = ["Engine"]

_GRACE = 0.1
"""Seconds that a coroutine which runs out of time has to react to its cancellation."""


@final
class Engine:
    """One start of a serving, up to its close."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        around: Surroundings,
        counters: Counters,
        *,
        processes: Processes | None = None,
    ) -> None:
        """Belong to the running loop; `start` comes next."""
        self.loop = asyncio.get_running_loop()
        self.thread = threading.get_ident()
        self.time = clock_of(self.loop)
        self._settings = settings
        self._around = around
        self._counters = counters
        self._policy: BatchPolicy[Part] = BatchPolicy(settings.limits, keyed=settings.key is not None)
        self._queue = self._policy.queue
        self.growing = cast("dict[Hashable, Singles]", self._policy.growing)  # no other part of ours grows
        """Parts that may grow until this turn of the loop ends."""
        self._asynchronous = source.asynchronous and processes is None
        self._inline = settings.executor == "inline" and not source.asynchronous
        threaded = not self._inline and not self._asynchronous
        self._partitions = Partitions(settings.name, source, processes, around.context, threaded=threaded)
        self._free: deque[int] = deque()
        self._executing: dict[Execution, asyncio.Task[None] | None] = {}
        self._again: deque[Attempt] = deque()  # what failed batches left to be executed again
        self._isolating = settings.isolate_errors
        self._timer: asyncio.TimerHandle | None = None
        self._scheduled = False
        self._turn = 0.0
        self._closing = False
        self._ageing = settings.ageing > 0
        self._costing = settings.cost is not None
        self._idle: asyncio.Event = asyncio.Event()

    # -- start and close -----------------------------------------------------------------------

    async def start(self) -> None:
        """Make and set up the model of each partition; what that raises stops everything again."""
        await self._partitions.start(self._settings.partitions)
        self._free.extend(range(self._settings.partitions))

    async def aclose(self, *, drain: bool) -> None:
        """Take no more; execute what waits, or give it up; wait for what is being executed."""
        self._closing = True
        self._policy.close()
        limit = self._settings.shutdown_timeout
        try:
            if drain:
                self._pump()
            else:
                self._give_up("closed without draining")
            async with asyncio.timeout(limit):
                while self._queue.waiting or self._again or self._executing:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            await self._abandon(f"closed; shutdown_timeout={limit} s passed before it was done", grace=_GRACE)
        except BaseException:
            await self._abandon("closed; its closing was cancelled", grace=None)
            raise
        finally:
            self.stop()
        await self._partitions.ended()

    def _give_up(self, reason: str) -> None:
        self._isolating = False
        for part in self._policy.drain():
            self._counters.withdrawn += part.size
            part.failed(ServingClosedError(self._settings.name, reason))
        again, self._again = self._again, deque()
        for part in [part for attempt in again for part in attempt.parts]:
            part.failed(ServingClosedError(self._settings.name, f"{reason}; its batch had failed"))

    async def _abandon(self, reason: str, *, grace: float | None) -> None:
        self._give_up(reason)
        executing, self._executing = self._executing, {}
        error = ServingClosedError(self._settings.name, reason)
        for execution, task in executing.items():
            execution.abandon(error)
            if task is not None:
                task.cancel()
        tasks = [task for task in executing.values() if task is not None]
        if tasks and grace is not None:
            await asyncio.wait(tasks, timeout=grace)
        for execution, task in executing.items():
            if task is None or grace is not None:
                execution.end_run(error)

    def stop(self) -> None:
        """Let the workers end, from any thread: what is left to do where the loop is closed already."""
        self._cancel_timer()
        self._partitions.stop()

    # -- what callers do -----------------------------------------------------------------------

    def post(self, function: Callable[..., None], *args: Any) -> bool:
        """Call a function on the loop, from any thread; false if the loop is gone."""
        try:
            self.loop.call_soon_threadsafe(function, *args, context=self._around.context)
        except RuntimeError:  # closed: nobody is left to be told
            return False
        return True

    def submit(self, parts: Sequence[Part], *, wait: bool = False) -> None:
        """Let parts wait, all or none.

        Args:
            parts: of one caller.
            wait: let them stand in line if there is no room, whatever `on_full` says.

        Raises:
            ServingClosedError: it is closing.
            QueueFullError: there is no room for all of them.
        """
        settings = self._settings
        if self._closing:
            raise ServingClosedError(settings.name)
        if not self._policy.offer(parts, wait=wait or settings.on_full == "wait"):
            offered = sum([part.size for part in parts])
            raise QueueFullError(
                settings.name, waiting=self._queue.waiting, offered=offered, max_queue=settings.max_queue
            )
        if self._free and not self._scheduled:
            self._schedule()

    def submit_one(self, value: Any) -> Singles:
        """Let one item wait that nobody watches, at the end of the part that is returned: the hot path of `submit`.

        Raises:
            Exception: as `submit`.
        """
        future: Future[Any] = Future(loop=self.loop)
        singles = self.growing.get(None)
        if singles is None or self._queue.waiting >= self._policy.gate:
            return self._begin(Singles(self._turn_time(), [value], [future], []), None)
        singles.values.append(value)
        singles.futures.append(future)
        self._queue.waiting += 1
        return singles

    def submit_graded(self, value: Any, priority: int, grading: Grading) -> Singles:
        """As `submit_one`, with a priority, and the key and the cost that the item has.

        Raises:
            Exception: what they raised.
        """
        key, cost = grading.grade(value, priority)
        mark = (key, priority) if self._ageing else key  # without ageing no priority goes in front of another
        future: Future[Any] = Future(loop=self.loop)
        singles = self.growing.get(mark)
        if singles is None or self._queue.waiting >= self._policy.gate:
            costs = [cost] if self._costing else []
            return self._begin(Singles(self._turn_time(), [value], [future], costs, key, priority), mark)
        singles.values.append(value)
        singles.futures.append(future)
        if self._costing:
            singles.costs.append(cost)
            singles.cost += cost
        self._queue.grown(singles, cost)
        return singles

    def _turn_time(self) -> float:
        """Return when this turn of the loop began for the queue, and end it before the next one does."""
        if not self._scheduled:
            self._schedule()
        return self._turn

    def _begin(self, singles: Singles, mark: Hashable) -> Singles:
        """Let a part wait that may grow until this turn of the loop ends."""
        if not self._policy.grow(singles, mark):
            self.submit((singles,))
        return singles

    def submit_from_elsewhere(self, parts: list[Items[Any]], *, wait: bool = False) -> None:
        """Let parts wait, from any thread; their receiver learns of a refusal as of any failure.

        Raises:
            ServingClosedError: the loop is gone.
        """
        if not self.post(self._submit_posted, parts, wait):
            raise ServingClosedError(self._settings.name, "its event loop is closed")

    def _submit_posted(self, parts: list[Items[Any]], wait: bool) -> None:
        try:
            self.submit(parts, wait=wait)
        except Exception as error:  # noqa: BLE001 - a key's own `__eq__` may raise anything, which is the caller's
            parts[0].receiver.failed(error)

    def withdraw(self, parts: Iterable[Part]) -> None:
        """Take out what still waits of some parts; what is being executed goes on."""
        for part in parts:
            self._counters.withdrawn += self._policy.remove(part)
        if not self._queue.waiting:
            self._cancel_timer()
            self._idle.set()
        elif self._free and not self._scheduled:
            self._schedule()  # others may have entered from the line

    def withdraw_one(self, singles: Singles, place: int) -> None:
        """Take out an item that was the one in this place of its part; if it is being executed, it goes on."""
        if not singles.waiting:
            self.withdraw((singles,))  # it may stand in line
        elif singles.holds(place):
            if singles.size == 1:
                self.withdraw((singles,))
            else:
                self._policy.shrunk(singles, singles.leave(place))
                self._counters.withdrawn += 1
                if self._free and not self._scheduled:
                    self._schedule()

    def configure(self, settings: Settings) -> None:
        """Cut by other limits from the next batch on."""
        self._settings = settings
        self._around.batch_size = settings.batch_size
        self._policy.configure(settings.limits)
        self._cancel_timer()
        if self._queue.waiting and self._free and not self._scheduled:
            self._schedule()

    @property
    def waiting(self) -> int:
        """Items that wait, those of failed batches that wait to be executed again included."""
        return self._queue.waiting + sum([part.size for attempt in self._again for part in attempt.parts])

    @property
    def in_line(self) -> int:
        """Items that wait for room in the queue."""
        return self._policy.in_line

    @property
    def executing(self) -> int:
        """Batches that are being executed."""
        return len(self._executing)

    # -- cutting and executing -----------------------------------------------------------------

    def _schedule(self) -> None:
        # Never at once: whoever is ready in this turn of the loop still gets into the batch.
        self._scheduled = True
        self._turn = self.time()
        self.loop.call_soon(self._pump, context=self._around.context)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pump(self) -> None:
        self._scheduled = False
        self.growing.clear()
        self._cancel_timer()
        if not self._free or (self._settings.batch_timeout > 0 and self._early()):
            return
        # A batch executed inline holds the loop: one at a time, so that others get their turn between.
        free = 1 if self._inline else len(self._free)
        cut: deque[Attempt] = deque()
        try:
            if self._again:
                free -= self._execute_again(free)
            cut.extend(map(Attempt, self._policy.cut(self.time(), free)))
            if expired := self._policy.expired():
                self._expire(expired)
            while cut:
                self._execute(cut.popleft())
        finally:  # also where a handler raised what no handler may: it was told of one execution, not of the others
            self._again.extend(cut)
            self._go_on()

    def _go_on(self) -> None:
        if self._queue.waiting or self._again:
            if self._free and not self._scheduled:
                self._schedule()
        elif not self._executing:
            self._idle.set()

    def _early(self) -> bool:
        """Tell whether nothing is due yet of what waits; then the timer is set."""
        due = None if self._again else self._policy.due()
        delay = 0.0 if due is None else due - self.time()
        if delay > 0:
            self._timer = self.loop.call_later(delay, self._pump, context=self._around.context)
        return delay > 0

    def _expire(self, parts: list[Part]) -> None:
        for part in parts:
            self._counters.withdrawn += part.size
            timeout = round(part.deadline - part.arrived, 6)
            part.failed(DispatchTimeoutError(self._settings.name, timeout))

    def _execute_again(self, free: int) -> int:
        """Execute what failed batches left, oldest first; return how many partitions that took."""
        taken = 0
        while self._again and taken < free:
            attempt = self._again.popleft()
            if staying := attempt.staying():
                taken += 1
                self._execute(attempt._replace(parts=staying))
        return taken

    def _execute(self, attempt: Attempt) -> None:
        partition = self._free.popleft()
        try:
            execution = Execution(
                attempt, self._around, now=self.time(), partition=partition, emit=self._emit
            )
        except BaseException as error:
            # A handler was told of the execution and raised what no handler may: nobody is left waiting.
            self._free.append(partition)
            for part in attempt.parts:
                part.failed(error)
            raise
        function = self._partitions.functions[partition]
        self._executing[execution] = None
        if self._asynchronous:
            running = self._execute_async(execution, function)
            task = self.loop.create_task(running, context=execution.context)
            if execution in self._executing:  # an eager task may be done by now
                self._executing[execution] = task
        elif self._inline:
            execution.run(function)
            self._finished(execution)
        else:

            def job(function: Callable[[Any], Any]) -> None:
                execution.run(function)
                self.post(self._finished, execution)

            self._partitions.execute(partition, job)

    async def _execute_async(self, execution: Execution, function: Callable[[Any], Any]) -> None:
        try:
            await execution.run_async(function)
        finally:
            self._finished(execution)

    def _emit(self, execution: Execution, name: str, payload: list[Any]) -> None:
        if threading.get_ident() == self.thread:
            execution.event(name, payload)
        else:
            self.post(execution.event, name, payload)

    def _finished(self, execution: Execution) -> None:
        error = execution.error
        execution.count(self._counters)
        self._free.append(execution.partition)
        self._executing.pop(execution, None)
        again = execution.again(self.time()) if error is not None and self._isolating else None
        if again:
            self._again.extend(again)
        else:
            execution.deliver()
        self._go_on()
        if self._inline and isinstance(error, KeyboardInterrupt | SystemExit):
            raise error  # it is the loop's as much as the callers'
