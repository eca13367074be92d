"""A compiled graph as the text of a Mermaid flowchart, with what a finished run tells of its nodes. Pure.

1. Keys are labels, never identifiers: those are numbered, so that no key can break the drawing.
2. A graph inside of a graph is a box with its own START and END, small circles.
3. A solid arrow gives something; a dotted one is a branch's, or gives order alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias, final, get_args

from sideband.graph._mapping import Intake
from sideband.graph._plan import Branch, Plan
from sideband.graph._schedule import END, START
from sideband.runs import Outcome, Run

__all__ = ["Direction", "mermaid"]

Direction: TypeAlias = Literal["TD", "LR"]
"""Top to bottom, or left to right."""

_Path = tuple[str, ...]

_ESCAPES = {ord(one): f"#{ord(one)};" for one in '#"<>&`\\'} | {ord("\n"): "<br/>", ord("\r"): ""}

_TITLES = '%%{init: {"flowchart": {"subGraphTitleMargin": {"top": 4, "bottom": 24}}}}%%'
"""Room for the title of a box, which an arrow into it would cross."""

_STYLES = """\
    classDef failed stroke:#c62828,stroke-width:2px
    classDef idle opacity:0.4"""


class _Times(NamedTuple):
    """What the runs of one node come to."""

    number: int
    seconds: float
    outcome: Outcome | None
    """The last one's, if one is still going on None."""


def mermaid(plan: Plan[Any], runs: Iterable[Run], direction: Direction) -> str:
    """Write a flowchart of a plan.

    Args:
        plan: of the outermost graph.
        runs: of one call of it, those of its nodes among them; none if it is not about a call.
        direction: of the arrows.

    Raises:
        ValueError: there is no such direction.
    """
    if direction not in get_args(Direction):
        raise ValueError(f"direction must be 'TD' or 'LR', got {direction!r}")
    given = list(runs)
    drawing = _Drawing(_times(given) if given else None)
    lines = [f"flowchart {direction}", *drawing.graph(plan, (), "    ")]
    if any(node.shape.plan is not None for node in plan.nodes.values()):
        lines.insert(0, _TITLES)
    if given:
        lines.append(_STYLES)
    return "\n".join([*lines, *drawing.classes]) + "\n"


def _times(runs: list[Run]) -> dict[_Path, _Times]:
    """Add the runs of each node up; what runs inside of a node has its path, and is left out."""
    found: dict[_Path, _Times] = {}
    for run in runs:
        if run.parent is None or run.parent.path != run.path:
            before = found.get(run.path, _Times(0, 0.0, None))
            found[run.path] = _Times(before.number + 1, before.seconds + run.elapsed, run.outcome)
    return found


@final
class _Drawing:
    """The lines of one drawing, and who has which identifier."""

    def __init__(self, times: dict[_Path, _Times] | None) -> None:
        self._times = times
        self._numbers: dict[_Path, str] = {}
        self.classes: list[str] = []

    def graph(self, plan: Plan[Any], path: _Path, indent: str) -> Iterator[str]:
        """Give the lines of one graph's nodes and arrows."""
        around = '("{}")' if not path else '(("{}"))'
        for key, label in ((START, START), (END, END)):
            shown = around.format(label if not path else " ")
            yield f"{indent}{self._id((*path, key))}{shown}"
        for key, node in plan.nodes.items():
            place = (*path, key)
            name, inner = self._id(place), node.shape.plan
            if inner is not None:
                yield f'{indent}subgraph {name} ["{self._label(place, ", ")}"]'
                yield from self.graph(inner, place, indent + "    ")
                yield f"{indent}end"
            else:
                yield f'{indent}{name}["{self._label(place)}"]'
            self._class(place, name)
        yield from self._arrows(plan, path, indent)

    def _id(self, place: _Path) -> str:
        return self._numbers.setdefault(place, f"n{len(self._numbers)}")

    def _label(self, place: _Path, between: str = "<br/>") -> str:
        label = _escaped(place[-1])
        times = None if self._times is None else self._times.get(place)
        if times is None:
            return label
        how = "" if times.outcome in {Outcome.OK, None} else f" {times.outcome}"
        often = f" in {times.number} runs" if times.number > 1 else ""
        return f"{label}{between}{_duration(times.seconds)}{often}{how}"

    def _class(self, place: _Path, name: str) -> None:
        if self._times is None:
            return
        times = self._times.get(place)
        if times is None:
            self.classes.append(f"    class {name} idle")
        elif times.outcome in {Outcome.ERROR, Outcome.CANCELLED}:
            self.classes.append(f"    class {name} failed")

    def _arrows(self, plan: Plan[Any], path: _Path, indent: str) -> Iterator[str]:
        for source, targets in (plan.always if plan.takers is None else plan.takers).items():
            for target in targets:
                intake = plan.output if target == END else plan.nodes[target].intake
                yield f"{indent}{self._from(plan, path, source)} {_arrow(source, intake)} {self._to(plan, path, target)}"
        for source, branches in plan.branches.items():
            for branch in branches:
                for choice, target in branch.targets.items():
                    label = _escaped(_choice(branch, choice, target))
                    yield f'{indent}{self._from(plan, path, source)} -. "{label}" .-> {self._to(plan, path, target)}'

    def _from(self, plan: Plan[Any], path: _Path, key: str) -> str:
        inner = key != START and plan.nodes[key].shape.plan is not None
        return self._id((*path, key, END) if inner else (*path, key))

    def _to(self, plan: Plan[Any], path: _Path, key: str) -> str:
        inner = key != END and plan.nodes[key].shape.plan is not None
        return self._id((*path, key, START) if inner else (*path, key))


def _arrow(source: str, intake: Intake | None) -> str:
    """Return the arrow from a node to one that takes something from it, with what it takes."""
    if intake is None or intake.whole:
        return "-->"
    labels = [
        " → ".join(".".join(map(str, path)) for path in (taken.path, taken.target) if path)
        for taken in intake.taken
        if taken.source == source
    ]
    if not labels:
        return '-. "then" .->'
    label = "<br/>".join(_escaped(label) for label in labels if label)
    return f'-- "{label}" -->' if label else "-->"


def _choice(branch: Branch, choice: object, target: str) -> str:
    """Say what has to be chosen for a target; who chooses, where that is the target itself."""
    name = getattr(branch.condition, "__name__", "")
    if choice == target:
        return name if name.isidentifier() else "choice"
    return f"{name}: {choice}" if isinstance(choice, bool) and name.isidentifier() else str(choice)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) or " "


def _duration(seconds: float) -> str:
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
