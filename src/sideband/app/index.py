"""The way of documents into the store: read, cut, embedded in batches, written. May import the core, serving, app.

    reader ──windows──▶ dispatcher ──windows being embedded──▶ writer

1. Reading and writing are done in worker threads, embedding in the serving's.
2. Both ways are bounded, so a fast reader waits for the model and the model for a slow disk.
3. Two windows are with the serving at once: the model does not wait while one is written.
4. The writer takes windows in order and writes each in one transaction: what is stored when the
   program is stopped is whole documents, and what is lost are three windows at most.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple, final

import numpy as np

from sideband import Component, HandlerLike, Run, callbacks, observe
from sideband.app.chunks import Chunker, embedded_text
from sideband.app.corpus import Corpus, Skipped
from sideband.app.errors import NothingToIndexError
from sideband.app.reader import Prepared, Reader, Window
from sideband.app.store import Entry, Store, Vectors
from sideband.embedders import Embedder
from sideband.serving import Batch, Serving

__all__ = ["IndexReport", "embedding_serving", "index"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_WINDOW_BATCHES = 1
"""What a killed program loses grows with it; more would make nothing faster."""
_WINDOWS_EMBEDDING = 2
_WINDOWS_AHEAD = 128
"""How many windows may wait for the model: enough to know a middling corpus's size from the start."""
_STOP_SECONDS = 0.1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What indexing came to; numbers are of documents where nothing else is said."""

    new: int
    changed: int
    unchanged: int
    removed: int
    skipped: tuple[Skipped, ...]
    chunks: int
    seconds: float


def embedding_serving(
    embedder: Embedder, *, batch_size: int, handlers: Sequence[HandlerLike] = ()
) -> Serving[str, Vectors]:
    """Return a serving that embeds texts in batches and reports each text's tokens as the event "progress"."""

    def embed(batch: Batch[str]) -> Vectors:
        found = embedder.embed_with_tokens(batch.values)
        batch.emit("progress", [{"tokens": count} for count in found.tokens])
        return found.vectors

    return Serving(embed, name="embed", batch_size=batch_size, hooks=("progress",), callbacks=handlers)


async def index(
    corpora: Sequence[Corpus],
    store: Store,
    embedder: Embedder,
    *,
    batch_size: int,
    handlers: Sequence[HandlerLike] = (),
    serving: Serving[str, Vectors] | None = None,
) -> IndexReport:
    """Bring a store up to date with corpora: add what is new or changed, remove what is gone.

    The whole is a run named "index" that emits "planned", "skipped", "read", "stored" and "removed";
    under it are the runs of reading, cutting, embedding and storing. The handlers see all of them,
    and those of the batches.

    With a `serving`, one of `embedding_serving` that is started, that one embeds: several may index into a store
    at once, and share its batches, which then only its own handlers see. It is not closed.

    Cancellation: documents already stored stay; none is stored in part.

    Raises:
        NothingToIndexError: no document was found, nor any that is gone.
        StoreError: the store cannot be read or written.
    """
    chunker = Chunker(max_tokens=embedder.max_tokens, count_tokens=embedder.count_tokens)
    known = {corpus.collection: await _in_thread(store.hashes, corpus.collection) for corpus in corpora}
    reader = Reader(corpora, known, chunker, chunks=_WINDOW_BATCHES * batch_size)
    places = tuple(place for corpus in corpora for place in corpus.places)
    with callbacks(*handlers):
        async with observe("index", component=Component.WORKFLOW, type="sqlite-vec", input=places) as run:
            own = embedding_serving(embedder, batch_size=batch_size, handlers=handlers)
            try:
                async with nullcontext(serving) if serving is not None else own as embeds:
                    run.output = report = await _Pipeline(run, reader, embeds, store).run()
            finally:
                for corpus in corpora:
                    await _in_thread(corpus.close)
            if not (report.new or report.changed or report.unchanged or report.removed):
                raise NothingToIndexError(places, len(report.skipped))
            return report


