"""What a function takes and gives as a node, and how it is called. May import observe and streams.

1. A node takes a value or a stream, and gives a value or a stream: whatever its function natively does.
2. A function that is no component is made one; one that is observes itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_origin

from sideband.graph._types import UNKNOWN, chunk_of, hints
from sideband.observe import component, is_component
from sideband.observe._signature import takes_stream
from sideband.runs import Component
from sideband.streams import from_iterable

__all__ = ["KEYWORDS", "Shape", "Wanted", "shape_of"]

KEYWORDS = "**"
"""Stands among a function's parameters for any other one."""


class Wanted(NamedTuple):
    """An argument by name, or a field: its type, and whether it has to be given."""

    kind: Any
    required: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """How to call what stands in a node, and what it takes and gives."""

    call: Callable[[Any], Any]
    takes: Any
    """The type of its input, of the chunks if that is a stream."""
    takes_stream: bool
    gives: Any
    """The type of its output, of the chunks if that is a stream."""
    gives_stream: bool
    awaits: bool
    """Whether calling it gives something to await."""
    plan: Any = None
    """The plan of a graph that is a node."""
    passes: bool = False
    """Whether it gives what it is given, value or stream."""
    parameters: Mapping[str, Wanted] | None = None
    """Its parameters, if it is called with a mapping of arguments by name."""


def shape_of(
    thing: Any, key: str, name: str | None, kind: Component, names: Collection[str] | None = None
) -> Shape:
    """Look at a function, an object that can be called, or a compiled graph, once.

    Args:
        thing: what is to stand in a node.
        key: the node's.
        name: of its runs; the key by default.
        kind: of its runs, if it is no component.
        names: the arguments that there are for it; if it has such parameters, it is called with them.

    Raises:
        TypeError: it cannot be called with one argument, and there are no names.
    """
    told: Callable[[str], Shape] | None = getattr(thing, "__sideband_node__", None)
    if told is not None:
        return told(name or key)
    plain = inspect.unwrap(_function_of(thing))
    types = hints(plain)
    parameters = None if names is None else _by_name(thing, names, types)
    parameter = _parameter(thing) if parameters is None else _UNNAMED
    takes, gives = types.get(parameter.name, UNKNOWN), types.get("return", UNKNOWN)
    streamed = parameters is None and (
        takes_stream(parameter.annotation) or bool(getattr(plain, "__sideband_transform__", False))
    )
    generates = inspect.isasyncgenfunction(plain) or inspect.isgeneratorfunction(plain)
    returns_stream = generates or _is_stream(gives)
    awaits = inspect.iscoroutinefunction(plain)
    call = thing if is_component(thing) else _as_function(thing, generates, returns_stream, awaits)
    if not is_component(thing):
        call = component(kind, name=name or key, stream=awaits and returns_stream)(call)
    return Shape(
        call=call if parameters is None else _with_names(call),
        takes=chunk_of(takes) if streamed else takes,
        takes_stream=streamed,
        gives=chunk_of(gives) if returns_stream else gives,
        gives_stream=returns_stream,
        awaits=awaits,
        parameters=parameters,
    )


_UNNAMED = inspect.Parameter("value", inspect.Parameter.POSITIONAL_ONLY)


def _with_names(call: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    def spread(arguments: Mapping[str, Any]) -> Any:
        return call(**arguments)

    return spread


def _by_name(thing: Any, names: Collection[str], types: Mapping[str, Any]) -> Mapping[str, Wanted] | None:
    """Return a function's parameters if it is to be called with some of them by name."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):  # nothing that can be called, or a built-in that does not tell
        return None
    found = {
        KEYWORDS if p.kind is p.VAR_KEYWORD else p.name: Wanted(
            types.get(p.name, UNKNOWN), p.default is p.empty and p.kind is not p.VAR_KEYWORD
        )
        for p in parameters
        if p.kind not in {p.POSITIONAL_ONLY, p.VAR_POSITIONAL}
    }
    if KEYWORDS in found or found.keys() & set(names):
        return found
    try:
        _parameter(thing)
    except TypeError:
        return found  # it takes several; that the names are others is told with all else
    return None


def _is_stream(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, AsyncIterable)


def _function_of(thing: Any) -> Any:
    while isinstance(thing, functools.partial):
        thing = thing.func
    return thing if inspect.isroutine(thing) or inspect.isclass(thing) else type(thing).__call__


def _parameter(thing: Any) -> inspect.Parameter:
    if not callable(thing):
        raise TypeError(f"a node is a function, a component or a compiled graph, got {thing!r}")
    try:
        parameters = list(inspect.signature(thing).parameters.values())
    except ValueError:  # a built-in that does not tell
        return _UNNAMED
    required = [
        p for p in parameters if p.default is p.empty and p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    ]
    placed = [p for p in parameters if p.kind not in {p.KEYWORD_ONLY, p.VAR_KEYWORD}]
    if not placed or len(required) > 1:
        raise TypeError(
            f"a node is called with one argument, which {thing!r} is not; take one value "
            "(a mapping where several nodes lead here), or bind the rest with functools.partial"
        )
    return placed[0]


def _as_function(thing: Any, generates: bool, returns_stream: bool, awaits: bool) -> Callable[[Any], Any]:
    """Return a function of the kind that `component` watches as what it is."""
    if (inspect.isfunction(thing) or inspect.ismethod(thing)) and (generates or awaits or not returns_stream):
        return thing

    async def give(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        made: AsyncIterable[Any] | Iterable[Any] = thing(*args, **kwargs)
        async with from_iterable(made) as stream:
            async for chunk in stream:
                yield chunk

    async def wait(*args: Any, **kwargs: Any) -> Any:
        return await thing(*args, **kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        return thing(*args, **kwargs)

    if awaits:
        return wait
    return give if returns_stream else call
