"""What a node of a workflow takes from whom: fields, whole outputs, static values. Pure.

1. An input is one whole, or it is put together of entries, each at a path of its own: a mapping, or what the
   node's own annotation says that is made of entries.
2. An entry whose node was skipped is left out, unless it has to be there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast, final

from sideband.graph._errors import FieldMissingError
from sideband.graph._paths import Path, fields_of, parse
from sideband.graph._shape import Shape, Wanted

__all__ = ["Field", "Inputs", "Intake", "Part", "Static", "Taken", "field", "intake_of", "part_of", "static"]


@final
@dataclass(frozen=True, slots=True)
class Field:
    """A field of what a node gives; made by `field`."""

    source: str
    path: Path


@final
@dataclass(frozen=True, slots=True)
class Static:
    """A value that is always the same; made by `static`."""

    value: Any


def field(source: str, path: str | int | Path) -> Field:
    """Name a field of what a node, or START, gives.

    Args:
        source: the node's key.
        path: keys of mappings, indexes of sequences, attributes of all else: "documents.0.text", or the same as a
            tuple where a key has a dot in it.

    Raises:
        ValueError: a step of the path is empty, or private.
        TypeError: it is no path.
    """
    return Field(source, parse(path))


def static(value: Any) -> Static:
    """Make a node take a value that is the same in every run: this very object, not a copy."""
    return Static(value)


Source: TypeAlias = str | Field | Static
"""A node's key, for its whole output; or a field of it; or a static value."""

Inputs: TypeAlias = Source | Mapping[Any, Source]
"""What a node takes: one thing, or several by the paths at which the node is given them."""


class Taken(NamedTuple):
    """One mapping: a place in a node's input, and whose field goes there."""

    target: Path
    source: str
    path: Path


@final
@dataclass(frozen=True, slots=True)
class Part:
    """A part of an input that is put together: what is in it, and what it is made with."""

    entries: Mapping[str, Part | None]
    make: Callable[..., Any] = dict
    wanted: Mapping[str, Wanted] = dataclasses.field(default_factory=dict[str, Wanted])
    """What may be in it, where that is known."""


@final
@dataclass(frozen=True, slots=True)
class Intake:
    """All that a node, or END, takes."""

    node: str
    taken: tuple[Taken, ...]
    statics: tuple[tuple[Path, Any], ...]
    depends_on: tuple[str, ...]
    """Whom it waits for without taking anything."""
    part: Part | None = None
    """How the input is put together; None where it is one whole."""

    @property
    def takes_from(self) -> tuple[str, ...]:
        """Whom it takes something from."""
        return tuple(dict.fromkeys(taken.source for taken in self.taken))

    @property
    def sources(self) -> tuple[str, ...]:
        """Whom it takes something from, and whom it waits for."""
        return tuple(dict.fromkeys([*self.takes_from, *self.depends_on]))

    @property
    def whole(self) -> bool:
        """Whether it takes one node's output, as it is, and waits for nobody else."""
        alone = not self.statics and not self.depends_on
        return alone and [(taken.target, taken.path) for taken in self.taken] == [((), ())]

    @property
    def targets(self) -> list[Path]:
        """The places that something goes to."""
        return [*(taken.target for taken in self.taken), *(target for target, _ in self.statics)]

    def missing(self, graph: str, taken: Taken, reason: str) -> FieldMissingError:
        """Make the error for something that did not come."""
        return FieldMissingError(graph, self.node, taken.source, taken.path, reason)

    def together(self, graph: str, values: Mapping[Path, Any]) -> Any:
        """Put an input together of what came for its places.

        Raises:
            FieldMissingError: what has to be there was to come from a node that was skipped.
        """
        values = {**values, **dict(self.statics)}
        if self.part is not None:
            return self._made(graph, self.part, (), values)
        if not self.taken and not self.statics:
            return None
        if () not in values:
            raise self.missing(graph, self.taken[0], "that node was skipped")
        return values[()]

    def _made(self, graph: str, part: Part, prefix: Path, values: Mapping[Path, Any]) -> Any:
        made: dict[str, Any] = {}
        for name, inner in part.entries.items():
            path = (*prefix, name)
            if inner is not None:
                made[name] = self._made(graph, inner, path, values)
            elif path in values:
                made[name] = values[path]
            elif name in part.wanted and part.wanted[name].required:
                raise self.missing(graph, self._taken_at(path), "that node was skipped")
        return part.make(**made)

    def _taken_at(self, target: Path) -> Taken:
        return next(taken for taken in self.taken if taken.target == target)


def intake_of(node: str, inputs: Inputs | None, depends_on: Iterable[str]) -> Intake:
    """Read what a user has written down.

    Raises:
        TypeError: something in it is no source, or no path.
        ValueError: a step of a path is empty, or private.
    """
    if isinstance(depends_on, str):
        depends_on = (depends_on,)
    taken: list[Taken] = []
    statics: list[tuple[Path, Any]] = []
    for target, source in _entries(inputs):
        given: object = source
        if isinstance(given, Static):
            statics.append((target, given.value))
        elif isinstance(given, Field):
            taken.append(Taken(target, given.source, given.path))
        elif isinstance(given, str):
            taken.append(Taken(target, given, ()))
        else:
            raise TypeError(
                f"{node!r} takes a node's key, field(key, path) or static(value), got {given!r} at {target!r}"
            )
    return Intake(node, tuple(taken), tuple(statics), tuple(depends_on))


def _entries(inputs: Inputs | None) -> Iterator[tuple[Path, Any]]:
    if isinstance(inputs, Mapping):
        for target, source in cast("Mapping[Any, Any]", inputs).items():
            steps = () if target in {"", ()} else parse(target)
            if any(isinstance(step, int) for step in steps):
                raise TypeError(f"inputs are put together by names, got the path {target!r}")
            yield steps, source
    elif inputs is not None:
        yield (), inputs


def part_of(intake: Intake, shape: Shape | None, kind: Any) -> Part | None:
    """Return how an input is put together for a function, or for a type."""
    targets = intake.targets
    if not targets or () in targets:
        return None
    if shape is not None and shape.parameters is not None:
        return Part(_inner(targets, shape.parameters), dict, shape.parameters)
    return _part(targets, kind)


def _part(targets: Iterable[Path], kind: Any) -> Part:
    declared = fields_of(kind)
    wanted = {name: Wanted(of, name in _required(kind)) for name, of in declared.items()}
    make = kind if wanted and not issubclass(kind, dict) else dict
    return Part(_inner(targets, wanted), make, wanted)


def _inner(targets: Iterable[Path], wanted: Mapping[str, Wanted]) -> dict[str, Part | None]:
    below: dict[str, list[Path]] = {}
    for name, *rest in targets:
        below.setdefault(str(name), []).append(tuple(rest))
    return {
        name: None if () in paths else _part(paths, wanted[name].kind if name in wanted else None)
        for name, paths in below.items()
    }


def _required(kind: Any) -> frozenset[str]:
    if dataclasses.is_dataclass(kind):
        nothing = dataclasses.MISSING
        return frozenset(
            one.name
            for one in dataclasses.fields(kind)
            if one.init and one.default is nothing and one.default_factory is nothing
        )
    # What a typed dictionary requires cannot be told from annotations that are text.
    names: tuple[str, ...] = getattr(kind, "_fields", ())
    return frozenset(names) - set(getattr(kind, "_field_defaults", ()))
