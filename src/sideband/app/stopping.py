"""Being stopped from outside: SIGTERM and SIGHUP end a command as tidily as Ctrl-C. May import nothing of ours."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Self, TypeVar, final

__all__ = ["Stopping"]

T = TypeVar("T")

_SIGNALS = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


@final
class Stopping:
    """A block in which the signals that ask a program to end are a `KeyboardInterrupt`.

    One that is ignored, as `nohup` has SIGHUP ignored, stays so; outside the main thread nothing is changed.
    """

    def __init__(self) -> None:
        self._number = signal.SIGINT
        self._previous: dict[signal.Signals, Any] = {}
        self._cancel: Callable[[], object] | None = None

    @property
    def code(self) -> int:
        """The exit code by the custom of shells: 128 and the number of the signal, Ctrl-C's unless another came."""
        return 128 + self._number

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._previous[number] = signal.signal(number, self._caught)
        return self

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on an event loop of its own; a signal cancels it, and is raised when it has ended.

        Raises:
            KeyboardInterrupt: a signal, or Ctrl-C, stopped it.
        """
        try:
            return asyncio.run(self._cancellable(work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    async def _cancellable(self, work: Coroutine[Any, Any, T]) -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is not None:
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            return await work
        finally:
            self._cancel = None

    def _caught(self, number: int, _: FrameType | None) -> None:
        self._number = signal.Signals(number)
        if self._cancel is None:
            raise KeyboardInterrupt
        self._cancel()