@final
class _Pipeline:
    def __init__(self, run: Run, reader: Reader, serving: Serving[str, Vectors], store: Store) -> None:
        self._run = run
        self._reader = reader
        self._serving = serving
        self._store = store
        self._read: asyncio.Queue[Window | None] = asyncio.Queue(_WINDOWS_AHEAD)
        self._embedding: asyncio.Queue[tuple[Window, asyncio.Task[Vectors]] | None] = asyncio.Queue()
        self._places = asyncio.Semaphore(_WINDOWS_EMBEDDING)
        self._written: Window | None = None
        self._skipped: list[Skipped] = []
        self._unchanged = self._new = self._changed = self._removed = self._chunks = 0

    async def run(self) -> IndexReport:
        started = time.perf_counter()
        self._run.emit("planned", {"files": self._reader.files})
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read_windows())
                group.create_task(self._dispatch_windows(group))
                group.create_task(self._write_windows())
        except BaseExceptionGroup as failures:
            failure = _simplest(failures)
        # Raised here, where nothing is added to its causes.
        if failure is not None:
            raise failure
        await self._remove_missing()
        return IndexReport(
            new=self._new,
            changed=self._changed,
            unchanged=self._unchanged,
            removed=self._removed,
            skipped=tuple(self._skipped),
            chunks=self._chunks,
            seconds=time.perf_counter() - started,
        )

    async def _read_windows(self) -> None:
        while (window := await _in_thread(self._reader.next_window, stop=self._reader.stop)) is not None:
            self._skipped += window.skipped
            self._unchanged += window.unchanged
            for skipped in window.skipped:
                self._run.emit("skipped", skipped)
            numbers = {"files": window.files, "unchanged": window.unchanged, "chunks": window.chunks}
            self._run.emit("read", numbers)
            if window.documents:
                await self._read.put(window)
        await self._read.put(None)

    async def _dispatch_windows(self, group: asyncio.TaskGroup) -> None:
        while (window := await self._read.get()) is not None:
            await self._places.acquire()
            self._embedding.put_nowait((window, group.create_task(self._embed(window))))
        self._embedding.put_nowait(None)

    async def _write_windows(self) -> None:
        while (item := await self._embedding.get()) is not None:
            window, task = item
            vectors = await task
            self._places.release()
            try:
                await _in_thread(self._write, window, vectors)
            finally:
                # Also when cancelled, which waits for the write: what is stored is always told.
                if self._written is window:
                    self._count(window)

    async def _embed(self, window: Window) -> Vectors:
        texts = [
            embedded_text(document.title, chunk.text)
            for document in window.documents
            for chunk in document.chunks
        ]
        # Texts of like length meet in a batch, so that little of it is padding: a tenth faster for MiniLM.
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found = await self._serving.dispatch_many([texts[place] for place in order])
        vectors = np.empty((len(texts), self._store.dimensions), dtype=np.float32)
        vectors[order] = found
        return vectors

    def _write(self, window: Window, vectors: Vectors) -> None:
        with observe("store", component=Component.INDEXER, type="sqlite-vec", input=window.documents) as run:
            self._store.write(_entries(window.documents, vectors))
            run.output = [document.id for document in window.documents]
        self._written = window

    def _count(self, window: Window) -> None:
        new = sum(document.new for document in window.documents)
        self._new += new
        self._changed += len(window.documents) - new
        self._chunks += window.chunks
        self._run.emit("stored", {"documents": len(window.documents), "chunks": window.chunks})

    async def _remove_missing(self) -> None:
        for collection, gone in self._reader.missing():
            await _in_thread(self._store.remove, collection, gone)
            self._removed += len(gone)
            self._run.emit("removed", {"documents": len(gone)})


def _entries(documents: Sequence[Prepared], vectors: Vectors) -> Iterator[Entry]:
    first = 0
    for document in documents:
        end = first + len(document.chunks)
        yield Entry(
            collection=document.collection,
            source=document.id,
            title=document.title,
            hash=document.hash,
            chunks=document.chunks,
            vectors=vectors[first:end],
        )
        first = end


async def _in_thread(function: Callable[[*Ts], T], *args: *Ts, stop: Callable[[], None] | None = None) -> T:
    """Call it in a worker thread; when cancelled, wait until it is through, which `stop` may bring about sooner."""
    task = asyncio.create_task(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Again and again, since what it stops may at that moment be about to begin.
        while stop is not None and not task.done():
            await asyncio.to_thread(stop)
            await asyncio.wait([task], timeout=_STOP_SECONDS)
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it as forgotten
        raise


def _simplest(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one failure of a group, where several tasks met it, else the group."""
    first = failures.exceptions[0]
    return first if all(failure is first for failure in failures.exceptions) else failures
