from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from sideband.app.web.board import Board, TooManyJobsError
from sideband.app.web.jobs import JobState, Numbers


async def told(board: Board, place: str | None, count: int) -> list[tuple[str, str, Any]]:
    """Return the next events after a place: kind, number, data."""
    found: list[tuple[str, str, Any]] = []
    async with aclosing(board.changes(place)) as changes:
        async for at, entry in changes:
            found.append((entry.kind, at, entry.data))
            if len(found) == count:
                break
    return found


async def test_a_page_goes_on_where_it_stood() -> None:
    """What was told before is not told again, and what came meanwhile is."""
    board = Board()
    job = board.add("docs")
    ((kind, place, _),) = await told(board, None, 1)
    board.move(job, JobState.RUNNING)
    board.progress(job, Numbers(), items=3)

    events = await told(board, place, 2)

    assert kind == "snapshot"
    assert [event[0] for event in events] == ["job", "progress"]


@pytest.mark.parametrize("number", ["7", "-1", "9" * 5_000, "x", ""])
async def test_a_number_that_never_was_gets_the_totals(number: str) -> None:
    """Also where it is one of this life of the server."""
    board = Board()
    life = board.place.partition("-")[0]

    ((kind, _, _),) = await told(board, f"{life}-{number}", 1)

    assert kind == "snapshot"


async def test_a_page_that_waits_is_told_at_once() -> None:
    """A change wakes every page, and each gets the same."""
    board = Board()
    waiting = [asyncio.create_task(told(board, board.place, 1)) for _ in range(3)]
    await asyncio.sleep(0)

    board.set_model("ready", "a model")

    (first, *others) = await asyncio.gather(*waiting)
    assert first[0][0] == "model"
    assert others == [first, first]


async def test_streams_end_when_the_board_is_closed() -> None:
    """Whether a page waits or comes later."""
    board = Board()
    waiting = asyncio.create_task(told(board, board.place, 1))
    await asyncio.sleep(0)

    board.close()

    assert await waiting == []
    assert await told(board, None, 1) == []


def test_unfinished_jobs_are_bounded_and_old_ones_are_forgotten() -> None:
    """There is room for a new job once another has ended, and of those that have, the latest are kept."""
    board = Board(unfinished=2, finished=3)
    for _ in range(5):
        board.move(board.add("old"), JobState.CANCELLED)
    first, _ = board.add("first"), board.add("second")

    with pytest.raises(TooManyJobsError, match="2 jobs are at work or wait"):
        board.add("third")

    board.move(first, JobState.CANCELLED)
    board.add("third")
    assert [job.title for job in board.jobs] == ["third", "second", "first", "old", "old"]
