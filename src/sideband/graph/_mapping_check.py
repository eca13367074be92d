"""What is wrong with the mappings of a workflow that was written down. Pure; see `_check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sideband.graph._mapping import Intake, Part, Taken
from sideband.graph._paths import NoFieldError, Path, type_at
from sideband.graph._plan import Node
from sideband.graph._schedule import END, START
from sideband.graph._shape import KEYWORDS
from sideband.graph._types import UNKNOWN, fits, joined, show
from sideband.observe._signature import takes_stream

if TYPE_CHECKING:
    from sideband.graph._draft import Draft

__all__ = ["mapped_ends", "mapped_parts", "mapped_types"]


def intakes(draft: Draft) -> Iterator[Intake]:
    """Give what each node takes, and END."""
    for node in draft.nodes:
        if node.intake is not None:
            yield node.intake
    if draft.output is not None:
        yield draft.output


def mapped_ends(draft: Draft, nodes: Mapping[str, Node]) -> Iterator[str]:
    """Look whether there is everybody from whom something is taken, and whom a branch leads to."""
    there = ", ".join(map(repr, nodes)) or "none"
    for intake in intakes(draft):
        for source in intake.sources:
            verb = "takes from" if source in intake.takes_from else "depends on"
            if source == END:
                yield f"{intake.node!r} {verb} END, which nothing comes after"
            elif source != START and source not in nodes:
                yield f"{intake.node!r} {verb} {source!r}, but there is no node {source!r}; there are: {there}"
    for branch in draft.branches:
        if branch.source != START and branch.source not in nodes:
            yield f"a branch leaves {branch.source!r}, but there is no node {branch.source!r}; there are: {there}"
        for target in branch.targets.values():
            if target == START or (target != END and target not in nodes):
                yield f"the branch after {branch.source!r} leads to {target!r}, but there is no such node; there are: {there}"
        if not branch.targets:
            yield f"the branch after {branch.source!r} has no targets"


def mapped_parts(draft: Draft, nodes: Mapping[str, Node]) -> Iterator[str]:
    """Look for places that are taken twice, that there are not, and that are left empty."""
    for intake in intakes(draft):
        yield from _conflicts(intake)
        if intake.part is not None:
            yield from _places(intake.node, intake.part, ())
            parameters = nodes[intake.node].shape.parameters if intake.node in nodes else None
            for name in intake.part.entries if parameters else ():
                if parameters and name in parameters and takes_stream(parameters[name].kind):
                    yield (
                        f"{intake.node!r} takes a stream as {name!r}, one argument of several; let it take one stream "
                        "alone, whose chunks are mappings"
                    )


def _conflicts(intake: Intake) -> Iterator[str]:
    origins = [
        *((one.target, _said(one)) for one in intake.taken),
        *((target, "a static value") for target, _ in intake.statics),
    ]
    for place, (target, origin) in enumerate(origins):
        for other, rival in origins[:place]:
            shorter, longer = sorted((target, other), key=len)
            if longer[: len(shorter)] == shorter:
                where = f"at {_dotted(longer)}" if longer else "as its whole input"
                inside = "" if shorter == longer else f", inside of {_dotted(shorter) or 'the whole'}"
                yield f"{intake.node!r} takes two things {where}{inside}: {rival} and {origin}"


def _places(node: str, part: Part, before: Path) -> Iterator[str]:
    names = [name for name in part.wanted if name != KEYWORDS]
    for name, inner in part.entries.items():
        if part.wanted and name not in part.wanted and KEYWORDS not in part.wanted:
            there = ", ".join(map(repr, names)) or "none"
            yield f"{node!r} is given {_dotted((*before, name))}, which it does not take; it takes: {there}"
        if inner is not None:
            yield from _places(node, inner, (*before, name))
    for name in names:
        if part.wanted[name].required and name not in part.entries:
            yield f"{node!r} takes {_dotted((*before, name))}, which nothing is mapped to"


def mapped_types(draft: Draft, nodes: Mapping[str, Node], takes: Any, gives: Any) -> Iterator[str]:
    """Look for fields that there surely are not, and for types that surely do not fit."""
    for intake in intakes(draft):
        node = nodes.get(intake.node)
        hooked = node is not None and node.before is not None
        for taken in intake.taken:
            source = None if taken.source == START else nodes[taken.source]
            given = takes if source is None else source.shape.gives if source.after is None else UNKNOWN
            if source is not None and source.shape.gives_stream:
                given = given if node is not None and node.shape.takes_stream else joined(given)
            try:
                found = type_at(given, taken.path)
            except NoFieldError as error:
                yield f"{intake.node!r} takes {_said(taken)}, but {error}"
                continue
            wanted = UNKNOWN if hooked else _wanted(intake, node, gives, taken.target)
            if not fits(found, wanted):
                place = f" as {_dotted(taken.target)}" if taken.target else ""
                yield f"{_said(taken)} is {show(found)}, but {intake.node!r} takes {show(wanted)}{place}"


def _wanted(intake: Intake, node: Node | None, gives: Any, target: Path) -> Any:
    kind = gives if node is None else node.shape.takes
    part, steps = intake.part, target
    while part is not None and steps and steps[0] in part.wanted:
        name = str(steps[0])
        kind, steps, part = part.wanted[name].kind, steps[1:], part.entries[name]
    try:
        return type_at(kind, steps)
    except NoFieldError:  # told where the places are looked at
        return UNKNOWN


def _said(taken: Taken) -> str:
    return f"{_dotted(taken.path)} of {taken.source!r}" if taken.path else f"what {taken.source!r} gives"


def _dotted(path: Path) -> str:
    return repr(".".join(map(str, path))) if path else ""
