"""A terminal as far as the console needs one: what stands on it after some output. An unknown sequence is an error."""

from __future__ import annotations

import re

from rich.cells import cell_len

_TOKEN = re.compile(
    r"\x1b\[(\?25[lh])|\x1b\[([0-9]*)([AK])|(\x1b\[[0-9;]*m)|([\r\n])|([^\x00-\x1f\x7f-\x9f])|(.)", re.DOTALL
)


class Terminal:
    def __init__(self, columns: int = 80) -> None:
        self.columns = columns
        self.rows: list[list[str]] = [[]]
        self.row = 0
        self.column = 0
        self.cursor = True
        self.colours: list[str] = []

    def feed(self, text: str) -> None:
        for found in _TOKEN.finditer(text):
            cursor, count, command, colour, end, letter, other = found.groups()
            assert other is None, f"{other!r} in {text[max(0, found.start() - 40) : found.end() + 40]!r}"
            if cursor:
                self.cursor = cursor.endswith("h")
            elif command == "A":
                self.row = max(0, self.row - int(count or 1))
            elif command == "K":
                assert count == "2"
                self.rows[self.row] = []
            elif colour:
                self.colours.append(colour)
            elif end == "\r":
                self.column = 0
            elif end == "\n":
                self._line_feed()
            else:
                self._put(letter)

    def _line_feed(self) -> None:
        self.row += 1
        self.column = 0  # as the terminal's driver does
        if self.row == len(self.rows):
            self.rows.append([])

    def _put(self, letter: str) -> None:
        width = cell_len(letter)
        if self.column + width > self.columns:
            self._line_feed()
        row = self.rows[self.row]
        row += [" "] * (self.column - len(row))
        row[self.column : self.column + max(width, 1)] = [letter, *[""] * (width - 1)]
        self.column += width

    @property
    def lines(self) -> list[str]:
        """What is on it, without blanks at the ends and without empty lines at the bottom."""
        return "\n".join("".join(row).rstrip() for row in self.rows).rstrip("\n").split("\n")
