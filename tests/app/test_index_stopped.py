from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sideband import Component, Handler, Outcome, Run
from sideband.app.index import index
from sideband.app.meter import Meter
from sideband.app.store import Entry, Store
from sideband.embedders import Embedder

from .helpers import generated


async def test_a_cancelled_run_keeps_whole_documents(store: Store, embedder: Embedder) -> None:
    """What was stored stays and is complete; the next run goes on from there."""
    stored = asyncio.Event()

    class Stop(Handler):
        def on_event(self, run: Run, name: str, payload: Any) -> None:
            if name == "stored":
                stored.set()

        def on_error(self, run: Run, error: BaseException) -> None:
            if run.component is Component.WORKFLOW:
                outcomes.append(run.outcome)

    outcomes: list[Outcome | None] = []
    task = asyncio.create_task(index([generated(2_000)], store, embedder, batch_size=4, handlers=[Stop()]))
    await stored.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert outcomes == [Outcome.CANCELLED]
    kept = len(store.hashes("files"))
    assert 0 < kept < 2_000
    assert store.info().chunks == kept
    report = await index([generated(2_000)], store, embedder, batch_size=64)
    assert (report.new, report.unchanged) == (2_000 - kept, kept)


async def test_what_is_being_written_when_a_run_is_cancelled_is_told_as_stored(
    store: Store, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write cannot be stopped, and what it stored is in the count that a person is told."""
    loop, writing, meter = asyncio.get_running_loop(), asyncio.Event(), Meter()
    cancelled = threading.Event()
    plain = Store.write

    def write(self: Store, entries: Iterator[Entry]) -> None:
        loop.call_soon_threadsafe(writing.set)
        cancelled.wait(10)
        plain(self, entries)

    monkeypatch.setattr(Store, "write", write)
    task = asyncio.create_task(index([generated(500)], store, embedder, batch_size=4, handlers=[meter]))
    await writing.wait()
    task.cancel()
    loop.call_soon(cancelled.set)
    with pytest.raises(asyncio.CancelledError):
        await task

    assert 0 < meter.documents_stored == len(store.hashes("files"))
    assert meter.chunks_stored == store.info().chunks


async def test_no_more_than_some_batches_are_embedded_and_not_yet_stored(
    store: Store, embedder: Embedder
) -> None:
    """What a program that is killed has to embed again: two windows with the model, one being written."""
    meter, lost = Meter(), [0]

    class Losses(Handler):
        def on_event(self, run: Run, name: str, payload: Any) -> None:
            lost.append(meter.chunks - meter.chunks_stored)

    await index([generated(1_000)], store, embedder, batch_size=8, handlers=[meter, Losses()])

    assert 0 < max(lost) <= 3 * 2 * 8
