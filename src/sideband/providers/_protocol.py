"""What all providers of this package have in common. May import generation."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from sideband.generation import Provider

__all__ = ["ClosableProvider"]


class ClosableProvider(Provider, Protocol):
    """A provider that holds connections, or a process, until it is closed."""

    name: str
    """What runs, hooks and errors call it."""

    @property
    def model(self) -> str:
        """Which model answers requests that name none."""
        ...

    async def aclose(self) -> None:
        """Let go of what it holds; may be called again."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
