"""What may be attached in place of a handler: filtered ones, several as one, and adapters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, cast, final, runtime_checkable

from sideband.errors import HandlerRefusedError
from sideband.handlers._handler import Handler, is_async
from sideband.runs import Component, Run, RunInfo

__all__ = ["Bundle", "Condition", "Entry", "HandlerLike", "at", "compose", "entries", "only"]


@final
class Condition(NamedTuple):
    """What one `only` asks of a run; None asks nothing."""

    component: frozenset[str] | None
    name: frozenset[str] | None
    type: frozenset[str] | None
    when: Callable[[Run], bool] | None

    def accepts(self, info: RunInfo) -> bool:
        """Tell whether a component's runs pass, `when` aside."""
        return (
            (self.component is None or info.component in self.component)
            and (self.name is None or info.name in self.name)
            and (self.type is None or info.type in self.type)
        )


class Entry(NamedTuple):
    """A handler, and what has to be true of a run for it to be called; all of it."""

    handler: Handler
    conditions: tuple[Condition, ...] = ()
    path: tuple[str, ...] = ()
    """The graph node in which it is called, by the keys that lead to it."""

    def under(self, path: tuple[str, ...]) -> Entry:
        """Return the same for the nodes of a node."""
        return self._replace(path=path + self.path)


@final
class Bundle:
    """Several handlers, possibly filtered, that are attached as one."""

    __slots__ = ("entries",)

    def __init__(self, found: Iterable[Entry]) -> None:
        """Hold the entries, innermost first."""
        self.entries: tuple[Entry, ...] = tuple(found)

    def __repr__(self) -> str:
        """Show the handlers."""
        return f"Bundle({', '.join(repr(entry.handler) for entry in self.entries)})"


@runtime_checkable
class _Adaptable(Protocol):
    def __sideband_handler__(self) -> Any: ...


HandlerLike = Handler | Bundle | _Adaptable
"""What can be attached: a `Handler`, what `only` and `compose` give, or any object whose method
`__sideband_handler__` gives one of these."""


def entries(*candidates: HandlerLike) -> tuple[Entry, ...]:
    """Return the handlers that the candidates stand for, in their order.

    Raises:
        HandlerRefusedError: a candidate is no handler, or one that could not work.
    """
    found: list[Entry] = []
    for candidate in candidates:
        adapted = _adapt(candidate)
        found += adapted.entries if isinstance(adapted, Bundle) else [Entry(_checked(adapted, candidate))]
    return tuple(found)


def _adapt(candidate: HandlerLike) -> Handler | Bundle:
    if isinstance(candidate, type):
        raise HandlerRefusedError(candidate, f"it is a class; give an instance: {candidate.__name__}()")
    if isinstance(candidate, Handler | Bundle):
        return candidate
    if not isinstance(candidate, _Adaptable):
        raise HandlerRefusedError(
            candidate, "it is no sideband.Handler and has no method __sideband_handler__"
        )
    adapted = candidate.__sideband_handler__()
    if not isinstance(adapted, Handler | Bundle):
        raise HandlerRefusedError(
            candidate, f"its __sideband_handler__ returned {adapted!r}, which is no Handler"
        )
    return adapted


def _checked(handler: Handler, candidate: object) -> Handler:
    if is_async(handler.on_event):
        raise HandlerRefusedError(
            candidate, "its on_event is asynchronous, and emit does not wait; make it plain"
        )
    if not isinstance(handler.max_lag, int) or handler.max_lag < 1:
        reason = f"its max_lag, the chunks that its copy holds, must be 1 or more, got {handler.max_lag!r}"
        raise HandlerRefusedError(candidate, reason)
    if handler.overflow not in ("drop_oldest", "drop_newest"):
        reason = (
            f"its overflow must be 'drop_oldest' or 'drop_newest', got {handler.overflow!r}; "
            "a handler never holds a run back"
        )
        raise HandlerRefusedError(candidate, reason)
    return handler


def only(
    handler: HandlerLike,
    *,
    component: Component | str | Iterable[str] | None = None,
    name: str | Iterable[str] | None = None,
    type: str | Iterable[str] | None = None,  # noqa: A002
    when: Callable[[Run], bool] | None = None,
) -> Bundle:
    """Attach a handler to some runs alone.

    Args:
        handler: whom to call.
        component: the kind, or several of them.
        name: the component's name, or several.
        type: the implementation, or several.
        when: asked once for each run that passes the rest, when it starts; true to be called.

    Raises:
        ValueError: `component` is no known kind.
    """
    kinds = _words(component)
    condition = Condition(
        None if kinds is None else frozenset(Component(kind) for kind in kinds),
        _words(name),
        _words(type),
        when,
    )
    return Bundle(entry._replace(conditions=(*entry.conditions, condition)) for entry in entries(handler))


def _words(given: str | Iterable[str] | None) -> frozenset[str] | None:
    if given is None:
        return None
    return frozenset([given]) if isinstance(given, str) else frozenset(given)


def at(*path_and_handlers: str | HandlerLike) -> Bundle:
    """Attach handlers to one node of a graph, and to all that happens in it.

    `at("answer", handler)` names a node, `at("search", "rank", handler)` the node "rank" of the graph
    that is the node "search". The keys are those of `Run.path`, from where it is attached: with the
    call of a graph, in a block, or, for a global handler, from the outermost graph.

    Args:
        path_and_handlers: one node key or more, then one handler or more.

    Raises:
        TypeError: the keys or the handlers are missing, or do not come in this order.
        ValueError: a key is empty.
        HandlerRefusedError: a handler could not work.
    """
    keys = tuple(itertools.takewhile(lambda given: isinstance(given, str), path_and_handlers))
    handlers = path_and_handlers[len(keys) :]
    if not keys or not handlers or any(isinstance(handler, str) for handler in handlers):
        msg = f'at takes node keys, then handlers, as in at("outer", "inner", handler); got {path_and_handlers!r}'
        raise TypeError(msg)
    if "" in keys:
        msg = f"a node's key is never empty; got {keys!r}"
        raise ValueError(msg)
    return Bundle(entry.under(cast("tuple[str, ...]", keys)) for entry in entries(*cast("Any", handlers)))


def compose(*handlers: HandlerLike) -> Bundle:
    """Make one of several handlers; the first is innermost."""
    return Bundle(entries(*handlers))
