"""One run on one line of a terminal. May import the nodes, and rich.

A line is made of a left part, which is shortened where there is no room, and of a clock at the right edge, which
never is. What there is to say about a run comes in the order of its importance: what does not fit is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

from rich.cells import cell_len

from sideband.exporters.console._node import Node, duration
from sideband.exporters.console._text import Line, shortened, shortened_from_left

__all__ = [
    "ASCII",
    "UNICODE",
    "Marks",
    "cause_line",
    "duration",
    "joined",
    "plain_line",
    "run_line",
    "tail_line",
]

_DIM: Final = "bright_black"
_ABOUT: Final = "bright_black italic"
_BAR: Final = "green"
_BAR_CELLS = 12
_MOST_BOXES = 32
_LEAST_NAME = 12
_LEAST_DETAIL = 6


@final
@dataclass(frozen=True, slots=True)
class Marks:
    """The signs that a terminal's encoding has."""

    spinner: str
    outcomes: dict[str, str]
    branch: str
    corner: str
    trunk: str
    full: str
    empty: str
    box: str
    no_box: str
    dot: str
    more: str
    times: str
    quote: str


UNICODE: Final = Marks(
    spinner="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    outcomes={"ok": "✓", "error": "✗", "cancelled": "⊘", "closed": "◌", "interrupted": "‖", "lost": "?"},
    branch="├─ ",
    corner="└─ ",
    trunk="│  ",
    full="━",
    empty="─",
    box="▪",
    no_box="▫",
    dot=" · ",
    more="…",
    times="\N{MULTIPLICATION SIGN}",
    quote="▏",
)
ASCII: Final = Marks(
    spinner="|/-\\",
    outcomes={"ok": "+", "error": "x", "cancelled": "-", "closed": "o", "interrupted": "=", "lost": "?"},
    branch="|- ",
    corner="`- ",
    trunk="|  ",
    full="#",
    empty="-",
    box="#",
    no_box="-",
    dot=", ",
    more="...",
    times="x",
    quote=">",
)

_STYLES: Final = {
    "ok": "green",
    "error": "bold red",
    "cancelled": "yellow",
    "closed": _DIM,
    "interrupted": "magenta",
    "lost": "yellow",
}
_KINDS: Final = {
    "ChatModel": "magenta",
    "Embedding": "blue",
    "Serving": "blue",
    "Batch": "blue",
    "Tool": "yellow",
    "ToolsNode": "yellow",
    "Retriever": "cyan",
    "Indexer": "cyan",
    "Loader": "cyan",
    "Transformer": "cyan",
}
_SHORTENED: Final = {"red", _ABOUT}
_FRAMES_A_SECOND = 8


def run_line(node: Node, prefix: str, *, width: int, now: float, marks: Marks) -> Line:
    """Return a run on one line of at most `width` cells."""
    line = Line().add(prefix, _DIM).add(*_sign(node, now, marks))
    line.add(f" {node.kind}", _KINDS.get(node.kind, _DIM)).add(f" {node.name}", "bold")
    if node.count > 1:
        line.add(f" {marks.times}{node.count:,}", _DIM)
    if node.process:
        line.add(f" [{node.process}]", _DIM)
    return joined(line, _details(node, now, marks), _clock(node, now), width=width, marks=marks)


def plain_line(node: Node, *, now: float, marks: Marks) -> str:
    """Return a run as a line without any style, however long."""
    process = f" [{node.process}]" if node.process else ""
    told = [_clock(node, now), *(text for text, _ in _details(node, now, marks)), *_after_first(node.error)]
    return f"{_sign(node, now, marks)[0]} {node.kind} {node.name}{process}  {marks.dot.join(told)}"


def _after_first(causes: tuple[str, ...]) -> list[str]:
    return [f"caused by {cause}" for cause in causes[1:]]


def tail_line(node: Node, prefix: str, *, width: int, marks: Marks) -> Line:
    """Return the end of the text that a run streams, on one line."""
    line = Line().add(prefix, _DIM).add(f"{marks.quote} ", "magenta")
    text = shortened_from_left(node.tail, max(0, width - line.width), marks.more)
    return line.add(text, "italic").cut(width, marks.more)


