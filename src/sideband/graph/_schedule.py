"""Which node is ready when. Pure: no task, no stream, no clock; what is delivered is not looked at.

1. `done` is told what a node, or START, delivered to which of its followers; it answers with the nodes
   that became ready, each with what was delivered to it, in the order in which its edges were added.
2. `AllOf`, for graphs without cycles: a node is ready once each of its sources is done, if one of them leads
   to it; else it is skipped. In a graph a source leads to whom it delivers to. In a workflow that is apart:
   what was delivered to a node that no branch chose was delivered in vain.
3. `Steps`, for graphs with cycles: all nodes that something was delivered to in one step are the next
   step. It begins when the whole step is done, and the graph ends when END is in one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, final

__all__ = ["END", "START", "AllOf", "Edges", "Ready", "Schedule", "Steps"]

START = "START"
"""The key of a graph's input: where edges begin."""

END = "END"
"""The key of a graph's output: where edges lead."""


class Ready(NamedTuple):
    """A node, and what its sources delivered to it."""

    key: str
    inputs: dict[str, Any]


@final
class Edges:
    """Who follows whom; made once for a compiled graph."""

    __slots__ = ("followers", "sources")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take (source, follower) pairs in the order in which they were added."""
        self.followers: dict[str, tuple[str, ...]] = {}
        self.sources: dict[str, tuple[str, ...]] = {}
        for source, follower in dict.fromkeys(pairs):
            self.followers[source] = (*self.followers.get(source, ()), follower)
            self.sources[follower] = (*self.sources.get(follower, ()), source)


class Schedule(Protocol):
    """What drives the nodes of one run of a graph."""

    skipped: list[str]
    """Nodes that were found to be skipped, in order; whoever tells of them takes them out."""
    unused: list[Any]
    """What had been delivered to them; whoever closes it takes it out."""

    @property
    def exhausted(self) -> bool:
        """Whether what is ready now is one step too many."""
        ...

    def done(
        self, source: str, deliveries: Mapping[str, Any], led: Collection[str] | None = None
    ) -> list[Ready]:
        """Take what a node delivered, and return the nodes that are ready now.

        Args:
            source: the node.
            deliveries: what it gave to which follower.
            led: the followers that it leads to; by default those that it gave something.
        """
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return all that it knows, by names, with what was delivered as it is."""
        ...

    def restore(self, known: Mapping[str, Any]) -> None:
        """Know what another one knew."""
        ...


@final
class AllOf:
    """Each node once, when all its sources are done."""

    __slots__ = ("_edges", "_inputs", "_led", "_waiting", "skipped", "unused")

    exhausted = False

    def __init__(self, edges: Edges) -> None:
        """Start with nothing done."""
        self._edges = edges
        self._inputs: dict[str, dict[str, Any]] = {}
        self._led: set[str] = set()
        self._waiting: dict[str, int] = {}
        self.skipped: list[str] = []
        self.unused: list[Any] = []

    def done(
        self, source: str, deliveries: Mapping[str, Any], led: Collection[str] | None = None
    ) -> list[Ready]:
        """Take what a node delivered, and return the nodes that are ready now."""
        ready: list[Ready] = []
        over: list[tuple[str, Mapping[str, Any], Collection[str]]] = [
            (source, deliveries, deliveries if led is None else led)
        ]
        while over:
            source, deliveries, led = over.pop()
            for follower in self._edges.followers.get(source, ()):
                if follower in deliveries:
                    self._inputs.setdefault(follower, {})[source] = deliveries[follower]
                if follower in led:
                    self._led.add(follower)
                if not self._wait_for_one_less(follower):
                    if follower in self._led:
                        ready.append(Ready(follower, self._in_order(follower)))
                    else:
                        self.skipped.append(follower)
                        self.unused += self._inputs.pop(follower, {}).values()
                        over.append((follower, {}, ()))
        return ready

    def snapshot(self) -> dict[str, Any]:
        """Return all that it knows."""
        return {"inputs": self._inputs, "led": sorted(self._led), "waiting": self._waiting}

    def restore(self, known: Mapping[str, Any]) -> None:
        """Know what another one knew."""
        self._inputs = {key: dict(inputs) for key, inputs in known["inputs"].items()}
        self._led = set(known["led"])
        self._waiting = dict(known["waiting"])

    def _wait_for_one_less(self, key: str) -> int:
        waiting = self._waiting.get(key, len(self._edges.sources[key])) - 1
        self._waiting[key] = waiting
        return waiting

    def _in_order(self, key: str) -> dict[str, Any]:
        came = self._inputs.pop(key, {})
        return {source: came[source] for source in self._edges.sources[key] if source in came}


@final
class Steps:
    """Step after step, as long as something is delivered."""

    __slots__ = ("_edges", "_next", "_running", "_steps", "exhausted", "skipped", "unused")

    def __init__(self, edges: Edges, max_steps: int) -> None:
        """Stand before the first step; START is what is running."""
        self._edges = edges
        self._next: dict[str, dict[str, Any]] = {}
        self._running = 1
        self._steps = max_steps
        self.exhausted = False
        self.skipped: list[str] = []
        self.unused: list[Any] = []

    def done(
        self,
        source: str,
        deliveries: Mapping[str, Any],
        led: Collection[str] | None = None,  # noqa: ARG002 - what is delivered leads
    ) -> list[Ready]:
        """Take what a node delivered; return the next step once this one is done."""
        for follower in self._edges.followers.get(source, ()):
            if follower in deliveries:
                self._next.setdefault(follower, {})[source] = deliveries[follower]
        self._running -= 1
        if self._running:
            return []
        came, self._next = self._next, {}
        if END in came:  # what was chosen beside it is not executed
            end = came.pop(END)
            self.skipped += came
            self.unused += [value for inputs in came.values() for value in inputs.values()]
            came = {END: end}
        ready = [Ready(key, self._in_order(key, inputs)) for key, inputs in came.items()]
        self._running = len(ready)
        if END not in came:  # reaching it is no step
            self._steps -= 1
            self.exhausted = self._steps < 0
        return ready

    def snapshot(self) -> dict[str, Any]:
        """Return all that it knows."""
        return {"inputs": self._next, "running": self._running, "steps": self._steps}

    def restore(self, known: Mapping[str, Any]) -> None:
        """Know what another one knew."""
        self._next = {key: dict(inputs) for key, inputs in known["inputs"].items()}
        self._running = int(known["running"])
        self._steps = int(known["steps"])

    def _in_order(self, key: str, came: dict[str, Any]) -> dict[str, Any]:
        return {source: came[source] for source in self._edges.sources[key] if source in came}
