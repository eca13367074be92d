"""A graph's state: one object for each run of it, which its nodes and handlers reach. May import errors.

1. The state is found through a context variable, so nodes in other tasks and threads find it, and runs
   of one graph at the same time do not see each other's.
2. A graph in a graph has its own; from inside the outer one is found by its type.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, final, overload

__all__ = ["Level", "current_level", "graph_state", "locked_state"]

S = TypeVar("S")


@final
class Level:
    """The state of one run of a graph, its lock, and that of the graph around it."""

    __slots__ = ("_lock", "_owner", "outer", "state")

    def __init__(self, state: Any, outer: Level | None) -> None:
        """Nobody holds the lock."""
        self.state = state
        self.outer = outer
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Any:
        """Wait for the lock, and return the state.

        Raises:
            RuntimeError: this task holds it already, and would wait for itself.
        """
        task = asyncio.current_task()
        if task is not None and self._owner is task:
            raise RuntimeError(
                "this task holds the state's lock already; hooks before and after a node have it, "
                "so take the state that they are given"
            )
        await self._lock.acquire()
        self._owner = task
        return self.state

    async def __aexit__(self, *exc: object) -> None:
        """Let the next one have it."""
        self._owner = None
        self._lock.release()


current_level: ContextVar[Level | None] = ContextVar("sideband_graph_state", default=None)


@overload
def graph_state(kind: type[S]) -> S: ...
@overload
def graph_state() -> Any: ...
def graph_state(kind: type[Any] = object) -> Any:
    """Return the state of the graph in which the caller stands: a node, a hook, a handler.

    Args:
        kind: the state's type; the innermost state of that type is returned.

    Threads: nothing is locked. Between two awaits a node has the state for itself; around an await, or
        from threads, use `locked_state`.

    Raises:
        LookupError: there is no state of that type here.
    """
    return _find(kind).state


@asynccontextmanager
async def locked_state(kind: type[S]) -> AsyncGenerator[S]:
    """Give the state, as `graph_state` does, with its lock held: one node at a time.

    Raises:
        LookupError: there is no state of that type here.
        RuntimeError: the task holds the lock already.
    """
    async with _find(kind) as state:
        yield state


def _find(kind: type[Any]) -> Level:
    level = current_level.get()
    while level is not None and not isinstance(level.state, kind):
        level = level.outer
    if level is None:
        wanted = "" if kind is object else f" of the type {kind.__name__}"
        raise LookupError(
            f"there is no graph state{wanted} here; give the graph one: Graph(state={kind.__name__})"
        )
    return level
