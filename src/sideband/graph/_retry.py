"""Nodes that are executed again when they fail. May import observe and scope.

Each attempt is a run of its own, with the same input; between two of them the graph's run tells of the failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from types import CoroutineType
from typing import Any, NamedTuple, final

from sideband.errors import Abort, Interrupted
from sideband.graph._pause import current_pause
from sideband.graph._shape import Shape
from sideband.scope._scope import get_current

__all__ = ["NodeRetried", "Retry", "retried"]


class NodeRetried(NamedTuple):
    """The payload of a graph's event "retry": a node failed, and will be executed again."""

    node: str
    attempt: int
    """The one that failed, counted from 1."""
    error: Exception
    delay: float
    """Seconds until the next one."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a node is executed, and how long is waited in between.

    Raises:
        ValueError: a number is out of its bounds.
    """

    attempts: int = 3
    """How often at most, the first time among them; 1 or more."""
    delay: float = 0.5
    """Seconds before the second attempt."""
    backoff: float = 2.0
    """By how much each further wait is longer than the one before."""
    max_delay: float = 30.0
    """Seconds that no wait exceeds."""
    errors: tuple[type[Exception], ...] = (Exception,)
    """What is worth another attempt; an `Abort` never is."""

    def __post_init__(self) -> None:
        """Look at the numbers."""
        if self.attempts < 1:
            raise ValueError(f"attempts must be 1 or more, got {self.attempts!r}")
        if self.delay < 0 or self.max_delay < 0 or self.backoff < 1:
            raise ValueError(f"delays must be 0 or more and backoff 1 or more, got {self!r}")

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt that failed."""
        try:
            return min(self.delay * self.backoff ** (attempt - 1), self.max_delay)
        except OverflowError:
            return self.max_delay


def retried(shape: Shape, key: str, retry: Retry) -> Shape:
    """Return a shape that is called as often as it takes.

    Raises:
        TypeError: it takes or gives a stream, part of which would have been read.
    """
    if shape.takes_stream or shape.gives_stream:
        raise TypeError(f"{key!r} takes or gives a stream, so it cannot be retried: part of it would be gone")
    return replace(shape, call=_again(shape.call, key, retry), awaits=True)


def _again(call: Callable[[Any], Any], key: str, retry: Retry) -> Callable[[Any], Awaitable[Any]]:
    async def repeat(value: Any) -> Any:
        around = get_current()
        attempt = 1
        pause = current_pause.get()
        while True:
            if pause is not None:
                pause.used = 0
            try:
                output = call(value)
                return await output if output.__class__ is CoroutineType else output
            except (Abort, Interrupted):
                raise
            except retry.errors as error:
                if attempt >= retry.attempts:
                    raise
                delay = retry.wait(attempt)
                if around is not None:
                    around.emit("retry", NodeRetried(key, attempt, error, delay))
            await asyncio.sleep(delay)
            attempt += 1

    return repeat
