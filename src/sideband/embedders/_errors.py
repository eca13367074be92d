"""What can go wrong before an embedder is there. May import errors.

SidebandError
├── UnknownEmbedderError    (LookupError) no embedder has the name
└── ModelChangedError       (ValueError) another version of the model is installed than was asked for
"""

from __future__ import annotations

from collections.abc import Iterable

from sideband.errors import SidebandError

__all__ = ["ModelChangedError", "UnknownEmbedderError"]


class UnknownEmbedderError(SidebandError, LookupError):
    """An embedder was asked for by a name that none has."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """List the names that there are."""
        self.name = name
        self.known: tuple[str, ...] = tuple(known)
        super().__init__(f"there is no embedder {name!r}; there are: {', '.join(map(repr, self.known))}")


class ModelChangedError(SidebandError, ValueError):
    """The installed model is not the one that was named, so that their vectors cannot be compared."""

    def __init__(self, wanted: str, installed: str) -> None:
        """Name both models."""
        super().__init__(
            f"{wanted!r} is wanted, but {installed!r} is installed, and their vectors cannot be compared; "
            f"install the former, or embed everything again with the latter"
        )
        self.wanted = wanted
        self.installed = installed
