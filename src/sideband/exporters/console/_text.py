"""A line of a terminal, made of pieces with styles. May import rich.

As `rich.text.Text`, with nothing but what a tree needs, and many times as fast.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, final

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style

__all__ = ["Line", "shortened", "shortened_from_left"]


@final
class Line:
    """Pieces of text, each with a style of rich's."""

    __slots__ = ("pieces", "width")

    def __init__(self) -> None:
        """Start empty."""
        self.pieces: list[tuple[str, str]] = []
        self.width = 0
        """In cells: a letter takes none, one, or two."""

    def add(self, text: str, style: str = "") -> Line:
        """Add a piece at the end."""
        self.pieces.append((text, style))
        self.width += cell_len(text)
        return self

    def cut(self, width: int, mark: str) -> Line:
        """Leave out from the end what is too much, and put a mark in its place."""
        if self.width <= width:
            return self
        room = width - cell_len(mark)
        while self.pieces and self.width > room:
            text, style = self.pieces.pop()
            self.width -= cell_len(text)
            if self.width < room:
                self.add(_first(text, room - self.width), style)
                break
        return self.add(mark[: max(0, width - self.width)], "bright_black")

    @property
    def plain(self) -> str:
        """The text alone."""
        return "".join(text for text, _ in self.pieces)

    def styled(self, colours: ColorSystem | None, *, no_colour: bool = False) -> str:
        """Return it with a terminal's sequences for its styles; without colours bold and italics are left."""
        return "".join(
            _style(style, no_colour).render(text, color_system=colours) for text, style in self.pieces
        )


def shortened(text: str, width: int, mark: str) -> str:
    """Return the beginning of a text, so many cells wide at most."""
    return text if cell_len(text) <= width else _first(text, width - cell_len(mark)) + mark


def shortened_from_left(text: str, width: int, mark: str) -> str:
    """Return the end of a text, so many cells wide at most."""
    return text if cell_len(text) <= width else mark + _first(text[::-1], width - cell_len(mark))[::-1]


def _first(text: str, width: int) -> str:
    cells = 0
    for place, letter in enumerate(text):
        cells += cell_len(letter)
        if cells > width:
            return text[:place]
    return text


@lru_cache(256)
def _style(definition: str, no_colour: bool) -> Any:
    style = Style.parse(definition)
    return style.without_color if no_colour else style
