"""What every format gives: text in blocks, with the places that a person would look for. May import nothing of ours.

The text is Markdown as far as it has structure (headings, lists, fenced code), so that one way of
cutting suits all formats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import final

__all__ = ["MAX_CHARACTERS", "Extracted", "FormatError", "Outline"]

MAX_CHARACTERS = 32 * 1024 * 1024
"""The most text that is taken out of one file."""

_MAX_PLACE = 120
_MAX_PLACES = 100_000
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class FormatError(Exception):
    """A file that cannot be read; the text is the reason, such as "encrypted"."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What was found in one file."""

    title: str
    """The document's own title; empty where it has none."""
    text: str
    places: list[tuple[int, str]]
    """Where pages or sections begin in the text, as offsets, and what they are called."""


@final
@dataclass(slots=True)
class Outline:
    """Puts blocks together to a text, and remembers where its headings and pages are."""

    title: str = ""
    _blocks: list[str] = field(default_factory=list[str])
    _places: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    _length: int = 0

    def block(self, text: str) -> None:
        """Add a paragraph, or whatever else stands between blank lines; nothing, if it is blank.

        Raises:
            FormatError: there is more text in the file than is taken from one.
        """
        text = _UNPRINTABLE.sub("", text).strip()
        if not text:
            return
        self._blocks.append(text)
        self._length += len(text) + 2
        if self._length > MAX_CHARACTERS:
            raise FormatError(f"too big: over {MAX_CHARACTERS // 2**20} Mi characters of text; split it")

    def heading(self, level: int, text: str) -> None:
        """Add a heading; what follows is found at it. The first is the title, where there is no other."""
        text = " ".join(text.split())
        if not text:
            return
        self.place(text)
        self.title = self.title or text
        self.block(f"{'#' * min(level, 6)} {text}")

    def code(self, text: str, language: str = "") -> None:
        """Add text whose lines stay as they are."""
        if text.strip():
            self.block(f"```{language}\n{text.strip(chr(10))}\n```")

    def place(self, name: str) -> None:
        """Say what the place is called at which the following blocks stand."""
        if len(self._places) < _MAX_PLACES:
            self._places.append((self._length, _UNPRINTABLE.sub("", name)[:_MAX_PLACE]))

    def extracted(self) -> Extracted:
        """Return all of it."""
        title = _UNPRINTABLE.sub("", " ".join(self.title.split()))
        return Extracted(title=title, text="\n\n".join(self._blocks), places=self._places)
