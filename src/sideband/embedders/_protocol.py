"""What every embedder offers. Knows nothing of the rest of the package, and loads no third-party module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embedder", "Embeddings"]


class Embeddings(NamedTuple):
    """Vectors, and what they cost: one of each for each text, in the order of the texts."""

    vectors: NDArray[np.float32]
    """Shape (number of texts, dimensions); each row has length 1."""
    tokens: list[int]
    """Tokens of each text that the model read: at most its `max_tokens`."""


class Embedder(Protocol):
    """Turns texts into vectors whose dot products tell how alike the texts are."""

    @property
    def name(self) -> str:
        """The model and its version, as `load` takes it; stored with an index, to search it with the same model."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of each vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """How much of a text is read, in tokens; what is behind that does not count."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 for each text, in order: shape (number of texts, dimensions)."""
        ...

    def embed_with_tokens(self, texts: Sequence[str]) -> Embeddings:
        """Return what `embed` does, and the number of tokens read of each text, tokenising once."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each whole text has, which may be more than `max_tokens`."""
        ...
