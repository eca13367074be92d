from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.app.web.jobs import MAX_PROBLEMS, Job, JobState, JobStateError, Numbers


def a_job(state: JobState = JobState.WAITING) -> Job:
    return Job(id="j", title="docs", created_at=0.0, state=state)


@given(st.lists(st.sampled_from(JobState)))
def test_a_job_ends_once(wanted: list[JobState]) -> None:
    """Whatever is tried, nothing comes after an end, and what is refused changes nothing."""
    job = a_job()
    states = [job.state]
    for state in wanted:
        with suppress(JobStateError):
            job.move(state)
        states.append(job.state)

    assert sum(now.final and not before.final for before, now in pairwise(states)) <= 1
    assert all(now is before for before, now in pairwise(states) if before.final)


def test_an_error_says_where_the_job_stands() -> None:
    """The message names the job, its state and the one that was wanted."""
    with pytest.raises(JobStateError, match="job 'j' is done, and cannot be running after that"):
        a_job(JobState.DONE).move(JobState.RUNNING)


def test_a_job_counts_more_skipped_files_than_it_names() -> None:
    """The list is bounded, the number is not."""
    job = a_job()
    for number in range(MAX_PROBLEMS + 5):
        job.skip(f"{number}.bin", "binary")

    assert (job.skipped, len(job.problems)) == (MAX_PROBLEMS + 5, MAX_PROBLEMS)


def test_progress_goes_by_chunks_and_before_there_are_any_by_files() -> None:
    """Nothing is known at first; files tell until chunks are expected; what is done is whole."""
    job = a_job(JobState.RUNNING)
    told = [(job.fraction, job.left)]
    job.numbers = Numbers(files=4, files_read=1)
    told.append((job.fraction, job.left))
    job.numbers, job.chunks = Numbers(files=4, files_read=1, expected=10, rate=2.0), 6
    told.append((job.fraction, job.left))
    job.move(JobState.DONE)
    told.append((job.fraction, job.left))

    assert told == [(None, None), (0.25, None), (0.6, 2.0), (1.0, None)]
