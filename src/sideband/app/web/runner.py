"""Executes jobs, some at a time, and ends them in good order. May import the core, the index and the board."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import final

from sideband import metadata
from sideband.app.corpus import Corpus
from sideband.app.index import index
from sideband.app.models import default_batch_size
from sideband.app.web.bench import Bench
from sideband.app.web.board import Board
from sideband.app.web.job_progress import JobProgress
from sideband.app.web.jobs import Job, JobState
from sideband.errors import SidebandError

__all__ = ["Runner", "Work"]

_log = logging.getLogger(__name__)

_AT_ONCE = 4
"""Jobs at work; more would read ahead, while the model is the same for all."""


def _nothing() -> None:
    pass


async def _nobody() -> None:
    pass


@final
@dataclass(frozen=True, slots=True)
class Work:
    """What a job is to index."""

    corpora: Callable[[], Sequence[Corpus]]
    """Finds the documents, in a worker thread."""
    close: Callable[[], None] = _nothing
    """Cleans up after the job, in a worker thread; always called once."""
    key: str = ""
    """The same for jobs of which one at a time is enough."""


@final
class Runner:
    """Executes the jobs of a board.

    Order: jobs begin in the order in which they were started, four at work at a time.
    Cancellation: a job that is cancelled ends after the batch that it is in; what it stored stays.
    Closing: `aclose` cancels every job and waits for its end.
    Threads: those of one event loop.
    """

    def __init__(
        self,
        board: Board,
        bench: Bench,
        *,
        ended: Callable[[], Awaitable[None]] = _nobody,
        at_once: int = _AT_ONCE,
    ) -> None:
        """Say where jobs stand, what they share, and who is told that one has ended, shortly before the board is."""
        self._ended = ended
        self._board = board
        self._bench = bench
        self._places = asyncio.Semaphore(at_once)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._keys: dict[str, Job] = {}

    def same(self, key: str) -> Job | None:
        """Return the unfinished job with a key."""
        return self._keys.get(key) if key else None

    def start(self, job: Job, work: Work) -> None:
        """Execute a job that waits, as soon as it is its turn."""
        task = asyncio.create_task(self._run(job, work), name=f"job {job.id}")
        self._tasks[job.id] = task
        if work.key:
            self._keys[work.key] = job
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    def cancel(self, job: Job) -> None:
        """End a job; harmless where it has ended or is about to."""
        task = self._tasks.get(job.id)
        if task is None or job.state.final or job.state is JobState.STOPPING:
            return
        self._board.move(job, JobState.STOPPING)
        task.cancel()

    async def aclose(self) -> None:
        """Cancel all jobs, and wait until they are through."""
        # One that was started this moment has not begun, and would be cancelled without an end.
        await asyncio.sleep(0)
        tasks = list(self._tasks.values())
        for job in self._board.jobs:
            self.cancel(job)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job, work: Work) -> None:
        try:
            async with self._places:
                await self._index(job, work)
            state, why = JobState.DONE, ""
        except asyncio.CancelledError:
            state, why = JobState.CANCELLED, ""
        except SidebandError as error:
            state, why = JobState.FAILED, str(error)
        # Whatever a job meets ends that job, and no other.
        except Exception as error:  # noqa: BLE001
            _log.exception("Job %s failed", job.id)
            state, why = JobState.FAILED, f"something unforeseen happened: {error!r}"
        try:
            await asyncio.shield(asyncio.to_thread(work.close))
            await self._ended()
        finally:
            if self._keys.get(work.key) is job:
                del self._keys[work.key]
            self._board.move(job, state, why)

    async def _index(self, job: Job, work: Work) -> None:
        embedder, serving = await self._bench.ready()
        self._board.move(job, JobState.RUNNING)
        corpora = await asyncio.to_thread(work.corpora)
        size = default_batch_size(embedder)
        with metadata(job=job.id):
            async with self._bench.writing() as store:
                await index(
                    corpora,
                    store,
                    embedder,
                    batch_size=size,
                    handlers=[JobProgress(self._board, job, size)],
                    serving=serving,
                )
