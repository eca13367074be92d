"""The trees of runs that go on, and of those that have just ended. May import the nodes.

1. What is kept is bounded: of many runs of one parent that ended well those alike become one, and the oldest are counted.
2. A tree is done when its root is. A run that goes on in a root that ended is a root from then on.
3. A batch that ended well is counted: those whom it served stay, and tell of it.
4. A run whose parent is not known is a root.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, final

from sideband.exporters.console._node import Node

__all__ = ["Forest"]

_DONE_KEPT: Final = 48
_ENDED_KEPT: Final = 20_000
_MOST: Final = 20_000


@final
class Forest:
    """Puts runs together to trees.

    Threads: for one thread.
    Cost: some microseconds a change.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._nodes: dict[str, Node] = {}
        self._roots: dict[str, Node] = {}
        self._ended: deque[Node] = deque()
        self._latest: dict[str, int] = {}
        self._crowded: dict[str, Node] = {}
        self.left_out = 0
        """Trees that were not taken in time, and runs for which there was no room."""
        self.running = 0
        """Runs that go on."""
        self.done = 0
        self.failed = 0
        """Of those done, how many failed."""
        self.tokens = 0
        self.cost = 0.0
        self.batches = 0
        self.items = 0
        """In those batches."""
        self.notes: list[str] = []
        """What else is to be said, such as how much could not be kept up with."""

    @property
    def roots(self) -> list[Node]:
        """The trees that go on, the oldest first."""
        return list(self._roots.values())

    def take_ended(self) -> list[Node]:
        """Return the trees that have ended since they were last taken, in that order."""
        ended = sorted(self._ended, key=lambda root: root.started + (root.duration or 0.0))
        self._ended.clear()
        return ended

    def tell(self, told: Iterable[Node]) -> None:
        """Take in what is known of some runs by now, in any order; it keeps the nodes."""
        told = list(told)
        ended: list[tuple[Node, str]] = []
        for node in sorted(told, key=_order):
            known = self._nodes.get(node.id)
            if node.outcome is not None:
                ended.append((node, node.outcome))
                node.outcome = None
            if known is not None:
                if known.running:
                    known.take(node)
            # One that was there before is told again after its tree is gone.
            elif node.order > self._latest.get(node.process, 0):
                self._latest[node.process] = node.order
                self._add(node)
        # The inner ones first: a tree is over when its root is.
        for node, outcome in reversed(ended):
            known = self._nodes.get(node.id)
            if known is not None and known.running:
                known.outcome = outcome
                self._end(known)
        self._fold()

    def forget(self, ids: Iterable[str]) -> None:
        """Leave out runs of which nothing more will be told; how many is counted."""
        for node in [self._nodes[key] for key in ids if key in self._nodes]:
            if node.running:
                self.left_out += 1
                self.running -= 1
                self._roots.pop(node.id, None)
                self._leave(node)
                around = self._nodes.get(node.parent or "")
                if around is not None:
                    around.children.remove(node)

    def lose(self, process: str) -> None:
        """End the runs of a process that is gone: nobody will tell how they ended."""
        lost = [node for node in self._nodes.values() if node.process == process and node.running]
        for node in sorted(lost, key=_order, reverse=True):
            node.outcome = "lost"
            self._end(node)
        self._fold()

    def _add(self, node: Node) -> None:
        if len(self._nodes) >= _MOST:
            self.left_out += 1
            return
        self._nodes[node.id] = node
        self.running += 1
        parent = self._nodes.get(node.parent or "")
        if parent is None or not parent.running:
            node.parent = None
            self._roots[node.id] = node
        else:
            parent.children.append(node)

    def _end(self, node: Node) -> None:
        self.running -= 1
        self.done += 1
        if node.outcome in {"error", "lost"}:
            self.failed += 1
            for above in self._above(node):
                if above.failed_inside:
                    break
                above.failed_inside = True
        parent = self._nodes.get(node.parent or "")
        if parent is None:
            self._end_tree(node)
        else:
            one, other = parent.used_inside, node.used
            parent.used_inside = (one[0] + other[0], one[1] + other[1], one[2] + other[2])
            if len(parent.children) > _DONE_KEPT:
                self._crowded[parent.id] = parent

    def _above(self, node: Node) -> Iterator[Node]:
        above = self._nodes.get(node.parent or "")
        while above is not None:
            yield above
            above = self._nodes.get(above.parent or "")

    def _end_tree(self, root: Node) -> None:
        self._roots.pop(root.id, None)
        if root.kind == "Batch":  # its callers have their parts of what it consumed
            self.batches += 1
            self.items += root.size
        else:
            tokens_in, tokens_out, cost = root.used
            self.tokens += tokens_in + tokens_out
            self.cost += cost
        self._leave(root)
        if root.kind == "Batch" and is_done_well(root):  # its callers tell of it
            return
        self._ended.append(root)
        if len(self._ended) > _ENDED_KEPT:
            self._ended.popleft()
            self.left_out += 1

    def _leave(self, root: Node) -> None:
        """Forget a tree, but for what goes on in it, which are trees by themselves from then on."""
        waiting = [root]
        while waiting:
            node = waiting.pop()
            self._nodes.pop(node.id, None)
            going_on = [child for child in node.children if child.running]
            node.children = [child for child in node.children if not child.running]
            waiting += node.children
            for child in going_on:
                child.parent = None
                self._roots[child.id] = child

    def _fold(self) -> None:
        """Make room in parents of too many: runs that are alike become one, and of the others the oldest are counted."""
        for parent in self._crowded.values():
            alike: dict[tuple[str, str, str], Node] = {}
            children: list[Node] = []
            for child in parent.children:
                likeness = child.likeness
                if likeness is None or alike.setdefault(likeness, child) is child:
                    children.append(child)
                else:
                    alike[likeness].absorb(child)
                    self._nodes.pop(child.id, None)
            done = [child for child in children if is_done_well(child)]
            dropped = {id(child) for child in done[:-_DONE_KEPT]}
            for child in done[:-_DONE_KEPT]:
                self._count(child, parent)
            parent.children = [child for child in children if id(child) not in dropped]
        self._crowded.clear()

    def _count(self, child: Node, parent: Node) -> None:
        for node in child.walk():
            parent.fold(node.kind, node.count)
            for kind, count in node.folded.items():
                parent.fold(kind, count)
            self._nodes.pop(node.id, None)


def is_done_well(node: Node) -> bool:
    """Tell whether there is nothing to see: a run that ended without an error, and so did all inside of it."""
    return not (
        node.running
        or node.failed_inside
        or node.outcome in {"error", "lost"}
        or any(child.running for child in node.children)
    )


def _order(node: Node) -> int:
    return node.order
