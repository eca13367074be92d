"""Reads corpora window by window: what is new or changed is cut into chunks. May import the core, corpus and chunks.

A window holds some hundred chunks of whole documents, so that neither a corpus nor its vectors have
to fit into memory, and a document is stored whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from sideband import Component, observe
from sideband.app.chunks import Chunk, Chunker, title
from sideband.app.corpus import Corpus, Part, Skipped
from sideband.components import Document

__all__ = ["Prepared", "Reader", "Window"]

_MAX_PARTS = 64
"""How many files a window takes at most, so that a run over unchanged ones shows that it goes on."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that is to be stored, cut into chunks."""

    collection: str
    id: str
    title: str
    hash: str
    chunks: Sequence[Chunk]
    new: bool
    """Whether the store did not have it; it is changed otherwise."""


@final
@dataclass(slots=True, kw_only=True)
class Window:
    """What was found in some consecutive files."""

    documents: list[Prepared] = field(default_factory=list[Prepared])
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    files: int = 0
    unchanged: int = 0
    """How many documents the store has already as they are."""
    chunks: int = 0


@final
class Reader:
    """Goes through corpora once, comparing what it finds with what is stored.

    Threads: one at a time, not always the same.
    """

    def __init__(
        self,
        corpora: Sequence[Corpus],
        known: Mapping[str, Mapping[str, str]],
        chunker: Chunker,
        *,
        chunks: int,
    ) -> None:
        """Take the stored documents' hashes by collection and id, and how many chunks fill a window."""
        self._corpora = corpora
        self._known = known
        self._chunker = chunker
        self._chunks = chunks
        self._parts = _all_parts(corpora)
        self._seen: dict[str, set[str]] = {corpus.collection: set() for corpus in corpora}
        self._kept: list[str] = []
        self._stopped = False
        self.files = sum(len(corpus.parts) for corpus in corpora)
        """How many files there are to read."""

    def next_window(self) -> Window | None:
        """Read on until a window is full; None when everything has been read, or it was stopped."""
        window = Window()
        for corpus, part in self._parts:
            self._read(corpus, part, window)
            if self._stopped:
                return None
            if window.chunks >= self._chunks or window.files >= _MAX_PARTS:
                break
        return window if window.files else None

    def stop(self) -> None:
        """End the reading that goes on in another thread, also of a file that takes long; there is no more after it."""
        self._stopped = True
        for corpus in self._corpora:
            corpus.close()

    def missing(self) -> Iterator[tuple[str, list[str]]]:
        """Return the stored documents that the corpora should have and do not have any more, by collection."""
        for collection, seen in self._seen.items():
            covering = [corpus.covers for corpus in self._corpora if corpus.collection == collection]
            gone = [
                found
                for found in self._known[collection]
                if found not in seen
                and any(covers(found) for covers in covering)
                and not self._is_kept(found)
            ]
            if gone:
                yield collection, gone

    def _read(self, corpus: Corpus, part: Part, window: Window) -> None:
        with observe("read", component=Component.LOADER, type=corpus.collection, input=part.name) as run:
            reading = run.output = part.read()
        window.files += 1
        if isinstance(reading, Skipped):
            self._skip(reading, window)
            return
        fresh = self._fresh(corpus.collection, reading, window)
        if not fresh:
            return
        with observe(
            "chunk", component=Component.TRANSFORMER, input=[document for document, _ in fresh]
        ) as run:
            run.output = prepared = [self._prepare(corpus.collection, *each) for each in fresh]
        window.documents += prepared
        window.chunks += sum(len(document.chunks) for document in prepared)

    def _skip(self, skipped: Skipped, window: Window) -> None:
        window.skipped.append(skipped)
        if skipped.keep:
            self._kept.append(skipped.path)

    def _fresh(
        self, collection: str, documents: Sequence[Document], window: Window
    ) -> list[tuple[Document, str]]:
        """Pick the documents that the store has not got as they are, each with its hash."""
        seen, known = self._seen[collection], self._known[collection]
        fresh: list[tuple[Document, str]] = []
        for document in documents:
            if document.id in seen:
                continue
            seen.add(document.id)
            found = self._chunker.hash(document)
            if known.get(document.id) == found:
                window.unchanged += 1
            else:
                fresh.append((document, found))
        return fresh

    def _prepare(self, collection: str, document: Document, found: str) -> Prepared:
        return Prepared(
            collection=collection,
            id=document.id,
            title=title(document),
            hash=found,
            chunks=self._chunker.chunks(document),
            new=document.id not in self._known[collection],
        )

    def _is_kept(self, found: str) -> bool:
        return any(found == kept or found.startswith((kept + "/", kept + "\\")) for kept in self._kept)


def _all_parts(corpora: Sequence[Corpus]) -> Iterator[tuple[Corpus, Part]]:
    for corpus in corpora:
        for part in corpus.parts:
            yield corpus, part
