"""The thread of one partition: it executes one job after the other, and sleeps without waking up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import final

__all__ = ["Worker"]


@final
class Worker:
    """A daemon thread, so that a batch function that hangs cannot keep the interpreter from ending.

    Its queue needs no bound: a partition is given a job only while it has none.
    """

    __slots__ = ("_jobs",)

    def __init__(self, name: str) -> None:
        """Start the thread."""
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True).start()

    def submit(self, job: Callable[[], None]) -> None:
        """Execute a job, which must not raise, after those before it."""
        self._jobs.put(job)

    def stop(self) -> None:
        """End the thread after the jobs that it has; does not wait for them."""
        self._jobs.put(None)


def _work(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        job = None  # an idle worker must not keep its last batch alive
