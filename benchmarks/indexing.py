"""Indexing end to end beside the same model called directly, on the same chunks, in one process.

End to end is what `sideband index --stdlib` does: read, cut, embed through the serving, write the store. Direct is the
bare model in a loop, with each of some fixed batch sizes, on the chunks made beforehand; the best of these counts. The two
are interleaved within each repetition, and the ratio is that of the best repetitions. On a machine that does other work
read the ratio of processor time, which it disturbs less.

    python benchmarks/indexing.py --model wordllama
    python benchmarks/indexing.py --model minilm --every 8
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sideband.app.chunks import Chunker, embedded_text
from sideband.app.corpus import Corpus, Skipped
from sideband.app.index import index
from sideband.app.index_command import default_batch_size
from sideband.app.meter import Meter
from sideband.app.reader import Reader
from sideband.app.stdlib import stdlib_corpus
from sideband.app.store import Store
from sideband.embedders import EMBEDDERS, Embedder, load

SIZES = (8, 32, 64, 128, 256, 1024)


def texts_of(corpus: Corpus, embedder: Embedder) -> list[str]:
    """Return the texts that indexing the corpus would embed."""
    chunker = Chunker(max_tokens=embedder.max_tokens, count_tokens=embedder.count_tokens)
    reader = Reader([corpus], {corpus.collection: {}}, chunker, chunks=1_000_000)
    texts: list[str] = []
    while (window := reader.next_window()) is not None:
        texts += [embedded_text(doc.title, chunk.text) for doc in window.documents for chunk in doc.chunks]
    return texts


def direct(embedder: Embedder, texts: list[str], size: int) -> None:
    """Call the model with one batch after the other."""
    for start in range(0, len(texts), size):
        embedder.embed(texts[start : start + size])


def end_to_end(embedder: Embedder, corpus: Corpus) -> None:
    """Index the corpus into a new store, with the handler that live progress uses."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with Store.create(path, model=embedder.name, dimensions=embedder.dimensions) as store:
            size = default_batch_size(embedder)
            asyncio.run(index([corpus], store, embedder, batch_size=size, handlers=[Meter()]))


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Return how long some work takes, and how much processor time, all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=EMBEDDERS, default="minilm")
    parser.add_argument("--every", type=int, default=1, help="take each Nth module of the standard library")
    parser.add_argument("--reps", type=int, default=3, help="repetitions of every case")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, help="fixed batch sizes of the direct calls"
    )
    args = parser.parse_args()
    embedder = load(args.model)
    whole = stdlib_corpus()
    corpus = dataclasses.replace(whole, parts=whole.parts[:: args.every])
    assert not any(isinstance(part.read(), Skipped) for part in corpus.parts[:1])
    texts = texts_of(corpus, embedder)
    direct(embedder, texts[:256], 64)
    seen: dict[str, list[tuple[float, float]]] = {}
    for _ in range(args.reps):
        cases: dict[str, Callable[[], None]] = {
            f"direct, batches of {size}": lambda size=size: direct(embedder, texts, size)
            for size in args.sizes
        }
        cases["end to end"] = lambda: end_to_end(embedder, corpus)
        for name, work in cases.items():
            seen.setdefault(name, []).append(seconds(work))
    print(f"{args.model}: {len(texts)} chunks of {len(corpus.parts)} modules, best of {args.reps}")
    best = {name: [min(times) for times in zip(*figures, strict=True)] for name, figures in seen.items()}
    for name, (wall, cpu) in best.items():
        print(
            f"  {name:24} {len(texts) / wall:10,.1f} chunks/s {len(texts) / cpu:10,.1f} chunks per CPU second"
        )
    whole_wall, whole_cpu = best.pop("end to end")
    wall, cpu = (min(times) for times in zip(*best.values(), strict=True))
    print(
        f"  end to end over best direct: rate {wall / whole_wall:.3f}, per CPU second {cpu / whole_cpu:.3f}"
    )


if __name__ == "__main__":
    main()
