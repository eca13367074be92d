"""Fields of values and of types, by paths such as "documents.0.text". Pure; knows nothing of graphs.

1. A step of a path is a key of a mapping, an index of a sequence, or an attribute of anything else.
2. Names with a leading underscore are private, and no fields.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast, get_args, get_origin, get_type_hints

from sideband.graph._types import UNKNOWN, show

__all__ = ["NoFieldError", "Path", "fields_of", "parse", "type_at", "value_at"]

Path = tuple[str | int, ...]


class NoFieldError(LookupError):
    """There is no such field; the text says what there is."""


def parse(path: str | int | Path) -> Path:
    """Return the steps of a path: text is split at its dots, a tuple is taken as it is.

    Raises:
        ValueError: a step is empty, or private.
        TypeError: it is no path.
    """
    given: object = path
    if isinstance(given, str):
        steps: tuple[object, ...] = tuple(given.split("."))
    else:
        steps = cast("tuple[object, ...]", given) if isinstance(given, tuple) else (given,)
    for step in steps:
        if isinstance(step, bool) or not isinstance(step, str | int):
            raise TypeError(f"a path is text as in 'options.k', an index, or a tuple of both, got {given!r}")
        if isinstance(step, str) and (not step or step.startswith("_")):
            raise ValueError(f"the path {given!r} has the step {step!r}, which names no public field")
    return cast("Path", steps)


def value_at(value: Any, path: Path) -> Any:
    """Follow a path into a value.

    Raises:
        NoFieldError: a step leads nowhere.
    """
    for place, step in enumerate(path):
        try:
            value = _step(value, step)
        except (LookupError, AttributeError, ValueError, TypeError) as error:
            raise NoFieldError(_told(value, path[:place], step)) from error
    return value


def _step(value: Any, step: str | int) -> Any:
    if _is_mapping(value):
        return value[step]
    if _is_sequence(value) and str(step).lstrip("-").isdecimal():
        return value[int(step)]
    found = getattr(value, cast("str", step))
    kind: Any = type(cast("object", value))
    if inspect.isroutine(found) and hasattr(kind, cast("str", step)):
        raise LookupError(step)  # a method is no field
    return found


def _is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _told(value: Any, before: Path, step: str | int) -> str:
    where = f"{'.'.join(map(str, before))!r}" if before else "it"
    kind = type(value).__name__
    if value is None:
        return f"{where} is None, which has no {step!r}"
    if _is_mapping(value):
        keys = ", ".join(map(repr, value)) or "none"
        return f"{where} is a {kind} without the key {step!r}; its keys are: {keys}"
    names = fields_of(type(value))
    if names:
        return f"{where} is a {kind} without {step!r}; it has: {', '.join(map(repr, names))}"
    if _is_sequence(value):
        return f"{where} is a {kind} of {len(value)}, which has no {step!r}"
    return f"{where} is a {kind}, which has no {step!r}"


def fields_of(kind: Any) -> dict[str, Any]:
    """Return the fields that a type declares, with their types; nothing where it is open which it has."""
    closed = dataclasses.is_dataclass(kind) or hasattr(kind, "_fields") or hasattr(kind, "__required_keys__")
    if not isinstance(kind, type) or not closed:
        return {}
    try:
        types = get_type_hints(kind)
    except Exception:  # noqa: BLE001 - an annotation is any expression: evaluating it may raise anything
        return {}
    if dataclasses.is_dataclass(kind):
        names = tuple(field.name for field in dataclasses.fields(kind))
    else:
        names = tuple(getattr(cast("object", kind), "_fields", types))
    return {name: types.get(name, UNKNOWN) for name in names}


def type_at(kind: Any, path: Path) -> Any:
    """Follow a path into a type, as far as it says what it holds.

    Raises:
        NoFieldError: it surely has no such field.
    """
    for step in path:
        origin = get_origin(kind) or kind
        declared = fields_of(origin)
        if declared and isinstance(step, str) and not step.lstrip("-").isdecimal():
            if step not in declared and not hasattr(origin, step):
                there = ", ".join(map(repr, declared))
                raise NoFieldError(f"{show(kind)} has no field {step!r}; it has: {there}")
            kind = declared.get(step, UNKNOWN)
        else:
            kind = _held(origin, get_args(kind))
        if kind is UNKNOWN:
            break
    return kind


def _held(origin: Any, of: tuple[Any, ...]) -> Any:
    """Return what a mapping or a sequence of one type holds."""
    if not isinstance(origin, type) or not of:
        return UNKNOWN
    if issubclass(origin, collections.abc.Mapping):
        return of[-1]
    one = len(of) == 1 or (len(of) == 2 and of[1] is ...)
    return of[0] if one and issubclass(origin, collections.abc.Sequence) else UNKNOWN
