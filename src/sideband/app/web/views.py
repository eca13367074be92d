"""Jobs as a page is told of them: plain values, numbers written out. May import the app's words; knows no framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sideband.app.progress import duration
from sideband.app.screen import printable
from sideband.app.web.jobs import Job, JobState, Problem

__all__ = ["gauges", "job_view", "problem_view"]

_STATES = {
    JobState.RECEIVING: "Receiving files",
    JobState.WAITING: "Waiting",
    JobState.RUNNING: "Indexing",
    JobState.STOPPING: "Stopping",
    JobState.DONE: "Done",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
}
_NOTHING = "\N{EN DASH}"


def job_view(job: Job) -> dict[str, Any]:
    """Return all there is to be told of a job, but for the files that were skipped."""
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state.value,
        "state_text": _STATES[job.state],
        "final": job.state.final,
        "message": job.message,
        "created_at": job.created_at,
        "chunks": job.chunks,
        "stored": job.stored,
        "skipped": job.skipped,
        **gauges(job),
    }


def gauges(job: Job) -> dict[str, Any]:
    """Return what is true of a job now, and is not added up from event to event."""
    numbers = job.numbers
    return {
        "fraction": None if job.fraction is None else round(job.fraction, 4),
        "texts": {
            "expected": f"of {_about(job)}{numbers.expected:,}" if _is_under_way(job) else "",
            "tokens": f"{numbers.tokens:,}",
            "rate": f"{numbers.rate:,.0f}/s" if numbers.rate else _NOTHING,
            "fill": _NOTHING if numbers.fill is None else f"{numbers.fill * 100:.0f} %",
            "queue": _NOTHING if numbers.queue_time is None else duration(numbers.queue_time),
            "files": f"{numbers.files_read:,} of {numbers.files:,}" if numbers.files else _NOTHING,
            "time": _time(job),
            "outcome": _outcome(job),
        },
    }


def problem_view(job: Job, problem: Problem) -> Mapping[str, Any]:
    """Return what is told of a file that was skipped."""
    return {
        "id": job.id,
        "skipped": job.skipped,
        "path": printable(problem.path),
        "reason": printable(problem.reason),
    }


def _is_under_way(job: Job) -> bool:
    return job.state in {JobState.RUNNING, JobState.STOPPING} and job.numbers.expected > 0


def _about(job: Job) -> str:
    return "about " if job.numbers.files_read < job.numbers.files else ""


def _time(job: Job) -> str:
    if job.left:
        return f"{duration(job.left)} left"
    return duration(job.numbers.seconds) if job.numbers.seconds else _NOTHING


def _outcome(job: Job) -> str:
    numbers = job.numbers
    counts = [
        (numbers.documents, "stored"),
        (numbers.unchanged, "unchanged"),
        (numbers.removed, "removed"),
        (job.skipped, "skipped"),
    ]
    told = [f"{count:,} {what}" for count, what in counts if count]
    parts = ["Documents: " + ", ".join(told)] if told else []
    if job.chunks:
        in_time = f" in {duration(numbers.seconds)} ({numbers.rate:,.0f}/s)" if numbers.seconds else ""
        parts.append(f"{job.chunks:,} chunks{in_time}, {numbers.tokens:,} tokens")
    if numbers.fill is not None:
        parts.append(f"batches {numbers.fill * 100:.0f} % full")
    return " · ".join(parts)
