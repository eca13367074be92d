"""A stream whose steps run with some context variables set. May import scope and streams.

Whoever pulls a stream does so in a context of its own. What a stream's body has to find there, a scope or the run
that it belongs to, is set around each step and reset after it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar, Token
from typing import Any, final

from sideband.scope._scope import restore
from sideband.streams._sources import abandon_source, close_source

__all__ = ["Bound", "Values"]

Values = tuple[tuple[ContextVar[Any], Any], ...]
"""Variables, and what they are set to."""


@final
class Bound(AsyncIterator[Any]):
    """A stream that is pulled with some context variables set."""

    __slots__ = ("_pull", "_source", "_values")

    def __init__(self, source: Any, values: Values) -> None:
        """Take an asynchronous iterator over."""
        self._source = source
        self._pull: Callable[[], Awaitable[Any]] = source.__anext__
        self._values = values

    async def __anext__(self) -> Any:
        """Return the next chunk."""
        tokens = self._set()
        try:
            return await self._pull()
        finally:
            self._reset(tokens)

    @property
    def ag_running(self) -> bool:
        """Whether the generator is being read, as generators tell it."""
        return bool(getattr(self._source, "ag_running", False))

    async def aclose(self) -> None:
        """Close the source."""
        tokens = self._set()
        try:
            await close_source(self._source)
        finally:
            self._reset(tokens)

    def abandon(self, begun: bool) -> bool:
        """Give the source up."""
        return abandon_source(self._source, begun)

    def _set(self) -> list[Token[Any]]:
        return [variable.set(value) for variable, value in self._values]

    def _reset(self, tokens: list[Token[Any]]) -> None:
        for (variable, _), token in zip(self._values, tokens, strict=True):
            restore(variable, token)
