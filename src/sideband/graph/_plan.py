"""A compiled graph: its nodes, its edges, its branches, ready to be executed any number of times.

May import streams; makes and runs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sideband.graph._checkpoints import Checkpoints
from sideband.graph._mapping import Intake
from sideband.graph._schedule import Edges
from sideband.graph._shape import Shape

__all__ = ["Branch", "Condition", "Hook", "Merge", "Node", "Plan", "flatten"]

S = TypeVar("S")

Condition = Callable[[Any], Any]
"""A function of what a node gave that chooses where it goes: a key, several, or None for nowhere."""

Hook = Callable[[Any, Any], Any]
"""A function of a graph's state and of what goes into a node, or comes out; what it returns goes on."""

Merge = Callable[[Mapping[str, Any]], Any]
"""A function that makes one input of what several nodes gave, by their keys."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node: what stands in it, and what happens before and after."""

    key: str
    shape: Shape
    merge: Merge | None = None
    before: Hook | None = None
    after: Hook | None = None
    intake: Intake | None = None
    """In a workflow, what it takes from whom."""
    plain: bool = field(init=False)
    """Whether there is nothing to it but a call of its function, and what that gives is a value."""

    def __post_init__(self) -> None:
        """See once how it is executed."""
        plain = self.before is None and self.after is None and not self.shape.gives_stream
        object.__setattr__(self, "plain", plain)


@dataclass(frozen=True, slots=True)
class Branch:
    """A choice that is made after a node."""

    source: str
    condition: Condition
    takes_stream: bool
    targets: Mapping[Any, str]
    """What the condition may return, and the node that it means."""


@dataclass(frozen=True, slots=True)
class Plan(Generic[S]):
    """All that an execution has to know."""

    name: str
    nodes: Mapping[str, Node]
    edges: Edges
    always: Mapping[str, tuple[str, ...]]
    """The followers of each node that it leads to whatever a branch chooses."""
    branches: Mapping[str, tuple[Branch, ...]]
    cyclic: bool
    max_steps: int
    state: Callable[[], S] | None = None
    direct: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where a node's only follower has no other source: no schedule has to be asked."""
    takers: Mapping[str, tuple[str, ...]] | None = None
    """In a workflow, who takes something from each node, or waits for it; in a graph it is whom it leads to."""
    output: Intake | None = None
    """In a workflow, what END takes from whom."""
    checkpoints: Checkpoints | None = None
    """Where it is kept when it waits for a human."""
    pause_before: frozenset[str] = frozenset()
    """The nodes before which it waits, whatever they do."""

    def digest(self) -> str:
        """Return a word that is another one for a graph with other nodes, edges or branches."""
        branches = [
            (one.source, sorted(map(repr, one.targets.items())))
            for of in self.branches.values()
            for one in of
        ]
        inner = [
            (key, node.shape.plan.digest()) for key, node in self.nodes.items() if node.shape.plan is not None
        ]
        drawn = repr((list(self.nodes), self.edges.followers, branches, inner, self.cyclic))
        return hashlib.blake2b(drawn.encode(), digest_size=8).hexdigest()


def flatten(nodes: Mapping[str, Node], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the path of each node, those of graphs inside of graphs too."""
    for key, node in nodes.items():
        yield (*path, key)
        if node.shape.plan is not None:
            yield from flatten(node.shape.plan.nodes, (*path, key))
