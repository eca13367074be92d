from __future__ import annotations

import pytest

from sideband import Component, callbacks, observe
from sideband.app.meter import Meter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_meter_adds_up_what_the_runs_tell() -> None:
    """Files, documents, chunks, tokens, batches and waiting come from the runs' events and attributes."""
    clock = Clock()
    meter = Meter(clock)
    with callbacks(meter), observe("index", component=Component.WORKFLOW) as run:
        run.emit("planned", {"files": 4})
        run.emit("skipped", object())
        run.emit("read", {"files": 2, "unchanged": 1, "chunks": 3})
        for waited in (1.0, 2.0):
            with observe("embed", component=Component.SERVING) as serving:
                serving.emit("executing", {"items": 2, "batch_size": 4, "queue_time": waited, "partition": 0})
                serving.emit("progress", [{"tokens": 5}, {"tokens": 6}])
        with observe("embed", component=Component.BATCH) as batch:
            batch.attributes["batch_size"] = 4
        run.emit("stored", {"documents": 2, "chunks": 3})
        clock.now += 2

    clock.now += 100
    assert (meter.files, meter.files_read, meter.skipped, meter.unchanged) == (4, 2, 1, 1)
    assert (meter.chunks, meter.tokens, meter.documents_stored, meter.chunks_stored) == (4, 22, 2, 3)
    assert (meter.batches, meter.mean_batch_size, meter.mean_queue_time) == (1, 4, 1.5)
    assert (meter.seconds, meter.rate) == (2, 2)


def test_the_chunks_to_come_are_projected_until_all_is_read() -> None:
    """Half of the files read have half of the chunks, until the true number is known."""
    meter = Meter(Clock())
    with callbacks(meter), observe("index") as run:
        run.emit("planned", {"files": 4})
        run.emit("read", {"files": 1, "unchanged": 0, "chunks": 10})
        assert meter.chunks_expected == 40
        run.emit("read", {"files": 3, "unchanged": 0, "chunks": 2})

    assert meter.chunks_expected == 12


@pytest.mark.parametrize("name", ["rate", "mean_batch_size", "mean_queue_time", "chunks_expected"])
def test_a_meter_that_saw_nothing_says_zero(name: str) -> None:
    """There is no division by nothing."""
    assert getattr(Meter(Clock()), name) == 0


def test_a_run_that_fails_stops_the_clock() -> None:
    """The time shown after Ctrl-C is that of the work."""
    clock = Clock()
    meter = Meter(clock)
    with pytest.raises(RuntimeError), callbacks(meter), observe("index"):
        clock.now += 3
        raise RuntimeError

    clock.now += 100
    assert meter.seconds == 3