def cause_line(text: str, prefix: str, *, width: int, marks: Marks) -> Line:
    """Return what an error was caused by, on one line."""
    return Line().add(prefix, _DIM).add(f"caused by {text}", "red").cut(width, marks.more)


def joined(left: Line, details: list[tuple[str, str]], clock: str, *, width: int, marks: Marks) -> Line:
    """Return the left part, those details that fit, and the clock at the right edge."""
    room = width - cell_len(clock) - 1
    if details and left.width > room - 8 and left.width > _LEAST_NAME:
        left.cut(max(_LEAST_NAME, min(left.width, room * 2 // 3)), marks.more)
    separator = "  "
    for text, style in details:
        free = room - left.width - cell_len(separator)
        fitting = _fitting(text, style, free, marks)
        if fitting is None:
            continue
        left.add(separator, _DIM).add(fitting, style)
        separator = marks.dot
    left.cut(room, marks.more)
    if not clock:
        return left
    return (
        left.add(" " * max(1, width - left.width - cell_len(clock))).add(clock, _DIM).cut(width, marks.more)
    )


def _fitting(text: str, style: str, width: int, marks: Marks) -> str | None:
    """Return as much of a detail as there is room for: a number that is cut off is none, a bar's number stays."""
    if cell_len(text) <= width:
        return text
    if style == _BAR:
        return _fitting(text.rpartition(" ")[2], "", width, marks)
    return shortened(text, width, marks.more) if style in _SHORTENED and width >= _LEAST_DETAIL else None


def _sign(node: Node, now: float, marks: Marks) -> tuple[str, str]:
    if node.outcome is None:
        # By the run's own time, so that frames follow each other also where several are drawn.
        return marks.spinner[int(now * _FRAMES_A_SECOND) % len(marks.spinner)], "cyan"
    return marks.outcomes.get(node.outcome, "?"), _STYLES.get(node.outcome, "")


def _clock(node: Node, now: float) -> str:
    return duration(node.elapsed(now))


def _details(node: Node, now: float, marks: Marks) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if node.error:
        found.append((node.error[0], "red"))
    elif node.outcome not in {None, "ok", "error"}:
        found.append((str(node.outcome), _STYLES.get(str(node.outcome), "")))
    if node.total > 0 and node.done > 0 and (node.running or node.done < node.total):
        found.append((_bar(node, marks), _BAR))
    found += [(text, _DIM) for text in _counts(node, now)]
    if cost := node.used[2]:
        found.append((_dollars(cost), _DIM))
    found += [(fact, _DIM) for fact in node.facts]
    if node.about:
        found.append((node.about, _ABOUT))
    return found


def _counts(node: Node, now: float) -> list[str]:
    tokens_in, tokens_out, _ = node.used
    tokens = tokens_in + tokens_out
    elapsed = node.elapsed(now)
    streaming = elapsed - (node.first_chunk or 0.0)
    found: list[str] = []
    if tokens:
        found.append(f"{tokens:,} tokens")
        if (rate := _rate(node.output_tokens, streaming)) >= 1:
            found.append(f"{rate:,.0f} tokens/s")
    elif node.chunks:
        found.append(f"{node.chunks:,} chunks")
        if (rate := _rate(node.chunks, streaming)) >= 1:
            found.append(f"{rate:,.0f}/s")
    return found


def _rate(count: int, seconds: float) -> float:
    """Return how many came a second; zero where too few came to tell."""
    return count / seconds if count > 1 and seconds > 0.01 else 0.0


def _dollars(cost: float) -> str:
    return f"${cost:,.2f}" if cost >= 1 else f"${cost:.6f}".rstrip("0").ljust(5, "0")


def _bar(node: Node, marks: Marks) -> str:
    if node.kind == "Batch" and node.total <= _MOST_BOXES:
        filled = int(min(node.done, node.total))
        boxes = marks.box * filled + marks.no_box * (int(node.total) - filled)
        return f"{boxes} {node.done:,.0f}/{node.total:,.0f}"
    part = min(1.0, max(0.0, node.done / node.total))
    full = math.floor(part * _BAR_CELLS)
    bar = marks.full * full + marks.empty * (_BAR_CELLS - full)
    counted = node.total > 1 and node.total == int(node.total)
    return f"{bar} {node.done:,.0f}/{node.total:,.0f}" if counted else f"{bar} {part:.0%}"
