"""What is wrong with a graph that was written down: every check that needs no run. Pure.

All problems are found in one go, each names its nodes, and says what to do where that is not plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from sideband.graph._mapping_check import mapped_ends, mapped_parts, mapped_types
from sideband.graph._plan import Node
from sideband.graph._schedule import END, START, Edges
from sideband.graph._types import fits, joined, show

if TYPE_CHECKING:
    from sideband.graph._draft import Draft

__all__ = ["problems_of"]


def problems_of(
    draft: Draft, edges: Edges, nodes: Mapping[str, Node], types: tuple[Any, Any], max_steps: int | None
) -> list[str]:
    """Return everything that is wrong, in the order of what has to be mended first."""
    mapped = draft.output is not None
    problems = [*_keys(draft), *(mapped_ends if mapped else _ends)(draft, nodes)]
    if not problems:  # else each of these would follow from one of those
        problems += [*_reach(edges, nodes, mapped=mapped), *_cycles(draft, edges)]
        problems += mapped_types(draft, nodes, *types) if mapped else _types(edges, nodes, *types)
    problems += mapped_parts(draft, nodes)
    return [*problems, *_steps(draft, max_steps), *_hooks(draft)]


def _keys(draft: Draft) -> Iterator[str]:
    seen: set[str] = set()
    for node in draft.nodes:
        if node.key in {START, END}:
            yield f"a node has the key {node.key!r}, which means the graph's own {'input' if node.key == START else 'output'}"
        elif not node.key:
            yield "a node has an empty key"
        elif node.key in seen:
            yield f"two nodes have the key {node.key!r}"
        seen.add(node.key)


def _ends(draft: Draft, nodes: Mapping[str, Node]) -> Iterator[str]:
    there = ", ".join(map(repr, nodes)) or "none"
    for source, target in draft.pairs():
        if source == END:
            yield f"an edge leads from END to {target!r}; END is where edges lead"
        elif source != START and source not in nodes:
            yield f"an edge leads from {source!r} to {target!r}, but there is no node {source!r}; there are: {there}"
        if target == START:
            yield f"an edge leads from {source!r} to START, where edges begin"
        elif target != END and target not in nodes:
            yield f"an edge leads from {source!r} to {target!r}, but there is no node {target!r}; there are: {there}"
    for branch in draft.branches:
        if not branch.targets:
            yield f"the branch after {branch.source!r} has no targets"


def _reach(edges: Edges, nodes: Mapping[str, Node], *, mapped: bool) -> Iterator[str]:
    if START not in edges.followers:
        mend = "let a node take from it" if mapped else "add an edge from it to the first node"
        yield f"nothing follows START; {mend}"
    if END not in edges.sources:
        mend = (
            "say what the workflow gives with output(…)" if mapped else "add an edge to it from the last node"
        )
        yield f"nothing leads to END; {mend}"
    reached, leading = _closure(START, edges.followers), _closure(END, edges.sources)
    for key in nodes:
        if key not in reached and START in edges.followers:
            yield f"no path leads from START to {key!r}; it would never be executed"
        if key not in leading and END in edges.sources:
            yield f"no path leads from {key!r} to END; what it gives would be lost"


def _closure(start: str, following: Mapping[str, tuple[str, ...]]) -> set[str]:
    found, left = {start}, [start]
    while left:
        more = set(following.get(left.pop(), ())) - found
        found |= more
        left += more
    return found


def _cycles(draft: Draft, edges: Edges) -> Iterator[str]:
    if draft.cycles:
        return
    try:
        TopologicalSorter(edges.sources).prepare()
    except CycleError as error:
        loop = " -> ".join(map(repr, error.args[1]))
        if draft.output is not None:
            yield f"nodes wait for one another: {loop}; a workflow has no cycles"
            return
        yield f"edges lead back: {loop}; if that is meant, make it Graph(cycles=True), and let a branch lead to END"


def _types(edges: Edges, nodes: Mapping[str, Node], takes: Any, gives: Any) -> Iterator[str]:
    for target, sources in edges.sources.items():
        if len(sources) > 1 and (target == END or not nodes[target].merge):
            continue  # a mapping, or what came alone
        for source in sources:
            given = takes if source == START else nodes[source].shape.gives
            wanted = gives if target == END else nodes[target].shape.takes
            if source != START and nodes[source].shape.gives_stream:
                given = given if target != END and nodes[target].shape.takes_stream else joined(given)
            hooked = (source != START and nodes[source].after) or (
                target != END and (nodes[target].before or nodes[target].merge)
            )
            if not hooked and not fits(given, wanted):
                yield f"{source!r} gives {show(given)}, but {target!r} takes {show(wanted)}"


def _steps(draft: Draft, max_steps: int | None) -> Iterator[str]:
    if max_steps is None:
        return
    if not draft.cycles:
        yield f"max_steps={max_steps} is for graphs with cycles; without them each node is executed once"
    elif max_steps < 1:
        yield f"max_steps must be 1 or more, got {max_steps}"


def _hooks(draft: Draft) -> Iterator[str]:
    if draft.state is None:
        for node in draft.nodes:
            if node.before is not None or node.after is not None:
                yield f"{node.key!r} has hooks of a state, but the graph has none; make it Graph(state=…)"
