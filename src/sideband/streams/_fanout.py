"""What the copies of one stream hold, and what they drop, without waiting. Knows nothing of the rest.

1. A chunk goes to every open cursor; each holds at most `max_lag` of them.
2. A full cursor drops its oldest chunk, drops the newest one, or holds back the next pull.
3. An ending reaches each cursor behind what it holds; an error is told once, then the end for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Generic, Literal, TypeAlias, TypeVar, final, get_args

__all__ = ["DEFAULT_LAG", "Cursor", "Fanout", "Overflow", "check_copies"]

T = TypeVar("T")
W = TypeVar("W")

Overflow: TypeAlias = Literal["drop_oldest", "drop_newest", "block"]
"""What happens to a copy that holds `max_lag` chunks when there is another one."""

DEFAULT_LAG = 1024
"""Chunks that a copy holds at most, unless it is told otherwise."""


def check_copies(n: int, max_lag: int, overflow: str) -> None:
    """Refuse what cannot work.

    Raises:
        ValueError: a number below 1, or an unknown policy.
    """
    if n < 1:
        raise ValueError(f"copy(n) needs n of 1 or more, got {n!r}")
    if max_lag < 1:
        raise ValueError(f"max_lag is the chunks that a copy holds at most, 1 or more, got {max_lag!r}")
    if overflow not in get_args(Overflow):
        raise ValueError(
            f"overflow must be one of {', '.join(map(repr, get_args(Overflow)))}, got {overflow!r}"
        )


@final
class Cursor(Generic[T, W]):
    """One copy's place: what it has not read yet."""

    __slots__ = ("blocks", "buffer", "dropped", "keeps_oldest", "max_lag", "open", "told", "waiter")

    def __init__(self, max_lag: int, overflow: Overflow) -> None:
        """Start empty; the driver sets `waiter` while its reader waits."""
        self.blocks: bool = overflow == "block"
        self.keeps_oldest: bool = overflow == "drop_newest"
        self.buffer: deque[T] = deque()
        self.dropped: int = 0
        self.max_lag: int = max_lag
        self.open: bool = True
        self.told: bool = False
        self.waiter: W | None = None

    def push(self, chunk: T) -> None:
        """Hold one chunk more, or drop one."""
        buffer = self.buffer
        if len(buffer) >= self.max_lag and not self.blocks:
            self.dropped += 1
            if self.keeps_oldest:
                return
            buffer.popleft()
        buffer.append(chunk)


@final
class Fanout(Generic[T, W]):
    """The cursors over one source. `W` is what a driver waits with, and `wake` how it is woken."""

    __slots__ = ("_traceback", "_wake", "cursors", "ended", "error")

    def __init__(self, wake: Callable[[W], None]) -> None:
        """Start without a cursor, at the source's beginning."""
        self._traceback: TracebackType | None = None
        self._wake = wake
        self.cursors: tuple[Cursor[T, W], ...] = ()
        self.ended: bool = False
        self.error: BaseException | None = None

    def attach(self, max_lag: int, overflow: Overflow, backlog: Iterable[T] = ()) -> Cursor[T, W]:
        """Add a cursor that holds a backlog, as much of it as its own policy allows."""
        cursor: Cursor[T, W] = Cursor(max_lag, overflow)
        for chunk in backlog:
            cursor.push(chunk)
        self.cursors = (*self.cursors, cursor)
        return cursor

    def replace(self, cursor: Cursor[T, W], n: int, max_lag: int, overflow: Overflow) -> list[Cursor[T, W]]:
        """Put cursors of their own in the place of one."""
        attached = [self.attach(max_lag, overflow, cursor.buffer) for _ in range(n)]
        for new in attached:
            new.told, new.open = cursor.told, cursor.open
        self.detach(cursor)
        return attached

    def detach(self, cursor: Cursor[T, W]) -> None:
        """Take a cursor out, with what it holds; whoever waits at it learns that it is over."""
        cursor.open = False
        cursor.buffer.clear()
        self.cursors = tuple(kept for kept in self.cursors if kept is not cursor)
        self._wake_reader(cursor)
        if cursor.blocks:
            self.wake_all()
        if self.error is not None:
            self._forget_error()

    def publish(self, chunk: T) -> None:
        """Give every cursor one chunk."""
        for cursor in self.cursors:
            cursor.push(chunk)
            waiter = cursor.waiter
            if waiter is not None:
                cursor.waiter = None
                self._wake(waiter)

    def end(self, error: BaseException | None = None) -> None:
        """End the source, behind what each cursor holds. Works once."""
        if self.ended:
            return
        self.ended = True
        self.error = error
        if error is not None:
            self._traceback = error.__traceback__
        self.wake_all()

    def tell_error(self, cursor: Cursor[T, W]) -> None:
        """Raise the source's error, the first time a cursor comes to it."""
        error = self.error
        if error is None or cursor.told or not cursor.open:
            return
        cursor.told = True
        self._forget_error()
        try:
            raise error.with_traceback(self._traceback)
        finally:
            del error  # whose traceback refers to this frame

    def _forget_error(self) -> None:
        """Let the error go once nobody is left to be told: its traceback keeps every frame alive."""
        if all(cursor.told for cursor in self.cursors):
            self.error = None

    def blocked(self) -> bool:
        """Whether a full cursor holds back the next pull."""
        return any(cursor.blocks and len(cursor.buffer) >= cursor.max_lag for cursor in self.cursors)

    def wanted(self) -> bool:
        """Whether a reader waits for the next pull, and no full cursor holds it back."""
        for cursor in self.cursors:
            if cursor.waiter is not None:
                return not self.blocked()
        return False

    def wake_all(self) -> None:
        """Let every waiting reader look again."""
        for cursor in self.cursors:
            self._wake_reader(cursor)

    def _wake_reader(self, cursor: Cursor[T, W]) -> None:
        waiter, cursor.waiter = cursor.waiter, None
        if waiter is not None:
            self._wake(waiter)
