"""The models of a started serving, one a partition, and the threads or processes in which they are executed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, final

from sideband.serving._model import Processes, Source
from sideband.serving._parts import raisable
from sideband.serving._worker import Worker

__all__ = ["Partitions"]


@final
class Partitions:
    """Makes the models, sets them up, and lets go of them; on one event loop, except `stop`."""

    def __init__(
        self, name: str, source: Source, processes: Processes | None, context: Context, *, threaded: bool
    ) -> None:
        """Describe them; nothing is started.

        Args:
            name: of the serving, for its threads.
            source: makes the functions of a batch.
            processes: what makes them instead, in worker processes.
            context: the context in which models are set up.
            threaded: whether each partition has a thread.
        """
        self.functions: list[Callable[[Any], Any]] = []
        self._name = name
        self._source = source if processes is None else processes
        self._processes = processes
        self._context = context
        self._threaded = threaded
        self._workers: list[Worker] = []
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Event = asyncio.Event()

    async def start(self, count: int) -> None:
        """Make and set up the model of each partition; what that raises stops everything again."""
        try:
            if self._threaded:
                self._workers += [Worker(f"sideband-{self._name}-{partition}") for partition in range(count)]
            if self._processes is not None:
                # All at a time: they share nothing. Models in one process may, so these come one by one.
                self.functions += await asyncio.gather(*map(self._prepare, range(count)))
            else:
                for partition in range(count):
                    self.functions.append(await self._prepare(partition))
        except BaseException as error:
            self.stop()
            if isinstance(error, Exception):
                await self.ended()
            raise

    async def _prepare(self, partition: int) -> Callable[[Any], Any]:
        # In the partition's own thread, since models keep to the thread that made them.
        context = self._context.copy()
        if self._workers:
            instance, waiting = await self._in_worker(
                partition, lambda: context.run(self._source.prepare, partition)
            )
        else:
            instance, waiting = context.run(self._source.prepare, partition)
        if waiting is not None:
            await self._loop.create_task(_wait(waiting), context=context)
        return self._source.function(instance)

    async def _in_worker(self, partition: int, work: Callable[[], Any]) -> Any:
        future: asyncio.Future[Any] = self._loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.done():  # the start was cancelled
                if result is not None:
                    _drop(result[1])
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(raisable(error))

        def job() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - whoever starts the serving gets it
                self._post(settle, None, error)
            else:
                self._post(settle, result, None)

        self._workers[partition].submit(job)
        return await future

    def _post(self, function: Callable[..., Any], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args, context=self._context)
        except RuntimeError:  # closed: nobody is left to be told
            return

    def execute(self, partition: int, job: Callable[[Callable[[Any], Any]], None]) -> None:
        """Call a job with the partition's function in the partition's thread, after what it does already."""
        function = self.functions[partition]
        mend: Callable[[], None] | None = getattr(function, "mend", None)

        def work() -> None:
            job(function)
            if mend is not None:  # a worker process that crashed is replaced when its batch has been answered
                mend()

        self._workers[partition].submit(work)

    def stop(self) -> None:
        """Let threads and processes end, without waiting for them; from any thread."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()
        processes, self._processes = self._processes, None
        if processes is None:
            self._ended.set()
        else:
            processes.close_soon(lambda: self._post(self._ended.set))

    async def ended(self) -> None:
        """Wait until the processes that were stopped have ended; threads may go on with what they do."""
        await self._ended.wait()


def _drop(awaitable: Awaitable[Any] | None) -> None:
    if inspect.iscoroutine(awaitable):
        awaitable.close()


async def _wait(awaitable: Awaitable[Any]) -> None:
    await awaitable
