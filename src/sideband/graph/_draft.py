"""A graph as it is written down, and the plan that is made of it. Nothing is executed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sideband.graph._check import problems_of
from sideband.graph._checkpoints import Checkpoints
from sideband.graph._errors import GraphBuildError
from sideband.graph._mapping import Intake, part_of
from sideband.graph._plan import Branch, Condition, Hook, Merge, Node, Plan
from sideband.graph._retry import Retry, retried
from sideband.graph._schedule import END, START, Edges
from sideband.graph._shape import shape_of
from sideband.graph._types import UNKNOWN
from sideband.runs import Component

__all__ = ["Draft", "compiled"]


@dataclass(slots=True)
class Draft:
    """A graph as it was written down."""

    name: str
    cycles: bool = False
    state: Callable[[], Any] | None = None
    nodes: list[Node] = field(default_factory=list[Node])
    edges: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    branches: list[Branch] = field(default_factory=list[Branch])
    output: Intake | None = None
    """What END takes; a draft that has it is one of a workflow."""

    def add(
        self,
        key: str,
        component: Any,
        *,
        name: str | None = None,
        merge: Merge | None = None,
        before: Hook | None = None,
        after: Hook | None = None,
        intake: Intake | None = None,
        retry: Retry | None = None,
    ) -> None:
        """Write a node down.

        Raises:
            TypeError: it cannot be called with one argument, or is to be retried and has a stream.
        """
        targets = () if intake is None else intake.targets
        names = {str(target[0]) for target in targets} if targets and () not in targets else None
        shape = shape_of(component, key, name, Component.LAMBDA, names)
        if retry is not None:
            shape = retried(shape, key, retry)
        if intake is not None:
            intake = replace(intake, part=part_of(intake, shape, shape.takes))
            self.edges += [(source, key) for source in intake.sources]
        self.nodes.append(Node(key, shape, merge, before, after, intake))

    def add_passthrough(self, key: str, merge: Merge | None = None) -> None:
        """Write down a node that gives what it is given."""
        shape = replace(shape_of(_pass, key, key, Component.PASSTHROUGH), passes=True)
        self.nodes.append(Node(key, shape, merge))

    def add_branch(self, source: str, condition: Condition, targets: Mapping[Any, str]) -> None:
        """Write a choice down.

        Raises:
            TypeError: the condition cannot be called with one argument.
        """
        streamed = shape_of(condition, source, None, Component.LAMBDA).takes_stream
        self.branches.append(Branch(source, condition, streamed, dict(targets)))

    def with_edges(self, edges: Iterable[tuple[str, str]]) -> Draft:
        """Return the same with more edges."""
        return replace(self, edges=[*self.edges, *edges])

    def pairs(self) -> list[tuple[str, str]]:
        """Return who may follow whom, by an edge or by a branch."""
        return [
            *self.edges,
            *((branch.source, target) for branch in self.branches for target in branch.targets.values()),
        ]


def _pass(value: Any) -> Any:
    return value


def compiled(
    draft: Draft,
    types: tuple[Any, ...],
    kind: Component,
    *,
    max_steps: int | None = None,
    checkpoints: Checkpoints | None = None,
    pause_before: Iterable[str] = (),
) -> tuple[Plan[Any], tuple[Any, Any]]:
    """Return the plan, and the types of its input and output.

    Raises:
        GraphBuildError: with every problem that was found.
    """
    name = draft.name or kind.value.lower()
    nodes = {node.key: node for node in draft.nodes}
    edges = Edges(draft.pairs())
    takes, gives = types if len(types) == 2 else (UNKNOWN, UNKNOWN)
    problems = problems_of(draft, edges, nodes, (takes, gives), max_steps)
    pauses = frozenset([pause_before] if isinstance(pause_before, str) else pause_before)
    problems += [
        f"pause_before names {key!r}, but there is no such node" for key in sorted(pauses - set(nodes))
    ]
    if problems:
        raise GraphBuildError(name, problems)
    mapped = draft.output is not None
    pairs = dict.fromkeys(draft.edges)
    plan: Plan[Any] = Plan(
        name=name,
        nodes=nodes,
        edges=edges,
        always=_grouped(_leading(draft, nodes) if mapped else pairs),
        branches=_grouped((branch.source, branch) for branch in draft.branches),
        cyclic=draft.cycles,
        max_steps=max_steps or len(nodes) + 10,
        state=draft.state,
        direct={} if draft.cycles else dict(_direct(draft, edges, nodes)),
        takers=_grouped(pairs) if mapped else None,
        output=draft.output,
        checkpoints=checkpoints,
        pause_before=pauses,
    )
    return plan, (_first(takes, edges, nodes), _last(gives, edges, nodes, draft.output))


def _grouped(pairs: Iterable[tuple[str, Any]]) -> Mapping[str, tuple[Any, ...]]:
    grouped: dict[str, tuple[Any, ...]] = {}
    for key, value in pairs:
        grouped[key] = (*grouped.get(key, ()), value)
    return grouped


def _leading(draft: Draft, nodes: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    """Give the edges of a workflow that let their node be executed.

    A node that branches may choose is led to by branches alone; others by those whom they take something
    from, or by those whom they wait for if they take nothing.
    """
    chosen = {target for branch in draft.branches for target in branch.targets.values()}
    for source, target in dict.fromkeys(draft.edges):
        intake = draft.output if target == END else nodes[target].intake
        taken = intake.takes_from if intake is not None else ()
        if (target == END or target not in chosen) and (not taken or source in taken):
            yield source, target


def _direct(draft: Draft, edges: Edges, nodes: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    branching = {branch.source for branch in draft.branches}
    for source, followers in edges.followers.items():
        (follower, *others) = followers
        intake = draft.output if follower == END else nodes[follower].intake
        merges = follower in nodes and nodes[follower].merge is not None
        merges = merges or (intake is not None and not intake.whole)
        if not others and source not in branching and len(edges.sources[follower]) == 1 and not merges:
            yield source, follower


def _first(takes: Any, edges: Edges, nodes: Mapping[str, Node]) -> Any:
    (first, *others) = edges.followers[START]
    if takes is not UNKNOWN or others or first == END:
        return takes
    intake = nodes[first].intake
    return nodes[first].shape.takes if intake is None or intake.whole else UNKNOWN


def _last(gives: Any, edges: Edges, nodes: Mapping[str, Node], output: Intake | None) -> Any:
    (last, *others) = edges.sources[END]
    if gives is not UNKNOWN or others or last == START:
        return gives
    return nodes[last].shape.gives if output is None or output.whole else UNKNOWN
