"""What can be indexed: corpora, made of parts that are read one at a time. May import components.

A part is a file or a module. Reading one gives its documents or says why it was skipped: bad input
is an answer here, not an exception, so that a caller names it and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from sideband.components import Document

__all__ = ["Corpus", "Part", "Reading", "Skipped"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file or folder that gave no documents, and why."""

    path: str
    reason: str
    """Why, in words that fit behind the path: "empty", "binary", …"""
    keep: bool = False
    """Whether what an earlier run stored of it still stands: it is there, but could not be read now."""

    @property
    def category(self) -> str:
        """The reason without what is of this file alone, so that many can be counted together."""
        return self.reason.partition(":")[0]


Reading = Sequence[Document] | Skipped
"""What a part gives when it is read."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is read at once: a file, or a module of the standard library."""

    name: str
    """A name to show a person."""
    read: Callable[[], Reading]


def _nothing() -> None:
    pass


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Documents with one space of ids, and where they come from."""

    collection: str
    """The space of ids that its documents are in: "files" or "stdlib"."""
    places: tuple[str, ...]
    """What a person gave to name it."""
    parts: Sequence[Part]
    covers: Callable[[str], bool]
    """Whether a document of this id would be found here if it still existed."""
    close: Callable[[], None] = _nothing
    """Lets go of what reading needs, from any thread; a file that is being parsed is given up."""
