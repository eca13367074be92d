"""An answer on the screen while it is written. May import the app's screen.

On a terminal finished lines are printed and stay; the last line, and under it how fast it goes, are drawn anew with
each piece. Elsewhere pieces are written as they come, and nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sideband.app.answer import AnswerMeter
from sideband.app.screen import printable

__all__ = ["AnswerView", "summary"]


@final
class AnswerView:
    """Shows an answer piece by piece; a context manager."""

    def __init__(self, console: Console, meter: AnswerMeter, cost: Callable[[], str] = str) -> None:
        """Draw on a console what a meter counts; `cost` says what that has cost so far."""
        self._console = console
        self._cost = cost
        self._line = ""
        self._meter = meter
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._drawn)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
            self._print(self._line)
        elif self._meter.pieces:
            self._console.out(highlight=False)
        self._line = ""

    def add(self, piece: str) -> None:
        """Show one piece of text more."""
        text = _shown(piece)
        if not self._console.is_terminal:
            self._console.out(text, end="", highlight=False)
            self._console.file.flush()
            return
        self._line += text
        *finished, self._line = self._wrapped()
        for line in finished:
            self._print(line)

    def _wrapped(self) -> list[str]:
        lines = self._line.split("\n")
        last = Text(lines[-1]).wrap(self._console, max(self._console.width, 1))
        return [*lines[:-1], *(line.plain for line in last)] if len(last) else [*lines[:-1], ""]

    def _print(self, line: str) -> None:
        if line:
            self._console.print(Text(line), soft_wrap=False)
        elif self._live.is_started:
            self._console.print()

    def _drawn(self) -> Group:
        return Group(Text(self._line), Text(summary(self._meter, self._cost()), style="dim"))


def _shown(piece: str) -> str:
    """Return text without control characters, its lines kept: what a model says may be a terminal's commands."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in piece)


def summary(meter: AnswerMeter, cost: str = "") -> str:
    """Say how fast an answer comes, on one line."""
    first = meter.time_to_first_token
    if first is None:
        return f"waiting for the first token · {meter.seconds:.1f} s"
    parts = [f"first token after {first:.2f} s", f"{meter.tokens:,} tokens"]
    if meter.rate is not None:
        parts.append(f"{meter.rate:.1f} tokens/s")
    if meter.usage is not None:
        parts.append(f"{meter.usage.input_tokens:,} read")
    if cost:
        parts.append(cost)
    return printable(" · ".join([*parts, f"{meter.seconds:.1f} s"]))
