"""What the drivers wait with, on a loop and in threads, and how finalizers reach them. Knows nothing of the rest."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection
from types import TracebackType
from typing import Any, final

__all__ = [
    "Guard",
    "abandon_on",
    "new_waiter",
    "raise_all",
    "settled",
    "together",
    "wake_future",
    "wake_thread",
]


def wake_future(waiter: asyncio.Future[None]) -> None:
    """Wake a task; one that was cancelled meanwhile needs no waking."""
    if not waiter.done():
        waiter.set_result(None)


async def settled(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Wait for tasks without cancelling them, and raise what they failed with, cancellation aside."""
    pending = [task for task in tasks if not task.done()]
    if pending:
        await asyncio.wait(pending)
    raise_all([error for task in tasks if not task.cancelled() and (error := task.exception()) is not None])


def raise_all(errors: list[BaseException]) -> None:
    """Raise a single error as it is, and several as a group."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup("several sources of a stream failed to close", errors)


@contextlib.asynccontextmanager
async def together() -> AsyncGenerator[asyncio.TaskGroup]:
    """Give a task group that raises the one exception that was raised in it as it is, and several as a group."""
    failure: BaseException
    try:
        async with asyncio.TaskGroup() as group:
            yield group
        return
    except BaseExceptionGroup as raised:
        # A stream's failure may be raised by each of its readers.
        distinct = {id(error): error for error in raised.exceptions}
        failure = next(iter(distinct.values())) if len(distinct) == 1 else raised
    try:
        raise failure
    finally:
        del failure


def abandon_on(loop: asyncio.AbstractEventLoop | None, action: Callable[[], object]) -> None:
    """Run a finalizer's action where it may: on its loop, if there is one that still runs."""
    if loop is None:
        action()
        return
    with contextlib.suppress(RuntimeError):  # a closed loop: nobody waits any more
        loop.call_soon_threadsafe(action)


def new_waiter() -> threading.Lock:
    """Return what a thread waits with: `acquire` it. Unlike an event, it may be woken inside of a finalizer."""
    waiter = threading.Lock()
    waiter.acquire()
    return waiter


def wake_thread(waiter: threading.Lock) -> None:
    """Wake a thread; the core forgets a waiter before it wakes it, so that this happens once."""
    waiter.release()


@final
class Guard:
    """A lock around a core, which a finalizer inside of any of its holders cannot lock up.

    A finalizer never waits for the lock: it leaves its action to whoever holds it.
    """

    __slots__ = ("_left", "_lock")

    def __init__(self) -> None:
        """Start free."""
        self._left: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Wait for the lock."""
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the lock, and do what finalizers left meanwhile."""
        self._lock.release()
        if self._left:
            self._do_left()

    def leave(self, action: Callable[[], object]) -> None:
        """Have an action done under the lock, now or by its holder; never waits."""
        self._left.append(action)
        self._do_left()

    def _do_left(self) -> None:
        # Checked again after each release: an action left just before it found the lock taken.
        while self._left and self._lock.acquire(blocking=False):
            try:
                while self._left:
                    self._left.popleft()()
            finally:
                self._lock.release()
