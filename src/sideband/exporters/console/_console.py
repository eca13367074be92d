"""The runs of a program in its own terminal. May import the core and the history; rich when it is asked for.

1. A handler notes what happens (a `History`); one thread looks at it some times a second, and draws.
2. While no run goes on, the thread waits and nothing is drawn.
3. A forked process leaves the terminal to the one that it comes from.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO, final

from sideband.errors import MissingExtraError
from sideband.exporters.console._feed import Feed
from sideband.exporters.console._forest import Forest
from sideband.exporters.console._screen import Screen
from sideband.exporters.console._streams import Outputs, TextSource
from sideband.exporters.history import History
from sideband.exporters.history._capture import CaptureMode, Redact
from sideband.handlers import Bundle, Handler, compose
from sideband.runs import Run
from sideband.scope import Registration, add_global_handler

if TYPE_CHECKING:
    from sideband.exporters.console._display import Display

__all__ = ["console"]

_CLOSE_SECONDS = 2.0
_open: weakref.WeakSet[console] = weakref.WeakSet()


@final
class _Bell(Handler):
    """Wakes the thread at the start of a run."""

    def __init__(self) -> None:
        self.rung = threading.Event()

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002, ARG002 - as every handler
        if not self.rung.is_set():
            self.rung.set()


@final
class console:  # noqa: N801 - used as a function: `with console():`
    """Show runs in the terminal while they go on.

    ```python
    with console():
        answer("what is a sideband?")
    ```

    A tree of the runs that go on stands at the bottom of the terminal, with times, tokens, cost, the text that is
    being streamed, and progress; a tree that has ended stays above it. What the program prints goes above, too. Where
    there is no terminal (a pipe, a log, `TERM=dumb`), each tree that has ended is one line without escape sequences.

    As a context manager it sees every run of the process. Given to `callbacks`, it sees what any handler would
    there, and shows it until the process ends, or until `close`.

    Order: trees are shown for good in the order in which they ended.
    Cancellation: cancelled runs are shown as such.
    Closing: at the end of the block, or of the process; the terminal is then as it was. What still goes on is shown
        as it is.
    Threads: one of its own, a daemon. Runs of any number of threads are shown. A forked process shows nothing.
    Cost: a `History`'s, and a drawing of some milliseconds, `frames_per_second` times a second while runs go on.
    """

    def __init__(
        self,
        *,
        file: TextIO | None = None,
        capture: CaptureMode | None = None,
        redact: Redact | None = None,
        max_lines: int | None = None,
        max_depth: int = 8,
        frames_per_second: float = 6.0,
    ) -> None:
        """Start nothing yet.

        Args:
            file: where to; by default standard error.
            capture: whether texts and errors' messages are shown: "on", "redacted", "off"; as of a `History`.
            redact: what may be shown of a value; as of a `History`.
            max_lines: how many lines are drawn anew at most; by default two thirds of the terminal.
            max_depth: how many levels below a root are shown.
            frames_per_second: how often it is drawn.

        Raises:
            MissingExtraError: rich is not installed.
            ValueError: a limit is less than 1, or `capture` is none of its words.
        """
        limits = {"max_lines": max_lines, "max_depth": max_depth, "frames_per_second": frames_per_second}
        for name, limit in limits.items():
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1, got {limit!r}")
        try:
            from sideband.exporters.console import _display  # noqa: PLC0415 - an extra, and slow to import
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "rich":
                raise
            raise MissingExtraError("console", "rich") from error
        out: TextIO = sys.stderr if file is None else file
        seen = _display.rich_console(out)
        self._screen = Screen(TextSource(out, "replace"), lambda: seen.size.width, time.monotonic)
        self._display: Display
        self._outputs: Outputs | None = None
        if _display.is_live(seen):
            self._display = _display.TerminalDisplay(
                self._screen, seen, max_lines=max_lines, max_depth=max_depth
            )
            self._outputs = Outputs(self._screen)
        else:
            self._display = _display.PlainDisplay(out, seen)
        self._history = History(max_runs=10_000, max_bytes=8_000_000, max_value=2_000, max_chunks=64, max_events=8,
                                capture=capture, redact=redact)  # fmt: skip
        self._forest, self._feed = Forest(), Feed(self._history)
        self._seconds = 1 / frames_per_second
        self._bell = _Bell()
        self._registration: Registration | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._drawing = threading.RLock()
        self._paused = 0

    def __sideband_handler__(self) -> Bundle:
        """Show the runs of a scope; none of a program that `sideband watch` shows."""
        relay: Any = sys.modules.get("sideband.exporters._relay")
        if relay is not None and relay.attached():
            return compose()
        self._start()
        # Starts are told to the last one first: when the bell rings there is something to see.
        return compose(self._bell, self._history)

    def __enter__(self) -> Self:
        """Show the runs of the process."""
        self._registration = add_global_handler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Show what is left to show, and leave the terminal as it was."""
        self.close()

    def close(self) -> None:
        """Show what is left to show, and leave the terminal as it was; doing so twice is harmless."""
        if self._registration is not None:
            self._registration.remove()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        self._bell.rung.set()
        try:
            thread.join(_CLOSE_SECONDS)
        finally:
            atexit.unregister(self.close)
            _open.discard(self)
            if self._outputs is not None:
                self._outputs.restore()

    @contextmanager
    def paused(self) -> Generator[None]:
        """Draw nothing for a block, so that the program can ask something there."""
        with self._drawing:
            self._paused += 1
            self._screen.stop()
        try:
            yield
        finally:
            self._paused -= 1

    # -- drawing ---------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            if self._outputs is not None:
                self._outputs.replace()
            self._closing.clear()
            self._thread = threading.Thread(target=self._draw, name="sideband console", daemon=True)
            self._thread.start()
        _open.add(self)
        atexit.register(self.close)

    def _draw(self) -> None:
        """Draw frame by frame; a terminal that is gone ends the drawing, and nothing else."""
        try:
            while not self._closing.is_set():
                self._bell.rung.wait()
                self._bell.rung.clear()
                running = True
                while running and not self._closing.is_set():
                    running = self._frame()
                    self._closing.wait(self._seconds)
            self._feed.read_into(self._forest)
            self._display.close(self._forest, time.time())
        except (OSError, ValueError):  # closed, or a broken pipe
            with suppress(OSError, ValueError):
                self._screen.stop()

    def _frame(self) -> bool:
        """Draw once; tell whether runs go on."""
        with self._drawing:
            self._feed.read_into(self._forest)
            if not self._paused:
                self._display.show(self._forest, time.time())
        return bool(self._forest.roots)

    def _leave(self) -> None:
        """Forget the terminal: this is a forked process, and it belongs to the other."""
        if self._registration is not None:
            self._registration.remove()
        self._thread = None
        if self._outputs is not None:
            self._outputs.restore()


def _leave_all() -> None:
    for shown in list(_open):
        shown._leave()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)
