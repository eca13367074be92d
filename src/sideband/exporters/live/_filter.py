"""Which runs are shown: by kind, name, outcome and metadata, as the page's address says. May import the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from sideband.exporters.history import History, Record

__all__ = ["Filter", "Query", "tree"]


class Query(Protocol):
    """The parameters of an address."""

    def get(self, key: str, default: str, /) -> str:
        """Return the last value of a parameter."""
        ...

    def getlist(self, key: str, /) -> list[str]:
        """Return all values of a parameter."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What has to be true of a run; what is empty asks nothing."""

    kinds: frozenset[str] = frozenset()
    name: str = ""
    """A part of the name, in any case."""
    outcomes: frozenset[str] = frozenset()
    """Outcomes, or "running"."""
    metadata: str = ""
    """`key=value`, or a part of any value, in any case."""

    @classmethod
    def of(cls, query: Query) -> Filter:
        """Read it from an address; what is not known matches nothing."""
        return cls(
            kinds=frozenset(filter(None, query.getlist("kind"))),
            name=query.get("name", "").strip().lower(),
            outcomes=frozenset(filter(None, query.getlist("outcome"))),
            metadata=query.get("metadata", "").strip().lower(),
        )

    def accepts(self, record: Record) -> bool:
        """Tell whether a run is among those that are looked for."""
        outcome = record.outcome.value if record.outcome else "running"
        return (
            (not self.kinds or record.component.value in self.kinds)
            and self.name in record.name.lower()
            and (not self.outcomes or outcome in self.outcomes)
            and (not self.metadata or _has(record.metadata, self.metadata))
        )


def _has(metadata: Mapping[str, object], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    if equals:
        return any(
            name.lower() == key.strip() and str(one).lower() == value.strip()
            for name, one in metadata.items()
        )
    return any(wanted in str(one).lower() for one in metadata.values())


def tree(history: History, found: Sequence[Record]) -> list[tuple[int, Record]]:
    """Return runs with those around them, each with its depth, as the lines of a tree.

    The outermost ones are in the order of `found`, those inside of one in the order of their starts.
    """
    shown: dict[int, Record] = {}
    inside: dict[int, list[Record]] = {}
    for record in found:
        one: Record | None = record
        while one is not None and one.number not in shown:
            shown[one.number] = one
            around = history.get(one.parent) if one.parent else None
            inside.setdefault(around.number if around else 0, []).append(one)
            one = around
    return list(_lines(inside.get(0, []), inside))


def _lines(outermost: Iterable[Record], inside: Mapping[int, list[Record]]) -> Iterable[tuple[int, Record]]:
    # A stack, since a tree may be deeper than Python's own.
    stack = [(0, record) for record in reversed(list(outermost))]
    while stack:
        depth, record = stack.pop()
        yield depth, record
        children = sorted(inside.get(record.number, ()), key=lambda child: child.number, reverse=True)
        stack += [(depth + 1, child) for child in children]
