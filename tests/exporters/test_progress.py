from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import callbacks, observe
from sideband.exporters.history import History
from sideband.exporters.history._progress import advanced
from sideband.serving import Batch, Serving


@pytest.mark.parametrize(
    ("before", "payload", "after"),
    [
        ((0.0, 0.0), 0.25, (0.25, 1.0)),
        ((0.0, 0.0), {"done": 3, "total": 12}, (3.0, 12.0)),
        ((3.0, 12.0), {"completed": 4}, (4.0, 12.0)),
        ((2.0, 5.0), [{"tokens": 7}, {"tokens": 9}], (4.0, 5.0)),
        ((0.0, 4.0), [0.5, 0.5], (0.5, 1.0)),
        ((2.0, 5.0), "half of it", (2.0, 5.0)),
        ((2.0, 5.0), {"file": "a.txt"}, (2.0, 5.0)),
        ((2.0, 5.0), 17, (2.0, 5.0)),
        ((2.0, 5.0), None, (2.0, 5.0)),
    ],
)
def test_an_event_says_how_far_a_run_is(
    before: tuple[float, float], payload: Any, after: tuple[float, float]
) -> None:
    """A part, a mapping, or an entry for each item; whatever else it holds changes nothing."""
    assert advanced(before, payload) == after


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists) | st.dictionaries(
    st.sampled_from(["done", "total", "n"]), st.floats() | st.integers() | st.text()
))  # fmt: skip
def test_progress_is_a_number_whatever_the_event_holds(payload: Any) -> None:
    """No payload makes it negative, infinite or an error."""
    assert all(math.isfinite(number) and number >= 0 for number in advanced((1.0, 2.0), payload))


def test_a_record_tells_of_progress() -> None:
    """What a run emitted last counts."""
    history = History()
    with callbacks(history), observe("index") as run:
        run.emit("progress", {"done": 1, "total": 4})
        run.emit("progress", {"done": 2, "total": 4})

        assert history.latest()[0].progress == (2.0, 4.0)


async def test_the_items_of_a_call_are_counted_from_the_servings_events() -> None:
    """Of a call there are as many as were queued, and those are done of which the batches told."""

    async def work(batch: Batch[int]) -> list[int]:
        batch.emit("progress", [{"tokens": 1}] * batch.size)
        return list(batch)

    history = History()
    async with Serving(work, batch_size=3, hooks=("progress",)) as serving:
        with callbacks(history):
            await serving.dispatch_many(range(7))

    assert history.latest()[0].progress == (7.0, 7.0)
