"""From the runs of a job to its numbers on the board: a handler. May import the core, the meter and the board."""

from __future__ import annotations

from typing import Any, final

from sideband import Handler, Run
from sideband.app.corpus import Skipped
from sideband.app.meter import Meter
from sideband.app.web.board import Board
from sideband.app.web.jobs import Job, Numbers

__all__ = ["JobProgress"]


@final
class JobProgress(Handler):
    """Tells the board what a job's own runs tell.

    The batches are shared by all jobs, so a job sees them through its requests: each is told the size of the batch
    that it went into.

    Threads: that of the event loop, where callers are told.
    """

    def __init__(self, board: Board, job: Job, batch_size: int) -> None:
        """Say whose runs these are; `batch_size` is the most chunks of a batch."""
        self._board = board
        self._job = job
        self._batch_size = batch_size
        self._meter = Meter()
        self._removed = 0
        self._items = 0
        self._fullness = 0.0

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self._meter.on_start(run, input)

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        self._meter.on_event(run, name, payload)
        if name == "skipped" and isinstance(payload, Skipped):
            self._board.skip(self._job, payload)
        elif name == "executing":
            self._items += payload["items"]
            self._fullness += payload["items"] * payload["batch_size"] / self._batch_size
        elif name == "progress":
            self._tell(items=len(payload))
        elif name == "stored":
            self._tell(stored=payload["chunks"])
        elif name in {"planned", "read"}:
            self._tell()
        elif name == "removed":
            self._removed += payload["documents"]
            self._tell()

    def on_end(self, run: Run, output: Any) -> None:
        self._meter.on_end(run, output)
        self._tell_the_end(run)

    def on_error(self, run: Run, error: BaseException) -> None:
        self._meter.on_error(run, error)
        self._tell_the_end(run)

    def _tell_the_end(self, run: Run) -> None:
        if run.name == "index":
            self._tell()

    def _tell(self, *, items: int = 0, stored: int = 0) -> None:
        meter = self._meter
        numbers = Numbers(
            files=meter.files,
            files_read=meter.files_read,
            expected=meter.chunks_expected,
            unchanged=meter.unchanged,
            documents=meter.documents_stored,
            removed=self._removed,
            tokens=meter.tokens,
            rate=meter.rate,
            fill=self._fullness / self._items if self._items else None,
            queue_time=meter.mean_queue_time if self._items else None,
            seconds=meter.seconds,
        )
        self._board.progress(self._job, numbers, items=items, stored=stored)
