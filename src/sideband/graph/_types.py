"""Whether what one node gives can be what another takes, as far as their annotations tell. Knows nothing of graphs.

Only what is surely wrong counts as wrong: an annotation that is missing, that cannot be resolved, or that says no
more than a protocol or a type variable does, fits everything.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

__all__ = ["UNKNOWN", "chunk_of", "fits", "hints", "joined", "show"]

UNKNOWN: Any = Any
"""What is not annotated."""

_NUMBERS: dict[Any, tuple[Any, ...]] = {float: (int,), complex: (int, float)}
"""What PEP 484 lets stand for one another."""


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a function's resolved annotations; those that cannot be resolved are left out."""
    try:
        return typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - an annotation is any expression: evaluating it may raise anything
        return {}


def fits(given: Any, wanted: Any) -> bool:
    """Tell whether a value of the type `given` may be one of the type `wanted`; true if in doubt."""
    given, wanted = _bare(given), _bare(wanted)
    if {Any, object} & {given, wanted} or wanted == given:
        return True
    if _is_union(given):
        return any(fits(part, wanted) for part in get_args(given))
    if _is_union(wanted):
        return any(fits(given, part) for part in get_args(wanted))
    return _classes_fit(
        get_origin(given) or given, get_origin(wanted) or wanted, get_args(given), get_args(wanted)
    )


def _classes_fit(given: Any, wanted: Any, given_of: tuple[Any, ...], wanted_of: tuple[Any, ...]) -> bool:
    known = isinstance(given, type) and isinstance(wanted, type)
    if not known or getattr(wanted, "_is_protocol", False):
        return True
    if given is wanted:
        return all(map(fits, given_of, wanted_of))
    return issubclass(given, (wanted, *_NUMBERS.get(wanted, ())))


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in {Union, types.UnionType}


def _bare(kind: Any) -> Any:
    if isinstance(kind, TypeVar) or kind is ...:
        return Any
    if kind is None:
        return type(None)
    origin = get_origin(kind)
    if origin is Annotated:
        return _bare(get_args(kind)[0])
    if origin is Literal:
        return get_args(kind)[0].__class__
    return kind


def chunk_of(kind: Any) -> Any:
    """Return the type of a stream's chunks."""
    arguments = get_args(kind)
    return arguments[0] if arguments else UNKNOWN


def joined(kind: Any) -> Any:
    """Return the type of a stream's chunks put together; what becomes of others than Python's own is not known."""
    origin = get_origin(kind) or kind
    return kind if getattr(origin, "__module__", "") == "builtins" else UNKNOWN


def show(kind: Any) -> str:
    """Write a type as users do."""
    return (
        kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")
    )
