"""The scope of a block of code: handlers and metadata, inherited through context variables.

1. A `Scope` and the current run are immutable values in two context variables: tasks, threads with a
   copied context and callbacks inherit them, and nothing that one task does can pop another's.
2. A scope caches what its handlers and the global ones come to; it looks again when the latter change.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token, copy_context
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar, final

from sideband.handlers import Entry, HandlerLike, Listeners, entries
from sideband.runs import Run
from sideband.runs._run import NO_METADATA
from sideband.scope._registry import registry

__all__ = [
    "Scope",
    "callbacks",
    "current",
    "current_run",
    "current_scope",
    "detached",
    "get_current",
    "get_current_scope",
    "listeners",
    "listeners_with",
    "metadata",
    "node",
    "propagate",
    "reset_current",
    "reset_current_scope",
    "restore",
    "scope_of",
    "set_current",
    "set_current_scope",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_MAX_NODES = 1024


@final
class Scope:
    """The handlers, the metadata and the graph node of a block of code."""

    __slots__ = ("_around", "_nodes", "entries", "metadata", "path", "seen")

    def __init__(
        self, own: tuple[Entry, ...], inherited_metadata: Mapping[str, Any], path: tuple[str, ...] = ()
    ) -> None:
        """Hold handlers, innermost first, metadata, and the keys that lead to the node."""
        self.entries = own
        self.metadata = inherited_metadata
        self.path = path
        self._around: Scope | None = None
        self._nodes: dict[str, Scope] = {}
        # One tuple, so that threads never see the listeners of one registry beside the mark of another.
        self.seen: tuple[tuple[Entry, ...] | None, Listeners | None] = (None, None)

    def look(self) -> Listeners | None:
        """Return who listens here, global handlers included; None if nobody does."""
        registered = registry.entries
        seen, found = self.seen
        if seen is not registered:
            found = self._find(registered)
            self.seen = (registered, found)
        return found

    def _find(self, registered: tuple[Entry, ...]) -> Listeners | None:
        everyone = (*self.entries, *registered)
        if self._around is not None and not any(entry.path for entry in everyone):
            return self._around.look()  # a node makes no difference, so no plans of its own
        here = [entry for entry in everyone if entry.path == self.path[: len(entry.path)]]
        return Listeners(here) if here else None

    def attach(self, *handlers: HandlerLike) -> Scope:
        """Return this scope with more handlers, outside of its own."""
        added = [entry.under(self.path) for entry in entries(*handlers)]
        return Scope((*self.entries, *added), self.metadata, self.path)

    def with_inner(self, own: tuple[Entry, ...]) -> Scope:
        """Return this scope with more handlers, inside of its own."""
        added = [entry.under(self.path) for entry in own]
        return Scope((*added, *self.entries), self.metadata, self.path)

    def node(self, key: str) -> Scope:
        """Return the scope of a node under this one, the same each time."""
        found = self._nodes.get(key)
        if found is None:
            if len(self._nodes) >= _MAX_NODES:  # keys made at run time must not pile up
                self._nodes.clear()
            found = self._nodes[key] = Scope(self.entries, self.metadata, (*self.path, key))
            found._around = self
        return found


_ROOT = Scope((), NO_METADATA)

current: ContextVar[Run | None] = ContextVar("sideband_current_run", default=None)
current_scope: ContextVar[Scope] = ContextVar("sideband_scope", default=_ROOT)

# Bound once: looking a method up on a variable costs more than calling it, and each run does so often.
set_current, get_current, reset_current = current.set, current.get, current.reset
set_current_scope, get_current_scope, reset_current_scope = (
    current_scope.set,
    current_scope.get,
    current_scope.reset,
)


def listeners() -> Listeners | None:
    """Return who listens where the caller stands; None if nobody does."""
    scope = get_current_scope()
    seen, found = scope.seen
    return found if seen is registry.entries else scope.look()


def listeners_with(own: tuple[Entry, ...]) -> Listeners | None:
    """Return who listens where the caller stands, with handlers of one run alone, inside of the others.

    Cost: unlike `listeners`, puts the handlers in order each time, some microseconds.
    """
    if not own:
        return listeners()
    return current_scope.get().with_inner(own).look()


def scope_of(*handlers: HandlerLike) -> Scope:
    """Return a scope of its own: these handlers and the global ones, no metadata."""
    return Scope(entries(*handlers), NO_METADATA)


def current_run() -> Run | None:
    """Return the run in whose body the caller stands; None outside of watched runs."""
    return get_current()


def restore(variable: ContextVar[T], token: Token[T]) -> None:
    """Reset a variable unless this is not the context in which it was set.

    A coroutine or generator that is closed by the garbage collector may be in any context; one that
    never saw the value needs no reset.
    """
    try:
        variable.reset(token)
    except ValueError:
        return


@contextmanager
def _scoped(scope: Scope) -> Generator[None]:
    token = current_scope.set(scope)
    try:
        yield
    finally:
        restore(current_scope, token)


@contextmanager
def callbacks(*handlers: HandlerLike) -> Generator[None]:
    """Attach handlers to every run that starts in the block, in its tasks and in what it calls.

    Order: the first given is innermost; handlers of an enclosing block are inside of these.
    Threads: tasks and `asyncio.to_thread` inherit them; use `propagate` for other threads.

    Raises:
        HandlerRefusedError: one of them is no handler, or could not work.
    """
    with _scoped(current_scope.get().attach(*handlers)):
        yield


@contextmanager
def node(key: str) -> Generator[None]:
    """Make the block a node: runs that start in it have `key` at the end of their path.

    Graphs do this for their nodes; whoever writes an orchestrator of another kind can, too, so that
    `at` finds its parts.

    Cost: made once for a key in a scope.
    """
    with _scoped(current_scope.get().node(key)):
        yield


@contextmanager
def metadata(**entries: Any) -> Generator[None]:
    """Give every run that starts in the block these metadata, over the inherited ones."""
    outer = current_scope.get()
    with _scoped(Scope(outer.entries, MappingProxyType({**outer.metadata, **entries}), outer.path)):
        yield


@contextmanager
def detached() -> Generator[None]:
    """Cut the block off from the handlers and the run around it.

    Global handlers still see the runs that start in it; their parent is None, their path empty.
    Metadata stay.
    """
    token = current.set(None)
    try:
        with _scoped(Scope((), current_scope.get().metadata)):
            yield
    finally:
        restore(current, token)


def propagate(function: Callable[P, R]) -> Callable[P, R]:
    """Bind a function to the caller's scope, for a thread that would start with an empty one.

    The whole context is carried, as `asyncio.to_thread` does: handlers, current run, metadata and
    everybody else's context variables. What the function changes in it stays there.

    Threads: the result may be called from any number of threads at once.

    Raises:
        TypeError: a coroutine or generator function, whose body runs after the call has returned.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        msg = f"propagate takes a plain function, got {function!r}; a task inherits the scope by itself"
        raise TypeError(msg)
    if inspect.isgeneratorfunction(function):
        msg = f"propagate takes a plain function, got the generator function {function!r}; bind what consumes it"
        raise TypeError(msg)
    context = copy_context()

    @functools.wraps(function)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        # A context can be entered once at a time, so each call gets a copy.
        return context.copy().run(function, *args, **kwargs)

    return bound
