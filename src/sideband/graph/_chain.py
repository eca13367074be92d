"""Chains: graphs that are written down in the order in which they are executed. May import what is below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Self, TypeVar, get_args

from sideband.graph._checkpoints import Checkpoints
from sideband.graph._draft import Draft, compiled
from sideband.graph._plan import Condition
from sideband.graph._retry import Retry
from sideband.graph._runnable import Runnable
from sideband.graph._schedule import END, START
from sideband.runs import Component

__all__ = ["Chain"]

In = TypeVar("In")
Out = TypeVar("Out")


class Chain(Generic[In, Out]):
    """One thing after the other, some of them side by side or by choice.

    ```python
    shout = Chain[str, str]("shout").append(str.strip).append(str.upper).compile()
    ```

    The key of a node is the name of its function, with a number behind it where that is taken already.
    """

    def __init__(self, name: str = "") -> None:
        """Start empty; `name` is that of the chain's runs."""
        self._draft = Draft(name=name)
        self._keys: set[str] = set()
        self._last: list[str] = [START]

    def append(
        self, component: Any, *, key: str | None = None, name: str | None = None, retry: Retry | None = None
    ) -> Self:
        """Add a node behind what there is; several nodes side by side give it a mapping by their keys.

        Args:
            component: as for a node of a graph.
            key: in paths and for `at`.
            name: of its runs, if it is no component that has a name.
            retry: as for a node of a graph.

        Raises:
            TypeError: it cannot be called with one argument, or is to be retried and has a stream.
        """
        added = self._add(key or _name_of(component), component, name, retry)
        self._lead_to(added)
        self._last = [added]
        return self

    def parallel(self, components: Mapping[str, Any]) -> Self:
        """Add nodes side by side; each is given what came before, and together they give a mapping by key.

        Raises:
            TypeError: one of them cannot be called with one argument.
            ValueError: there are fewer than two.
        """
        if len(components) < 2:
            raise ValueError(
                f"parallel takes two components or more, got {len(components)}; append a single one"
            )
        added = [self._add(key, component, None) for key, component in components.items()]
        for key in added:
            self._lead_to(key)
        self._last = added
        return self

    def branch(self, condition: Condition, components: Mapping[Any, Any]) -> Self:
        """Add nodes one of which is chosen; what the chosen one gives goes on.

        Args:
            condition: as for a branch of a graph; it returns keys of `components`.
            components: what it may return, and what is executed then.

        Raises:
            TypeError: one of them cannot be called with one argument.
            ValueError: there are none.
        """
        if not components:
            raise ValueError("branch takes one component or more, got none")
        source = self._one_source()
        targets = {
            choice: self._add(str(choice), component, None) for choice, component in components.items()
        }
        self._draft.add_branch(source, condition, targets)
        self._last = list(targets.values())
        return self

    def compile(
        self, *, checkpoints: Checkpoints | None = None, pause_before: Iterable[str] = ()
    ) -> Runnable[In, Out]:
        """Check the chain, and return what can be called.

        Args:
            checkpoints: where it is kept when a node waits for a human's answer (`interrupt`).
            pause_before: keys of nodes before which it waits for an answer, whatever that is; the question is their input.

        Raises:
            GraphBuildError: with every problem that was found.
        """
        ends = [(last, END) for last in self._last]
        types = get_args(getattr(self, "__orig_class__", None))
        plan, found = compiled(
            self._draft.with_edges(ends),
            types,
            Component.CHAIN,
            checkpoints=checkpoints,
            pause_before=pause_before,
        )
        return Runnable(plan, Component.CHAIN, found)

    def _add(self, wanted: str, component: Any, name: str | None, retry: Retry | None = None) -> str:
        key, number = wanted, 1
        while key in self._keys:
            number += 1
            key = f"{wanted}_{number}"
        self._keys.add(key)
        self._draft.add(key, component, name=name, retry=retry)
        return key

    def _lead_to(self, key: str) -> None:
        for last in self._last:
            self._draft.edges.append((last, key))

    def _one_source(self) -> str:
        if len(self._last) == 1:
            return self._last[0]
        key = f"join_{len(self._keys)}"
        self._keys.add(key)
        self._draft.add_passthrough(key)
        self._lead_to(key)
        return key


def _name_of(component: Any) -> str:
    name = getattr(component, "__name__", "") or getattr(component, "name", "")
    return name if isinstance(name, str) and name.isidentifier() else "node"
