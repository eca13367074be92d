"""Small frozen values that components take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, final

__all__ = ["Document", "EmbeddingInput", "EmbeddingOutput", "Usage"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@final
@dataclass(frozen=True, slots=True)
class Document:
    """A piece of text with its origin, and what a search found out about it."""

    id: str
    """Unique in its source or store."""
    text: str
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """Origin, title, position: whatever its loader knows."""
    score: float | None = None
    """How well it fits a query, higher is better; None outside of search results."""
    vector: Sequence[float] | None = None
    """Its embedding, where it was computed or kept."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a model consumed, in tokens."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@final
@dataclass(frozen=True, slots=True)
class EmbeddingInput:
    """What an embedder is given."""

    texts: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@final
@dataclass(frozen=True, slots=True)
class EmbeddingOutput:
    """What an embedder gives: one vector a text, in the order of the texts."""

    vectors: Sequence[Sequence[float]]
    """Shape (number of texts, dimensions)."""
    usage: Usage | None = None
