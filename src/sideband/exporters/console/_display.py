"""Where trees are shown: drawn anew on a terminal, or a line a tree. May import picture and screen, and rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TextIO, final

from rich.console import COLOR_SYSTEMS, Console

from sideband.exporters.console._forest import Forest
from sideband.exporters.console._line import ASCII, UNICODE, Marks
from sideband.exporters.console._picture import Picture
from sideband.exporters.console._screen import Screen
from sideband.exporters.console._text import Line

__all__ = ["Display", "PlainDisplay", "TerminalDisplay", "is_live", "rich_console"]

_LEAST_LINES = 4


class Display(Protocol):
    """Shows trees."""

    def show(self, forest: Forest, now: float) -> None:
        """Show what goes on, and for good what has ended."""
        ...

    def close(self, forest: Forest, now: float) -> None:
        """Show for good what has ended, and what still goes on as it is; then nothing any more."""
        ...


def rich_console(file: TextIO) -> Console:
    """Return rich's idea of a terminal, or of a file: its colours, its width, its encoding."""
    return Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)


def is_live(console: Console) -> bool:
    """Tell whether lines can be drawn anew there."""
    return console.is_terminal and not (
        console.is_dumb_terminal or console.is_jupyter or console.legacy_windows
    )


@final
class TerminalDisplay:
    """Draws on a terminal."""

    def __init__(
        self, screen: Screen, console: Console, *, max_lines: int | None = None, max_depth: int = 8
    ) -> None:
        """Draw on a screen, in the colours of a console.

        Args:
            screen: where to.
            console: what the terminal can do.
            max_lines: how many lines are drawn at most; by default two thirds of the terminal.
            max_depth: levels below a root.
        """
        self._screen = screen
        self._console = console
        self._colours = COLOR_SYSTEMS.get(console.color_system or "")
        self._max_lines = max_lines
        self._picture = Picture(_marks(console), max_depth=max_depth)

    def show(self, forest: Forest, now: float) -> None:
        # One column less than there is: behind the last one terminals wait before they go on.
        columns, rows = self._console.size
        height = rows * 2 // 3 if self._max_lines is None else min(self._max_lines, rows - 1)
        lines = self._picture.live(forest, width=columns - 1, height=max(_LEAST_LINES, height), now=now)
        above = self._picture.ended(forest.take_ended(), width=columns - 1, now=now)
        self._screen.draw(
            list(zip(self._styled(lines), (line.width for line in lines), strict=True)), self._styled(above)
        )

    def close(self, forest: Forest, now: float) -> None:
        width = self._console.width - 1
        lines = self._picture.ended([*forest.take_ended(), *forest.roots], width=width, now=now)
        self._screen.draw([], self._styled([*lines, *self._picture.farewell(forest, width=width)]))
        self._screen.stop()

    def _styled(self, lines: Sequence[Line]) -> list[str]:
        return [line.styled(self._colours, no_colour=self._console.no_color) for line in lines]


@final
class PlainDisplay:
    """Writes one line for each tree that has ended."""

    def __init__(self, file: TextIO, console: Console) -> None:
        """Write to a file, in the letters that it has."""
        self._file = file
        self._picture = Picture(_marks(console))

    def show(self, forest: Forest, now: float) -> None:
        ended = forest.take_ended()
        if ended:
            self._file.write("".join(f"{self._picture.plain(root, now=now)}\n" for root in ended))
            self._file.flush()

    def close(self, forest: Forest, now: float) -> None:
        self.show(forest, now)


def _marks(console: Console) -> Marks:
    return ASCII if console.options.ascii_only else UNICODE
