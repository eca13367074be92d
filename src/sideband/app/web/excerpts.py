"""Texts as results show them: the part that fits a question, its words marked, an answer's citations as links.

Knows nothing of ours, and no framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Piece", "excerpt", "linked", "marked", "settled"]

_WORD = re.compile(r"\w+")
_COMMON = frozenset(
    _WORD.findall(
        "a about all an and any are as at be been but by can could did do does for from get had has have how "
        "i if in into is it its me my not of on one or our should so some than that the their them then there "
        "these they this to use used using was we were what when where which who why will with would you your"
    )
)
_SHORTEST_STEM = 3
_CITATION = re.compile(r"\[(\d{1,3})\]")
_OPEN_CITATION = re.compile(r"\[\d{0,3}\Z")


class Piece(NamedTuple):
    """A part of a text."""

    text: str
    marked: bool


def marked(text: str, question: str) -> list[Piece]:
    """Cut a text into what a question's words are in, and what is between; together the pieces are the text.

    Words that say little by themselves do not count, and of the others an ending may differ: "parsing" marks "parse".
    """
    stems = {_stem(word) for word in _WORD.findall(question.lower()) if word not in _COMMON}
    pieces: list[Piece] = []
    end = 0
    for match in _WORD.finditer(text):
        if _stem(match[0].lower()) not in stems:
            continue
        if match.start() > end:
            pieces.append(Piece(text[end : match.start()], marked=False))
        pieces.append(Piece(match[0], marked=True))
        end = match.end()
    if end < len(text):
        pieces.append(Piece(text[end:], marked=False))
    return pieces


def _stem(word: str) -> str:
    """Return a word without an ending of English; crude, and the same for the question and the text."""
    for ending in ("ations", "ation", "ings", "ing", "ers", "ies", "ed", "er", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def excerpt(text: str, question: str, length: int) -> str:
    """Return the part of a text in which most of a question's words are, on one line; all of it where it is short."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    starts = [match.start() for match in re.finditer(r"(?:^|(?<=\s))\S", line)]
    hits: list[int] = []
    at = 0
    for piece in marked(line, question):
        if piece.marked:
            hits.append(at)
        at += len(piece.text)
    # A little before the first hit of the stretch that has most of them, so that it is read in its context.
    within = length * 3 // 4
    best = max(hits, key=lambda first: sum(0 <= hit - first < within for hit in hits), default=0)
    start = max((one for one in starts if one <= max(best - length // 6, 0)), default=0)
    cut = line[start : start + length]
    if start + length < len(line):
        cut = cut.rsplit(" ", 1)[0] + " …"
    return ("… " if start else "") + cut


def linked(text: str, passages: int) -> Iterator[tuple[str, int | None]]:
    """Cut an answer into text and citations: `("[2]", 2)` where there is a second passage."""
    end = 0
    for match in _CITATION.finditer(text):
        number = int(match[1])
        if not 1 <= number <= passages:
            continue
        if match.start() > end:
            yield text[end : match.start()], None
        yield match[0], number
        end = match.end()
    if end < len(text):
        yield text[end:], None


def settled(text: str) -> int:
    """Return how much of an answer that is still written can be cut: no citation is open before it."""
    match = _OPEN_CITATION.search(text)
    return match.start() if match else len(text)
