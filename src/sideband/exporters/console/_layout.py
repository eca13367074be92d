"""Which runs of a tree are shown, and in what order, where there is room for some of them. May import the forest.

1. A run that goes on or failed is shown before one that is done; of those done the latest.
2. Runs of one parent that are alike, done and have nothing inside stand on one line, with their number, if they follow
   each other, or where there are many.
3. What is left out is counted, where it would stand.
4. Everything is a loop over what is shown, not a recursion: a program may nest as deep as it likes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Final, Literal, NamedTuple, final

from sideband.exporters.console._forest import is_done_well
from sideband.exporters.console._node import Node

__all__ = ["Row", "Settings", "grouped", "live_rows", "tree_rows"]

_MOST_CAUSES: Final = 3
_FEW: Final = 24
"""Of so many runs their order says more than their number."""
_LEVELS: Final = ((4, True), (1, True), (0, True), (0, False))
"""How many of the done runs of a parent are shown, and whether streamed text is: the first that fits is taken."""


class Settings(NamedTuple):
    """How much of a tree is shown."""

    max_depth: int = 8
    """Levels below a root."""
    done: int | None = None
    """How many of the done runs of a parent; None for all."""
    tails: bool = False
    """Whether the text that runs stream is shown."""


@final
@dataclass(slots=True)
class Row:
    """One line of what is shown."""

    sort: Literal["run", "tail", "cause", "left out"]
    trunks: tuple[bool, ...]
    """For each level whether the branch goes on below; empty for a root."""
    nodes: list[Node] = field(default_factory=list[Node])
    """Whom it stands for."""
    text: str = ""


def live_rows(roots: Sequence[Node], running: int, budget: int, max_depth: int = 8) -> list[Row]:
    """Return what is shown of trees in which so many runs go on, in at most `budget` lines."""
    rows: list[Row] = []
    for done, tails in _LEVELS:
        rows = list(islice(_rows(roots, Settings(max_depth, done, tails)), budget + 1))
        if len(rows) <= budget:
            return rows
    shown = sum(node.running for row in rows[: budget - 1] if row.sort == "run" for node in row.nodes)
    return [*rows[: max(0, budget - 1)], Row("left out", (), text=f"{max(1, running - shown):,} more")][
        :budget
    ]


def tree_rows(root: Node, budget: int, max_depth: int = 8) -> list[Row]:
    """Return what is shown of a tree that has ended, in at most `budget` lines."""
    rows = list(islice(_rows([root], Settings(max_depth)), budget + 1))
    if len(rows) <= budget:
        return rows
    shown = sum(node.count for row in rows[: budget - 1] if row.sort == "run" for node in row.nodes)
    left_out = sum(node.count for node in root.walk()) - shown
    return [*rows[: max(0, budget - 1)], Row("left out", (), text=f"{max(1, left_out):,} more")]


def _rows(roots: Iterable[Node], settings: Settings) -> Iterator[Row]:
    for root in roots:
        waiting = [Row("run", (), [root])]
        while waiting:
            row = waiting.pop()
            yield row
            if row.sort == "run" and len(row.nodes) == 1:
                waiting.extend(reversed(list(_below(row.nodes[0], row.trunks, settings))))


def grouped(nodes: Iterable[Node]) -> list[list[Node]]:
    """Return the runs, those together that are alike, done and have nothing inside: in a row, or among many anywhere."""
    in_a_row: list[list[Node]] = []
    for likeness, found in groupby(nodes, _likeness):
        group = list(found)
        in_a_row += [[node] for node in group] if likeness is None else [group]
    if len(in_a_row) <= 2 or sum(node.count for group in in_a_row for node in group) <= _FEW:
        return in_a_row
    anywhere: dict[object, list[Node]] = {}
    for group in in_a_row:
        anywhere.setdefault(group[0].likeness or id(group), []).extend(group)
    return list(anywhere.values())


def _likeness(node: Node) -> tuple[str, str, str] | None:
    return node.likeness


def _below(node: Node, trunks: tuple[bool, ...], settings: Settings) -> Iterator[Row]:
    groups, left_out = _chosen(node, settings, deep=len(trunks) >= settings.max_depth)
    beside = (*trunks, bool(groups or left_out))
    for text in node.error[1 : 1 + _MOST_CAUSES]:
        yield Row("cause", beside, text=text)
    if settings.tails and node.tail and node.running:
        yield Row("tail", beside, [node])
    if left_out:
        yield Row("left out", (*trunks, bool(groups)), text=_told(left_out))
    for place, group in enumerate(groups, start=1):
        yield Row("run", (*trunks, place < len(groups)), group)


def _chosen(node: Node, settings: Settings, *, deep: bool) -> tuple[list[list[Node]], Counter[str]]:
    """Return what is shown inside of a run, and what is not by its kind: of what is done well, all but the latest."""
    left_out = Counter(node.folded)
    groups = grouped(node.children)
    well = [group for group in groups if is_done_well(group[0])]
    kept = len(well) if settings.done is None else settings.done
    dropped = groups if deep else well[: max(0, len(well) - kept)]
    for group in dropped:
        for root in group:
            for inside in root.walk():
                left_out[inside.kind] += inside.count
                left_out.update(inside.folded)
    gone = {id(group) for group in dropped}
    return [group for group in groups if id(group) not in gone], left_out


def _told(kinds: Counter[str], most: int = 3) -> str:
    """Say what runs that are left out are: "12 more: 8 Tool, 4 ChatModel"."""
    words = [f"{count:,} {kind}" for kind, count in kinds.most_common(most)]
    return f"{kinds.total():,} more: {', '.join(words)}" + (", others" if len(kinds) > most else "")
