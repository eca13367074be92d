"""Trees of runs as lines of a terminal. May import the layout.

Pure: what is drawn depends on the forest, the size of the terminal and the time alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, final

from sideband.exporters.console._forest import Forest
from sideband.exporters.console._layout import Row, grouped, live_rows, tree_rows
from sideband.exporters.console._line import Marks, cause_line, joined, plain_line, run_line, tail_line
from sideband.exporters.console._node import Node
from sideband.exporters.console._text import Line

__all__ = ["Picture"]

_LEAST_WIDTH: Final = 20
_ENDED_ROWS: Final = 24
_ENDED_ROWS_A_FRAME: Final = 16
_FAILED_ROWS_A_FRAME: Final = 64


@final
class Picture:
    """Draws trees for a terminal of a certain width."""

    def __init__(self, marks: Marks, *, max_depth: int = 8) -> None:
        """Say which signs there are, and how many levels below a root are drawn."""
        self._marks = marks
        self._max_depth = max_depth

    def live(self, forest: Forest, *, width: int, height: int, now: float) -> list[Line]:
        """Return the trees that go on, and a line that sums up; nothing where no run goes on."""
        if not forest.roots or height < 1:
            return []
        width = max(width, _LEAST_WIDTH)
        rows = live_rows(forest.roots, forest.running, height - 1, self._max_depth)
        return [*self._lines(rows, width, now), self._summary(forest, width)]

    def ended(self, roots: Iterable[Node], *, width: int, now: float) -> list[Line]:
        """Return the trees that have ended, as they are to stay; of very many the failed ones and how many others."""
        width = max(width, _LEAST_WIDTH)
        lines: list[Line] = []
        left_out: list[Node] = []
        for group in grouped(roots):
            if len(lines) >= (_FAILED_ROWS_A_FRAME if _is_failed(group[0]) else _ENDED_ROWS_A_FRAME):
                left_out += group
            elif len(group) > 1:
                lines += self._lines([Row("run", (), group)], width, now)
            else:
                rows = tree_rows(group[0], _ENDED_ROWS, self._max_depth)
                lines += self._lines(rows, width, now)
        if left_out:
            failed = sum(map(_is_failed, left_out))
            which = f", of which {failed:,} failed" if failed else " that ended well"
            lines.append(self._left_out(f"{len(left_out):,} more trees{which}", "", width))
        return lines

    def farewell(self, forest: Forest, *, width: int) -> list[Line]:
        """Return a line about what was not shown, if there is anything."""
        if not forest.left_out:
            return []
        return [
            self._left_out(f"{forest.left_out:,} runs were too many to follow", "", max(width, _LEAST_WIDTH))
        ]

    def plain(self, root: Node, *, now: float) -> str:
        """Return a tree that has ended on one line without any style, for where there is no terminal."""
        runs = sum(node.count + sum(node.folded.values()) for node in root.walk())
        told = replace(root, facts=(*([f"{runs:,} runs"] if runs > 1 else []), *root.facts))
        told.used_inside = root.used_inside
        return plain_line(told, now=now, marks=self._marks)

    def _lines(self, rows: Sequence[Row], width: int, now: float) -> list[Line]:
        return [self._line(row, width, now) for row in rows]

    def _line(self, row: Row, width: int, now: float) -> Line:
        marks = self._marks
        if row.sort == "run":
            return run_line(_together(row.nodes), self._prefix(row.trunks), width=width, now=now, marks=marks)
        if row.sort == "left out":
            return self._left_out(row.text, self._prefix(row.trunks), width)
        prefix = "".join(marks.trunk if goes_on else "   " for goes_on in row.trunks)
        if row.sort == "tail":
            return tail_line(row.nodes[0], prefix, width=width, marks=marks)
        return cause_line(row.text, prefix, width=width, marks=marks)

    def _prefix(self, trunks: tuple[bool, ...]) -> str:
        if not trunks:
            return ""
        marks = self._marks
        above = "".join(marks.trunk if goes_on else "   " for goes_on in trunks[:-1])
        return above + (marks.branch if trunks[-1] else marks.corner)

    def _left_out(self, text: str, prefix: str, width: int) -> Line:
        line = Line().add(f"{prefix}{self._marks.more} {text}", "bright_black")
        return line.cut(width, self._marks.more)

    def _summary(self, forest: Forest, width: int) -> Line:
        line = Line().add(f"{forest.running:,} running", "cyan")
        details = [(f"{forest.done - forest.failed:,} done", "bright_black")]
        if forest.failed:
            details.append((f"{forest.failed:,} failed", "red"))
        if forest.tokens:
            details.append((f"{forest.tokens:,} tokens", "bright_black"))
        if forest.cost:
            details.append((f"${forest.cost:,.4f}", "bright_black"))
        if forest.batches:
            mean = forest.items / forest.batches
            details.append((f"{forest.batches:,} batches of {mean:,.1f} items", "bright_black"))
        if forest.left_out:
            details.append((f"{forest.left_out:,} too many to follow", "yellow"))
        details += [(text, "yellow") for text in forest.notes]
        return joined(line, details, "", width=width, marks=self._marks)


def _is_failed(node: Node) -> bool:
    return node.outcome in {"error", "lost"} or node.failed_inside


def _together(nodes: Sequence[Node]) -> Node:
    """Return one run that stands for several, with the mean of their times."""
    first = nodes[0]
    if len(nodes) == first.count == 1:
        return first
    told = replace(first)
    for node in nodes[1:]:
        told.absorb(node)
    told.duration = (told.duration or 0.0) / told.count
    return told
