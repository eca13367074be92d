"""The calls of a serving from a thread: what the coroutine methods do, with the suffix `_sync`."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Generic, TypeVar, cast

from sideband.serving._batch import BatchOutput, HookEvent
from sideband.serving._dispatcher import Dispatcher, Options

__all__ = ["SyncCalls"]

T = TypeVar("T")
R = TypeVar("R")


class SyncCalls(Generic[T, R]):
    """What a `Serving` offers to threads."""

    _dispatcher: Dispatcher

    def dispatch_sync(self, value: T, *, timeout: float | None = None, priority: int = 0) -> R:
        """As `dispatch`, from any thread.

        Raises:
            WrongThreadError: the thread of the serving's own loop, which would wait for itself.
        """
        return cast(
            "R",
            self._dispatcher.respond_sync((value,), Options(timeout=timeout, priority=priority, single=True)),
        )

    def dispatch_many_sync(
        self,
        values: Iterable[T],
        *,
        timeout: float | None = None,
        priority: int = 0,
        return_exceptions: bool = False,
    ) -> list[R]:
        """As `dispatch_many`, from any thread.

        Raises:
            WrongThreadError: the thread of the serving's own loop, which would wait for itself.
        """
        options = Options(timeout=timeout, priority=priority, return_exceptions=return_exceptions)
        return cast("list[R]", self._dispatcher.respond_sync(values, options))

    def stream_sync(
        self, value: T, *, timeout: float | None = None, priority: int = 0
    ) -> Generator[HookEvent | BatchOutput[R], None, None]:
        """As `stream`, from any thread."""
        return self._dispatcher.stream_sync(
            (value,), Options(timeout=timeout, priority=priority, single=True)
        )

    def stream_many_sync(
        self,
        values: Iterable[T],
        *,
        timeout: float | None = None,
        priority: int = 0,
        return_exceptions: bool = False,
    ) -> Generator[HookEvent | BatchOutput[R], None, None]:
        """As `stream_many`, from any thread.

        Raises:
            WrongThreadError: the thread of the serving's own loop, which would wait for itself.
        """
        return self._dispatcher.stream_sync(
            values, Options(timeout=timeout, priority=priority, return_exceptions=return_exceptions)
        )

    def inline_sync(self, value: T) -> R:
        """As `inline`, in the calling thread."""
        return cast("R", self._dispatcher.respond_sync((value,), Options(single=True, inline=True)))

    def inline_many_sync(self, values: Iterable[T], *, return_exceptions: bool = False) -> list[R]:
        """As `inline_many`, in the calling thread."""
        options = Options(return_exceptions=return_exceptions, inline=True)
        return cast("list[R]", self._dispatcher.respond_sync(values, options))
