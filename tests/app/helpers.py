"""Corpora for tests of the index."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sideband.app.corpus import Corpus, Part
from sideband.components import Document


def generated(count: int, on_read: Callable[[int], None] = lambda _: None) -> Corpus:
    """Return a corpus of so many short documents."""

    def part(n: int) -> Part:
        def read() -> Sequence[Document]:
            on_read(n)
            return [Document(id=f"d{n}", text=f"text number {n} " + "word " * (n % 40))]

        return Part(name=f"d{n}", read=read)

    return Corpus(
        collection="files",
        places=("generated",),
        parts=[part(n) for n in range(count)],
        covers=lambda _: True,
    )
