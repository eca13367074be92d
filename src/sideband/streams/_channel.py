"""What a pipe holds and who waits for what, without waiting itself. May import errors alone.

1. A chunk is accepted into the buffer while there is room; otherwise its sender waits in line.
2. The reader takes from the buffer, which lets the first sender in line move up; with a capacity of
   0 it takes from the line itself: a rendezvous.
3. Once the writer has ended, buffer and line drain, then the error is told once, then the end for ever.
4. Once the reader has closed, buffer and line are thrown away and every sender is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar, final

from sideband.errors import ReaderClosedError, StreamClosedError

__all__ = ["Channel", "Send"]

T = TypeVar("T")
W = TypeVar("W")


@final
class Send(Generic[T, W]):
    """A chunk whose sender waits in line."""

    __slots__ = ("chunk", "refused", "waiter")

    def __init__(self, chunk: T) -> None:
        """Stand in line with one chunk; the driver sets `waiter`."""
        self.chunk: T = chunk
        self.refused: bool = False
        self.waiter: W | None = None


@final
class Channel(Generic[T, W]):
    """The state of a pipe. `W` is what a driver waits with, and `wake` how it is woken."""

    __slots__ = (
        "_traceback",
        "_wake",
        "buffer",
        "capacity",
        "ended",
        "error",
        "line",
        "reader",
        "reader_closed",
    )

    def __init__(self, capacity: int, wake: Callable[[W], None]) -> None:
        """Start empty and open at both ends."""
        self._wake = wake
        self._traceback: TracebackType | None = None
        self.buffer: deque[T] = deque()
        self.capacity: int = capacity
        self.ended: bool = False
        self.error: BaseException | None = None
        self.line: deque[Send[T, W]] = deque()
        self.reader: W | None = None
        self.reader_closed: bool = False

    def offer(self, chunk: T) -> Send[T, W] | None:
        """Accept a chunk, or return its place in line.

        Raises:
            StreamClosedError: the writer has closed.
            ReaderClosedError: the reader has closed.
        """
        if self.ended:
            raise StreamClosedError(
                "a chunk was sent after the writer had been closed; send first, then close"
            )
        if self.reader_closed:
            raise ReaderClosedError
        send: Send[T, W] | None = None
        if len(self.buffer) < self.capacity:  # nobody stands in line then
            self.buffer.append(chunk)
        else:
            send = Send(chunk)
            self.line.append(send)
        if self.reader is not None:
            self._wake_reader()
        return send

    def withdraw(self, send: Send[T, W]) -> None:
        """Take a chunk back whose sender has given up, unless it has been taken."""
        send.waiter = None
        if send in self.line:
            self.line.remove(send)

    @property
    def ready(self) -> bool:
        """Whether `take` has something to take."""
        return bool(self.buffer or self.line)

    def take(self) -> T:
        """Take the next chunk; only where one is `ready`."""
        if not self.buffer:
            return self._accept()
        chunk = self.buffer.popleft()
        if self.line:
            self.buffer.append(self._accept())
        return chunk

    def _accept(self) -> T:
        send = self.line.popleft()
        waiter, send.waiter = send.waiter, None
        if waiter is not None:
            self._wake(waiter)
        return send.chunk

    @property
    def over(self) -> bool:
        """Whether the reader need not wait: nothing more will come."""
        return self.ended or self.reader_closed

    def tell_error(self) -> None:
        """Raise the error with which the writer ended, the first time it is asked for."""
        error, self.error = self.error, None
        if error is None or self.reader_closed:
            return
        try:
            raise error.with_traceback(self._traceback)
        finally:
            del error  # whose traceback refers to this frame

    def end(self, error: BaseException | None = None) -> None:
        """End the writer's side; what is buffered or in line is still delivered. Works once."""
        if self.ended:
            return
        self.ended = True
        self.error = error
        if error is not None:
            self._traceback = error.__traceback__
        self._wake_reader()

    def close_reader(self) -> None:
        """End the reader's side; what it has not taken is thrown away. Works once."""
        if self.reader_closed:
            return
        self.reader_closed = True
        self.buffer.clear()
        refused, self.line = self.line, deque()
        for send in refused:
            send.refused = True
            waiter, send.waiter = send.waiter, None
            if waiter is not None:
                self._wake(waiter)
        self._wake_reader()

    def _wake_reader(self) -> None:
        waiter, self.reader = self.reader, None
        if waiter is not None:
            self._wake(waiter)
