"""All jobs and what happened to them, for any number of pages that look on. May import the pure parts of the web page.

The journal is one for all jobs, so that a page has one connection and one number to go on from.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, final

from sideband.app.corpus import Skipped
from sideband.app.errors import AppError
from sideband.app.web.jobs import Job, JobState, Numbers, Problem
from sideband.app.web.journal import Entry, Journal
from sideband.app.web.views import gauges, job_view, problem_view

__all__ = ["Board", "TooManyJobsError"]

_ENTRIES = 4_096
_MAX_UNFINISHED = 16
_MAX_FINISHED = 100
_MOST_DIGITS = 19


class TooManyJobsError(AppError, RuntimeError):
    """There are as many unfinished jobs as there may be."""

    def __init__(self, most: int) -> None:
        """Tell how many that is."""
        super().__init__(
            f"{most} jobs are at work or wait for their turn; wait for one of them, or cancel one"
        )
        self.most = most


@final
class Board:
    """Changes jobs, writes down what changed, and tells it.

    Order: every page is told of changes in the order in which they were made.
    Cancellation: of a page's stream leaves nothing behind.
    Closing: `close` ends every stream.
    Threads: those of one event loop.
    Cost: a change costs the same for any number of pages; one that is slow holds nothing back, and is told the totals
        instead of the changes once the journal has gone on without it.
    """

    def __init__(
        self,
        *,
        entries: int = _ENTRIES,
        unfinished: int = _MAX_UNFINISHED,
        finished: int = _MAX_FINISHED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start empty.

        Args:
            entries: how many changes are kept for pages that come back.
            unfinished: the most jobs that are not finished.
            finished: how many finished jobs are kept.
            clock: gives unix seconds.
        """
        self._journal = Journal(entries)
        self._unfinished = unfinished
        self._finished = finished
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._model: Mapping[str, Any] = {"state": "loading", "text": ""}
        self._store = ""
        self._news = asyncio.Event()
        self._closed = False
        # Numbers of another life of the server mean other entries.
        self._life = secrets.token_hex(4)

    # -- what is there ---------------------------------------------------------------------------

    @property
    def jobs(self) -> Sequence[Job]:
        """All jobs, the newest first."""
        return list(reversed(self._jobs.values()))

    @property
    def model(self) -> Mapping[str, Any]:
        """How the embedding model is: `state` (loading, ready, failed) and `text`."""
        return self._model

    @property
    def store(self) -> str:
        """What the store holds, in words."""
        return self._store

    @property
    def place(self) -> str:
        """The number of the latest change, as a page gives it back to go on from there."""
        return f"{self._life}-{self._journal.last}"

    def job(self, name: str) -> Job | None:
        """Return a job by its id."""
        return self._jobs.get(name)

    # -- what changes it -------------------------------------------------------------------------

    def add(self, title: str, state: JobState = JobState.WAITING) -> Job:
        """Add a job.

        Raises:
            TooManyJobsError: there is no room for it.
        """
        if sum(not job.state.final for job in self._jobs.values()) >= self._unfinished:
            raise TooManyJobsError(self._unfinished)
        job = Job(id=secrets.token_urlsafe(6), title=title, created_at=self._clock(), state=state)
        self._jobs[job.id] = job
        self._tell("job", job_view(job))
        self._forget()
        return job

    def rename(self, job: Job, title: str) -> None:
        """Give a job another title."""
        job.title = title
        self._tell("job", job_view(job))

    def move(self, job: Job, state: JobState, message: str = "") -> None:
        """Send a job on to another state.

        Raises:
            JobStateError: that one does not come after the one it is in.
        """
        job.move(state, message)
        self._tell("job", job_view(job))

    def progress(self, job: Job, numbers: Numbers, *, items: int = 0, stored: int = 0) -> None:
        """Add chunks that were embedded, or stored, to a job's."""
        job.chunks += items
        job.stored += stored
        job.numbers = numbers
        self._tell("progress", {"id": job.id, "items": items, "stored": stored, **gauges(job)})

    def skip(self, job: Job, skipped: Skipped) -> None:
        """Note a file of a job that is not indexed."""
        job.skip(skipped.path, skipped.reason)
        self._tell("problem", problem_view(job, Problem(skipped.path, skipped.reason)))

    def set_model(self, state: str, text: str) -> None:
        """Tell how the embedding model is."""
        self._model = {"state": state, "text": text}
        self._tell("model", self._model)

    def set_store(self, text: str) -> None:
        """Tell what the store holds, where that is news."""
        if text != self._store:
            self._store = text
            self._tell("store", {"text": text})

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._news.set()

    def _forget(self) -> None:
        old = [job for job in self._jobs.values() if job.state.final]
        for job in old[: max(len(old) - self._finished, 0)]:
            del self._jobs[job.id]
            self._tell("gone", {"id": job.id})

    def _tell(self, kind: str, data: Mapping[str, Any]) -> None:
        self._journal.add(kind, data)
        self._news.set()
        self._news = asyncio.Event()

    # -- who looks on ----------------------------------------------------------------------------

    async def changes(self, place: str | None) -> AsyncGenerator[tuple[str, Entry]]:
        """Give every change after a place, with the place to go on from; the totals where some of them are gone.

        The totals are an entry of the kind "snapshot", whose number is that of the latest change that is in them.
        """
        seen = self._number(place)
        while not self._closed:
            news = self._news
            found = self._journal.after(seen)
            if found is None:
                found = [Entry(self._journal.last, "snapshot", self.snapshot())]
            for entry in found:
                yield f"{self._life}-{entry.number}", entry
                seen = entry.number
            if seen == self._journal.last:
                await news.wait()

    def snapshot(self) -> dict[str, Any]:
        """Return all there is to be told, the newest job first."""
        return {
            "model": self._model,
            "store": {"text": self._store},
            "jobs": [
                {**job_view(job), "problems": [problem_view(job, problem) for problem in job.problems]}
                for job in self.jobs
            ],
        }

    def _number(self, place: str | None) -> int:
        """Return the number that a place has in this life; one that never was where it has none."""
        life, _, number = (place or "").partition("-")
        known = life == self._life and number.isascii() and number.isdigit() and len(number) < _MOST_DIGITS
        return int(number) if known else -1
