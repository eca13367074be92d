"""Documents cut into the chunks that are embedded. May import components and errors.

Cutting is the work of semantic-text-splitter: Markdown by its headings and blocks, all else by blank
lines, lines and sentences. So is Python, whose blank lines stand between its definitions: cut by its
syntax tree, every sixth chunk was a decorator or a line like `class Store:` and nothing more.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol, final

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from sideband.components import Document

__all__ = ["CHARACTERS", "Chunk", "Chunker", "embedded_text", "title"]

CHARACTERS = (400, 800)
"""A chunk's length: it is full once it has so many characters as the first, and never has more than the second."""

_MAX_HEADING = 120
_MARKS = 2
"""Tokens that a model may put around a text."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a document's text, and where it stands there."""

    text: str
    start: int
    """Offset of the first character."""
    line: int
    """The first character's line, counted from 1."""
    place: str = ""
    """What a person would look for to find it, where the document says: a page, a heading."""


class _Splitter(Protocol):
    def chunk_indices(self, text: str) -> list[tuple[int, str]]: ...


@final
class Chunker:
    """Cuts documents into chunks that a model takes whole.

    Threads: one at a time.
    Cost: some 0.2 ms for 10 kB of text, and the counting of tokens where there may be too many.
    """

    def __init__(
        self,
        *,
        max_tokens: int | None = None,
        count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
    ) -> None:
        """Say how many tokens the model takes and how it counts them; without these, characters alone decide."""
        self._max_tokens = max_tokens if count_tokens is not None else None
        self._count_tokens = count_tokens

    @property
    def fingerprint(self) -> str:
        """Changes when the same document would be cut differently."""
        return f"1:{CHARACTERS}:{self._max_tokens}"

    def hash(self, document: Document) -> str:
        """Return what stays the same as long as the document and its chunks do."""
        digest = hashlib.blake2b(self.fingerprint.encode(), digest_size=16)
        for part in (_kind(document), title(document), document.text):
            digest.update(b"\0" + part.encode())
        for place in _places(document):
            digest.update(repr(place).encode())
        return digest.hexdigest()

    def chunks(self, document: Document) -> list[Chunk]:
        """Cut one document; one that is blank gives no chunk."""
        pieces = [piece for start, end in _segments(document) for piece in self._cut(document, start, end)]
        places = _places(document)
        starts = [start for start, _ in places]
        chunks: list[Chunk] = []
        line, position = 1, 0
        for start, text in self._fitting(pieces, title(document)):
            line += document.text.count("\n", position, start)
            position = start
            found = bisect_right(starts, start)
            place = places[found - 1][1] if found else ""
            chunks.append(Chunk(text=text, start=start, line=line, place=place))
        return chunks

    def _cut(self, document: Document, start: int, end: int) -> list[tuple[int, str]]:
        pieces = self._splitter(_kind(document)).chunk_indices(document.text[start:end])
        return [(start + offset, piece) for offset, piece in pieces]

    def _splitter(self, kind: str) -> _Splitter:
        return self._markdown if kind == "markdown" else self._text

    @cached_property
    def _text(self) -> _Splitter:
        return TextSplitter(CHARACTERS)

    @cached_property
    def _markdown(self) -> _Splitter:
        return MarkdownSplitter(CHARACTERS)

    def _fitting(self, pieces: list[tuple[int, str]], heading: str) -> list[tuple[int, str]]:
        """Cut again what has more tokens than the model takes, so that no text goes unread."""
        fitting: list[tuple[int, str]] = []
        for start, text in pieces:
            excess = self._excess(embedded_text(heading, text))
            if excess <= 1 or len(text) == 1:
                fitting.append((start, text))
            else:
                smaller = TextSplitter(min(len(text) - 1, int(len(text) / excess) + 1)).chunk_indices(text)
                fitting.extend(self._fitting([(start + offset, piece) for offset, piece in smaller], heading))
        return fitting

    def _excess(self, text: str) -> float:
        """Return how many times the model's limit the text has in tokens, where it may be over it."""
        if self._max_tokens is None or self._count_tokens is None:
            return 0
        # A token stands for a byte at least, so a text with few bytes need not be counted.
        if len(text.encode()) + _MARKS <= self._max_tokens:
            return 0
        return self._count_tokens([text])[0] / self._max_tokens


def title(document: Document) -> str:
    """Return what a person would call the document."""
    return str(document.metadata.get("title") or document.id)


def embedded_text(heading: str, text: str) -> str:
    """Return what the model is given of a chunk: its text under its document's title, which says what it is about."""
    return f"{heading[:_MAX_HEADING]}\n{text}"


def _places(document: Document) -> Sequence[tuple[int, str]]:
    places: Sequence[tuple[int, str]] = document.metadata.get("places", ())
    return places


def _segments(document: Document) -> Iterator[tuple[int, int]]:
    """Return what is cut by itself: pages, since a chunk that went over several would be cited at the first."""
    starts = [start for start, _ in _places(document)] if _kind(document) == "pdf" else []
    yield from pairwise(sorted({0, *starts, len(document.text)}))


def _kind(document: Document) -> str:
    return str(document.metadata.get("kind", "text"))
