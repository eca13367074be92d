"""The handlers of the whole process: an immutable tuple, replaced under a lock."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self, final

from sideband.handlers import Entry, HandlerLike, entries

__all__ = ["Registration", "Registry", "add_global_handler", "registry"]


@final
class Registry:
    """The registrations in force, in the order in which they were made."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._registrations: tuple[Registration, ...] = ()
        self.entries: tuple[Entry, ...] = ()
        """Replaced, never changed: a scope compares it by identity to learn of a change."""

    def add(self, registration: Registration) -> None:
        """Put a registration outermost."""
        with self._lock:
            self._set((*self._registrations, registration))

    def discard(self, registration: Registration) -> None:
        """Take a registration out; runs that started with it still end with it."""
        with self._lock:
            self._set(tuple(kept for kept in self._registrations if kept is not registration))

    def _set(self, registrations: tuple[Registration, ...]) -> None:
        self._registrations = registrations
        self.entries = tuple(entry for registration in registrations for entry in registration.entries)


registry = Registry()


@final
class Registration:
    """A global handler's stay: `remove` it, or use it as a context manager."""

    __slots__ = ("entries",)

    def __init__(self, handler: HandlerLike) -> None:
        """Check the handler without registering it yet."""
        self.entries: tuple[Entry, ...] = entries(handler)

    def remove(self) -> None:
        """Take the handler out, from any thread; doing so twice is harmless.

        Runs that are going on still end with it.
        """
        registry.discard(self)

    def __enter__(self) -> Self:
        """Return the registration, which is already in force."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take the handler out."""
        self.remove()


def add_global_handler(handler: HandlerLike) -> Registration:
    """Attach a handler to every run of the process that starts from now on.

    Order: global handlers are outermost: first on start, last on end; the last registered first.
    Threads: safe at any time, from any thread; runs inside of running ones see it too.

    Returns:
        A registration with `remove()`, usable as a context manager.

    Raises:
        HandlerRefusedError: it is no handler, or one that could not work.
    """
    registration = Registration(handler)
    registry.add(registration)
    return registration
