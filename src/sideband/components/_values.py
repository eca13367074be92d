"""Values that several kinds of component share: documents, and what a model consumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from sideband.components._json import serialisable

__all__ = ["Document", "Usage", "nothing"]


def nothing() -> dict[str, Any]:
    """Return an empty mapping, one that can be copied and pickled, for a value whose mapping is not given."""
    return {}


@final
@serialisable
@dataclass(frozen=True, slots=True)
class Document:
    """A piece of text with its origin, and what a search found out about it."""

    id: str
    """Unique in its source or store."""
    text: str
    metadata: Mapping[str, Any] = field(default_factory=nothing)
    """Origin, title, position: whatever its loader knows."""
    score: float | None = None
    """How well it fits a query, higher is better; None outside of search results."""
    vector: Sequence[float] | None = None
    """Its embedding, where it was computed or kept."""


@final
@serialisable
@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a model consumed, in tokens; usages of several calls, or of parts of one, can be added.

    `cached_tokens` are among the `input_tokens`, and `reasoning_tokens` among the `output_tokens`, as
    OpenAI counts them; whoever reads another provider's numbers brings them into this form.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    """What the provider says; input and output together where it is not given, so give it anew (0) to
    `dataclasses.replace`."""
    cached_tokens: int = 0
    """Of the input, what the provider had in its prompt cache."""
    reasoning_tokens: int = 0
    """Of the output, what was thought and not said."""
    cost: float | None = None
    """In US dollars; None where nobody tells."""
    details: Mapping[str, float] = field(default_factory=nothing)
    """Further counts by the provider's own names: cache writes, audio tokens, …"""

    def __post_init__(self) -> None:
        """Count the total where it is not given."""
        if not self.total_tokens:
            object.__setattr__(self, "total_tokens", self.input_tokens + self.output_tokens)

    def __add__(self, other: Usage) -> Usage:
        """Return the sum, field by field and detail by detail."""
        if not isinstance(other, Usage):
            return NotImplemented
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        details = {**self.details}
        for name, count in other.details.items():
            details[name] = details.get(name, 0) + count
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cost=sum(costs) if costs else None,
            details=details,
        )

    def filled_from(self, other: Usage) -> Usage:
        """Return this usage with what it leaves open, fields of 0 and details it has not, taken from another.

        Nothing is added, so what both tell of one call is not counted twice.
        """
        return Usage(
            input_tokens=self.input_tokens or other.input_tokens,
            output_tokens=self.output_tokens or other.output_tokens,
            total_tokens=self.total_tokens or other.total_tokens,
            cached_tokens=self.cached_tokens or other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens or other.reasoning_tokens,
            cost=other.cost if self.cost is None else self.cost,
            details={**other.details, **self.details},
        )
