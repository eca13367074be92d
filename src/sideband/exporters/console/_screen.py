"""A terminal of which the last lines are drawn anew while the program prints above them. May import nothing of ours.

1. While nothing is drawn, what the program prints goes through as it is, byte for byte.
2. While something is drawn, whole lines go above it at once; of their escape sequences those that set colours stay.
   A line that is not finished yet stands above the drawing, as part of it, until it is.
3. Who floods the terminal does not have the drawing repeated for each line: it comes back with the next frame.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol, final

__all__ = ["Screen", "Source"]

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_ERASE_LINE: Final = "\r\x1b[2K"
_ERASE_ABOVE: Final = "\x1b[1A\x1b[2K"
_PLAIN: Final = "\x1b[0m"
_LONGEST_UNFINISHED: Final = 4_096

# Colours and the like, and links; then all other sequences; then what is left of control characters.
_KEPT = r"\x1b\[[0-9;:]*m|\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)"
_DROPPED = r"\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]"
_SEQUENCE: Final = re.compile(f"({_KEPT})|{_DROPPED}")


class Source(Protocol):
    """Something that the program writes to, and that ends at this terminal."""

    def raw(self, text: str) -> None:
        """Write to the terminal at once, as it is."""
        ...


@final
class Screen:
    """Draws lines at the bottom of a terminal.

    Order: of one thread's writes, and of a write and the drawings after it.
    Closing: `stop` takes the drawing away and shows the cursor; `write` goes on working.
    Threads: any; a write waits for a drawing under way, never for one to be made.
    Cost: of a write while something is drawn: the drawing is written once more, at most every 50 ms.
    """

    def __init__(
        self,
        out: Source,
        columns: Callable[[], int],
        clock: Callable[[], float],
        redraw_seconds: float = 0.05,
    ) -> None:
        """Draw on a terminal.

        Args:
            out: where to.
            columns: how wide the terminal is now.
            clock: gives seconds.
            redraw_seconds: how often a drawing is repeated below what the program prints, at most.
        """
        self._out = out
        self._columns = columns
        self._clock = clock
        self._redraw_seconds = redraw_seconds
        self._lock = threading.RLock()
        self._unfinished: dict[Source, str] = {}
        self._lines: Sequence[tuple[str, int]] = ()
        self._drawn: list[int] = []
        self._drawn_at = float("-inf")
        self._active = False

    def draw(self, lines: Sequence[tuple[str, int]], above: Sequence[str] = ()) -> None:
        """Draw lines in place of those drawn before.

        Args:
            lines: the lines and their widths in cells; empty to draw nothing.
            above: lines that are to stay, above those.
        """
        with self._lock:
            if not lines and not above and not self._active:
                return
            begin = self._erased() if self._active else self._begun()
            self._lines = lines
            text = begin + "".join(f"{line}{_PLAIN}\n" for line in above)
            if lines:
                self._out.raw(text + self._redrawn())
            else:
                self._out.raw(text + self._ended())

    def stop(self) -> None:
        """Take the drawing away."""
        with self._lock:
            if self._active:
                self._lines = ()
                self._out.raw(self._erased() + self._ended())

    def write(self, source: Source, text: str) -> None:
        """Write what the program prints."""
        with self._lock:
            if self._active:
                self._write_above(source, text)
            else:
                self._unfinished[source] = _unfinished(self._unfinished.get(source, "") + text)
                source.raw(text)

    # -- under the lock --------------------------------------------------------------------------

    def _begun(self) -> str:
        """Make room: what the program has begun to print on the cursor's line becomes part of the drawing."""
        self._active = True
        left = [text for text in self._unfinished.values() if text]
        if not left:
            return _HIDE
        if len(left) == 1 and len(left[0]) * 2 < self._columns():
            return _HIDE + _ERASE_LINE
        self._unfinished.clear()
        return f"{_HIDE}{_PLAIN}\n"

    def _ended(self) -> str:
        """Give the cursor back, behind what the program has begun to print."""
        self._active = False
        return "".join(self._unfinished.values()) + _SHOW

    def _write_above(self, source: Source, text: str) -> None:
        *lines, left = (self._unfinished.get(source, "") + text).split("\n")
        self._unfinished[source] = left if len(left) <= _LONGEST_UNFINISHED else ""
        if len(left) > _LONGEST_UNFINISHED:
            lines.append(left)
        shown = "".join(f"{_shown(line)}\n" for line in lines)
        began = self._erased() + shown
        if self._clock() - self._drawn_at >= self._redraw_seconds:
            self._out.raw(began + self._redrawn())
        elif began:
            self._out.raw(began)

    def _erased(self) -> str:
        """Return what takes the drawing away; where the terminal was made narrower its lines are several each."""
        if not self._drawn:
            return ""
        columns = max(1, self._columns())
        rows = sum(max(1, -(-width // columns)) for width in self._drawn)
        self._drawn = []
        return _ERASE_LINE + _ERASE_ABOVE * (rows - 1)

    def _redrawn(self) -> str:
        columns = max(2, self._columns())
        lines = [*(_begun(text, columns - 1) for text in self._unfinished.values() if text), *self._lines]
        self._drawn = [width for _, width in lines]
        self._drawn_at = self._clock()
        return "\n".join(f"{line}{_PLAIN}" for line, _ in lines)


def _unfinished(text: str) -> str:
    """Return what stands on the cursor's line after some text; nothing where that cannot be told."""
    last = text.rpartition("\n")[2].rpartition("\r")[2]
    return "" if "\x1b" in last or len(last) > _LONGEST_UNFINISHED else last


def _begun(line: str, columns: int) -> tuple[str, int]:
    """Return the end of an unfinished line, without colours, and its width; a letter may be two cells wide."""
    text = _SEQUENCE.sub("", _without_returns(line))
    cells = 1 if text.isascii() else 2
    text = text[-(max(2, columns) // cells) :]
    return text, len(text) * cells


def _shown(line: str) -> str:
    """Return a line as a terminal would show it: what a carriage return goes back over is gone."""
    shown = _SEQUENCE.sub(lambda found: found[1] or "", _without_returns(line))
    return f"{shown}{_PLAIN}" if "\x1b" in shown else shown


def _without_returns(line: str) -> str:
    return line.removesuffix("\r").rpartition("\r")[2]
