"""What graphs raise. May import errors."""

from __future__ import annotations

from collections.abc import Iterable

from sideband.errors import SidebandError

__all__ = [
    "AnswerError",
    "BranchError",
    "CheckpointError",
    "FieldMissingError",
    "GraphBuildError",
    "GraphError",
    "InterruptError",
    "NothingLeftError",
    "StepLimitError",
    "UnknownCheckpointError",
    "UnknownNodeError",
]


class GraphError(SidebandError):
    """The root of what a graph raises itself; `graph` is its name."""

    def __init__(self, graph: str, message: str) -> None:
        """Name the graph in front of what happened."""
        super().__init__(f"graph {graph!r}: {message}")
        self.graph = graph


class GraphBuildError(GraphError, ValueError):
    """The graph cannot be compiled; `problems` has every reason, each naming its nodes."""

    def __init__(self, graph: str, problems: Iterable[str]) -> None:
        """List the problems."""
        self.problems: tuple[str, ...] = tuple(problems)
        listed = "".join(f"\n- {problem}" for problem in self.problems)
        super().__init__(graph, f"cannot be compiled; {len(self.problems)} to mend:{listed}")


class UnknownNodeError(GraphError, LookupError):
    """A handler is attached at a path that names no node; nothing was executed."""

    def __init__(self, graph: str, path: Iterable[str], nodes: Iterable[str]) -> None:
        """List the nodes that there are."""
        self.path: tuple[str, ...] = tuple(path)
        self.nodes: tuple[str, ...] = tuple(nodes)
        there = ", ".join(map(repr, self.nodes)) or "none"
        super().__init__(graph, f"at{self.path!r} names no node; the nodes there are: {there}")


class BranchError(GraphError, ValueError):
    """A branch's condition chose something that is not among its targets."""

    def __init__(self, graph: str, node: str, chosen: object, targets: Iterable[str]) -> None:
        """Name the node that the branch leaves, what was chosen, and what could have been."""
        self.node = node
        self.chosen = chosen
        self.targets: tuple[str, ...] = tuple(targets)
        could = ", ".join(map(repr, self.targets))
        super().__init__(graph, f"the branch after {node!r} chose {chosen!r}, which is none of {could}")


class StepLimitError(GraphError, RuntimeError):
    """A graph with cycles took more steps than it may."""

    def __init__(self, graph: str, limit: int, going: Iterable[str]) -> None:
        """Tell the limit and which nodes would have been next."""
        self.limit = limit
        self.going: tuple[str, ...] = tuple(going)
        super().__init__(
            graph,
            f"END was not reached in max_steps={limit} steps; next would be {', '.join(map(repr, self.going))}. "
            "Let a branch lead to END earlier, or raise max_steps",
        )


class NothingLeftError(GraphError, RuntimeError):
    """No node is left to execute, and END was not reached: a branch chose nothing."""

    def __init__(self, graph: str, last: str) -> None:
        """Name the node after which nothing came."""
        self.last = last
        super().__init__(
            graph, f"nothing came after {last!r} and END was not reached: a branch chose no target"
        )


class FieldMissingError(GraphError, LookupError):
    """A node of a workflow cannot have what it is to take: a field is not there, or its node was skipped."""

    def __init__(self, graph: str, node: str, source: str, path: Iterable[str | int], reason: str) -> None:
        """Name who takes what from whom, and say what there was in its place."""
        self.node = node
        self.source = source
        self.path: tuple[str | int, ...] = tuple(path)
        self.reason = reason
        field = ".".join(map(str, self.path))
        what = f"{field!r} of {source!r}" if field else f"what {source!r} gives"
        super().__init__(graph, f"{node!r} takes {what}, but {reason}")


class InterruptError(SidebandError, RuntimeError):
    """A node asked where it cannot wait for an answer, or did not let the interruption through."""

    def __init__(self, reason: str) -> None:
        """Say why it cannot."""
        super().__init__(f"a graph cannot be interrupted {reason}")
        self.reason = reason


class UnknownCheckpointError(GraphError, LookupError):
    """Nothing is kept by the id: it was finished, or never was there."""

    def __init__(self, graph: str, id: str) -> None:  # noqa: A002
        """Tell the id."""
        super().__init__(
            graph, f"nothing is kept by the id {id!r}; it has gone on to its end, or never was here"
        )
        self.id = id


class CheckpointError(GraphError, ValueError):
    """What is kept cannot be gone on with: it is damaged, or of another graph."""

    def __init__(self, graph: str, id: str, reason: str) -> None:  # noqa: A002
        """Say why."""
        super().__init__(graph, f"cannot be resumed from {id!r}: {reason}")
        self.id = id
        self.reason = reason


class AnswerError(GraphError, ValueError):
    """What was answered is not what was asked."""

    def __init__(self, graph: str, answers: Iterable[str], questions: Iterable[str]) -> None:
        """List what was answered, and the questions there are."""
        self.answers: tuple[str, ...] = tuple(answers)
        self.questions: tuple[str, ...] = tuple(questions)
        there = ", ".join(map(repr, self.questions))
        given = (
            f"got answers for {', '.join(map(repr, self.answers))}"
            if self.answers
            else "one answer does not do"
        )
        super().__init__(graph, f"{given}; answers={{…}} takes them for: {there}")
