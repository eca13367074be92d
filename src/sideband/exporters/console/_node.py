"""What the terminal shows of one run: plain values, all of them safe to print. May import the standard library alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import final

__all__ = ["Node", "duration"]


@final
@dataclass(slots=True, eq=False)
class Node:
    """One run, and what is inside of it; texts have no control characters and are on one line."""

    id: str
    kind: str
    name: str
    started: float
    """Unix seconds."""
    order: int = 0
    """Counted in the order of the starts, in each process by itself."""
    process: str = ""
    """Whose run it is, where several processes are watched."""
    parent: str | None = None
    duration: float | None = None
    """Seconds; None while it goes on."""
    outcome: str | None = None
    error: tuple[str, ...] = ()
    """What it failed with, then what that was caused by."""
    tail: str = ""
    """The end of the text that it streams."""
    chunks: int = 0
    first_chunk: float | None = None
    """Seconds from the start to the first chunk."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    done: float = 0.0
    """Of `total`, how much its events said is done."""
    total: float = 0.0
    """Zero where its events tell of no progress."""
    about: str = ""
    """The beginning of its input."""
    size: int = 0
    """The items of a batch."""
    facts: tuple[str, ...] = ()
    """What else is worth a word: the size of its batch, the time it waited, its last event."""
    count: int = 1
    """For how many runs it stands: of several alike its time, tokens and cost are what they took together."""
    children: list[Node] = field(default_factory=list["Node"])
    folded: dict[str, int] = field(default_factory=dict[str, int])
    """By their kind, how many that were inside of it are not kept any more."""
    failed_inside: bool = False
    """Whether a run inside of it failed, however deep."""

    used_inside: tuple[int, int, float] = (0, 0, 0.0)
    """Input tokens, output tokens and cost of what has ended inside of it."""

    @property
    def used(self) -> tuple[int, int, float]:
        """Input tokens, output tokens and cost: a run that tells them tells of what is inside of it, too."""
        below = self.used_inside
        return (
            max(self.input_tokens, below[0]),
            max(self.output_tokens, below[1]),
            max(self.cost or 0.0, below[2]),
        )

    @property
    def likeness(self) -> tuple[str, str, str] | None:
        """What it has in common with runs that may stand on one line with it; None where it stands alone."""
        if self.outcome != "ok" or self.children or self.folded:
            return None
        return self.kind, self.name, self.process

    def absorb(self, other: Node) -> None:
        """Stand for another run, too, that is alike."""
        self.count += other.count
        self.duration = (self.duration or 0.0) + (other.duration or 0.0)
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.chunks += other.chunks
        if other.cost is not None:
            self.cost = (self.cost or 0.0) + other.cost
        self.facts, self.about = (), ""

    def fold(self, kind: str, count: int = 1) -> None:
        """Count a run that is not kept any more."""
        self.folded[kind] = self.folded.get(kind, 0) + count

    def take(self, newer: Node) -> None:
        """Know what is known by now; what is inside of it stays."""
        for name in _TOLD:
            setattr(self, name, getattr(newer, name))

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.outcome is None

    def elapsed(self, now: float) -> float:
        """Return the seconds that it has taken so far, or took."""
        return max(0.0, now - self.started) if self.duration is None else self.duration

    def walk(self) -> Iterator[Node]:
        """Give the run and all that is inside of it, each before what is inside of it."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


_OWN = {"parent", "count", "children", "folded", "failed_inside", "used_inside"}
_TOLD = [field.name for field in fields(Node) if field.name not in _OWN]


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it: "0.4 ms", "12 ms", "1.9 s", "2:05", "1:02:03"."""
    if seconds < 0.001:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes}:{left:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{left:02}"
