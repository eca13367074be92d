"""A job: what is indexed at a person's wish, how far it is, how it ended. May import the errors; knows no clock.

    receiving ─▶ waiting ─▶ running ─▶ done | failed
        │           │          │
        └───────────┴──────────┴─▶ stopping ─▶ cancelled | done | failed

A job that waits, or receives its files, is stopping for as long as its task takes to hear of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

from sideband.app.errors import AppError

__all__ = ["MAX_PROBLEMS", "Job", "JobState", "JobStateError", "Numbers", "Problem"]

MAX_PROBLEMS = 200
"""The most files of a job that are named as skipped; the others are counted."""


class JobState(StrEnum):
    """Where a job stands."""

    RECEIVING = "receiving"
    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing comes after it."""
        return self in _FINAL


_FINAL = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}
_NEXT = {
    JobState.RECEIVING: {JobState.WAITING, JobState.STOPPING, JobState.FAILED, JobState.CANCELLED},
    JobState.WAITING: {JobState.RUNNING, JobState.STOPPING, JobState.FAILED, JobState.CANCELLED},
    JobState.RUNNING: {JobState.STOPPING, *_FINAL},
    JobState.STOPPING: _FINAL,
}


class JobStateError(AppError, RuntimeError):
    """A job cannot get from where it stands to where it was sent."""

    def __init__(self, job: str, now: JobState, wanted: JobState) -> None:
        """Name both."""
        super().__init__(f"job {job!r} is {now.value}, and cannot be {wanted.value} after that")
        self.job = job
        self.now = now
        self.wanted = wanted


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was not indexed, and why."""

    path: str
    reason: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """How far a job is, apart from the chunks themselves."""

    files: int = 0
    files_read: int = 0
    expected: int = 0
    """Chunks there will be in all, as far as is known."""
    unchanged: int = 0
    """Documents that the store had already."""
    documents: int = 0
    """Documents stored."""
    removed: int = 0
    """Documents that were gone, and taken out of the store."""
    tokens: int = 0
    rate: float = 0.0
    """Chunks embedded a second."""
    fill: float | None = None
    """How full the batches were in which its chunks were embedded, from 0 to 1."""
    queue_time: float | None = None
    """Seconds that a chunk waited for its batch to begin, on average."""
    seconds: float = 0.0


@final
@dataclass(slots=True, kw_only=True)
class Job:
    """What a person asked to be indexed."""

    id: str
    title: str
    created_at: float
    """Unix seconds."""
    state: JobState = JobState.WAITING
    message: str = ""
    """Why it failed, for a person."""
    chunks: int = 0
    """Chunks embedded."""
    stored: int = 0
    """Chunks in the store."""
    numbers: Numbers = field(default_factory=Numbers)
    problems: list[Problem] = field(default_factory=list[Problem])
    skipped: int = 0
    """Files that were not indexed."""

    def move(self, state: JobState, message: str = "") -> None:
        """Go on to another state.

        Raises:
            JobStateError: that one does not come after this one.
        """
        if state not in _NEXT.get(self.state, ()):
            raise JobStateError(self.id, self.state, state)
        self.state = state
        self.message = message

    def skip(self, path: str, reason: str) -> None:
        """Count a file that is not indexed, and name it as long as there is room."""
        self.skipped += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(path, reason))

    @property
    def fraction(self) -> float | None:
        """How much of it is done, from 0 to 1; None before anything is known."""
        numbers = self.numbers
        if self.state is JobState.DONE:
            return 1.0
        if numbers.expected:
            return min(self.chunks / numbers.expected, 1.0)
        return numbers.files_read / numbers.files if numbers.files else None

    @property
    def left(self) -> float | None:
        """Seconds there are to go, at the rate so far; None where that cannot be told."""
        numbers = self.numbers
        if self.state is not JobState.RUNNING or not numbers.rate or not numbers.expected:
            return None
        return max(numbers.expected - self.chunks, 0) / numbers.rate
