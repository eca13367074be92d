"""Graphs, as users build them. May import what is below; nothing is executed here.

1. A graph is written down node by node and edge by edge; nothing is checked that another line could
   still mend. `compile` checks everything at once.
2. What it gives never changes; the graph may be built on, and compiled again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Self, TypeVar, cast, get_args

from sideband.graph._checkpoints import Checkpoints
from sideband.graph._draft import Draft, compiled
from sideband.graph._plan import Condition, Hook, Merge
from sideband.graph._retry import Retry
from sideband.graph._runnable import Runnable
from sideband.runs import Component

__all__ = ["Graph"]

In = TypeVar("In")
Out = TypeVar("Out")


class Graph(Generic[In, Out]):
    """Nodes and edges from START to END.

    ```python
    graph = Graph[str, str]("shout")
    graph.add_node("upper", str.upper)
    graph.add_edge(START, "upper").add_edge("upper", END)
    shout = graph.compile()
    ```

    A node is a function of one argument, plain, a coroutine function or a generator, a component, or
    another compiled graph. Each time a node is executed that is a run, with the node's key in its path.

    Without cycles a node is executed once, when all nodes that lead to it are done or skipped. With
    `cycles=True` the graph advances in steps: all nodes that were led to in one step are executed in the next.

    What several nodes give to one comes as a mapping by their keys, unless the node has a `merge`; what
    comes alone, since the others were skipped or it is a step's only one, comes as it is.
    """

    def __init__(
        self, name: str = "", *, state: Callable[[], Any] | None = None, cycles: bool = False
    ) -> None:
        """Start with START and END alone.

        Args:
            name: of the graph's runs; by default its kind in small letters, as a node its key.
            state: called for each run, without arguments, for an object that nodes and hooks share;
                a class, for instance.
            cycles: whether edges may lead back.
        """
        self._draft = Draft(name=name, cycles=cycles, state=state)

    def add_node(
        self,
        key: str,
        component: Any,
        *,
        name: str | None = None,
        merge: Merge | None = None,
        before: Hook | None = None,
        after: Hook | None = None,
        retry: Retry | None = None,
    ) -> Self:
        """Add a node.

        Args:
            key: unique in the graph; in paths, for `at`, and what edges refer to.
            component: what is executed. A stream that it takes or gives is passed on chunk by chunk.
            name: of its runs, if it is no component that has a name; the key by default.
            merge: makes its input of a mapping from the keys of the nodes that led to it to what they gave.
            before: given the state and the node's input, before its run starts; returns the input.
            after: given the state and the node's output, after its run has ended; returns the output.
            retry: whether it is executed again if it fails; not for nodes that take or give a stream.

        Raises:
            TypeError: it cannot be called with one argument, or is to be retried and has a stream.
        """
        self._draft.add(key, component, name=name, merge=merge, before=before, after=after, retry=retry)
        return self

    def add_passthrough(self, key: str, *, merge: Merge | None = None) -> Self:
        """Add a node that gives what it is given: a place where edges meet and branches begin."""
        self._draft.add_passthrough(key, merge)
        return self

    def add_edge(self, source: str, target: str) -> Self:
        """Lead from a node, or START, to another, or END."""
        self._draft.edges.append((source, target))
        return self

    def add_branch(
        self, source: str, condition: Condition, targets: Iterable[str] | Mapping[Any, str]
    ) -> Self:
        """Let a function choose where what a node gave goes.

        Args:
            source: the node, or START.
            condition: plain or a coroutine function, of the node's output; of a copy of its stream if
                the parameter is annotated as one, closed when the function returns. It returns one
                target, several (a list, tuple or set), or None for none.
            targets: keys of nodes, END among them; as a mapping, from what the condition returns to keys.
        """
        if isinstance(targets, Mapping):
            self._draft.add_branch(source, condition, cast("Mapping[Any, str]", targets))
        else:
            self._draft.add_branch(source, condition, {target: target for target in targets})
        return self

    def compile(
        self,
        *,
        max_steps: int | None = None,
        checkpoints: Checkpoints | None = None,
        pause_before: Iterable[str] = (),
    ) -> Runnable[In, Out]:
        """Check the graph, and return what can be called.

        Args:
            max_steps: with cycles, the most steps of a run; by default the number of nodes and ten.
            checkpoints: where it is kept when a node waits for a human's answer (`interrupt`).
            pause_before: keys of nodes before which it waits for an answer, whatever that is; the question is their input.

        Raises:
            GraphBuildError: with every problem that was found, each naming its nodes.
        """
        types = get_args(getattr(self, "__orig_class__", None))
        plan, found = compiled(
            self._draft,
            types,
            Component.GRAPH,
            max_steps=max_steps,
            checkpoints=checkpoints,
            pause_before=pause_before,
        )
        return Runnable(plan, Component.GRAPH, found)

    def __repr__(self) -> str:
        """Show the kind, the name and how many nodes there are."""
        return f"<Graph {self._draft.name!r}, {len(self._draft.nodes)} nodes>"
