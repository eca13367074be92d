"""How this project answers the cases of indexing: `sideband index --stdlib`, and its model without it."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness.work import Gauge

from sideband.app.chunks import Chunker, embedded_text
from sideband.app.corpus import Corpus
from sideband.app.index import index
from sideband.app.meter import Meter
from sideband.app.models import default_batch_size
from sideband.app.reader import Reader
from sideband.app.stdlib import stdlib_corpus
from sideband.app.store import Store
from sideband.embedders import Embedder, load


def indexing_minilm(modules: int) -> Gauge:
    """What the command does, with the handler of its live progress."""
    return _share("minilm", modules, sizes=(32, 64))


def indexing_wordllama(modules: int) -> Gauge:
    """What the command does, with the handler of its live progress."""
    return _share("wordllama", modules, sizes=(64, 256))


def _share(name: str, modules: int, sizes: tuple[int, ...]) -> Gauge:
    embedder = load(name)
    whole = stdlib_corpus()
    corpus = dataclasses.replace(whole, parts=whole.parts[:: -(-len(whole.parts) // modules)])
    texts = _texts_of(corpus, embedder)
    embedder.embed(texts[:64])

    def measure() -> float:
        tried = {default_batch_size(embedder), *sizes}
        direct = [_seconds(functools.partial(_direct, embedder, texts, size)) for size in tried]
        return min(direct) / _seconds(lambda: _end_to_end(embedder, corpus, len(texts)))

    return Gauge(measure)


def _texts_of(corpus: Corpus, embedder: Embedder) -> list[str]:
    """Return the texts that indexing the corpus embeds."""
    chunker = Chunker(max_tokens=embedder.max_tokens, count_tokens=embedder.count_tokens)
    reader = Reader([corpus], {corpus.collection: {}}, chunker, chunks=1_000_000)
    texts: list[str] = []
    while (window := reader.next_window()) is not None:
        texts += [embedded_text(doc.title, chunk.text) for doc in window.documents for chunk in doc.chunks]
    return texts


def _direct(embedder: Embedder, texts: list[str], size: int) -> None:
    for start in range(0, len(texts), size):
        embedder.embed(texts[start : start + size])


def _end_to_end(embedder: Embedder, corpus: Corpus, chunks: int) -> None:
    """Index the corpus into a new store, and see that all of it is there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with Store.create(path, model=embedder.name, dimensions=embedder.dimensions) as store:
            size = default_batch_size(embedder)
            report = asyncio.run(index([corpus], store, embedder, batch_size=size, handlers=[Meter()]))
    if report.chunks != chunks:
        raise RuntimeError(f"{report.chunks} chunks are in the store, {chunks} were embedded directly")


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
