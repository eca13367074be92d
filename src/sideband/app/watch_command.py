"""`sideband watch`: a program is executed, and its runs are drawn below what it prints. May import the console."""

from __future__ import annotations

import os
import selectors
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import final

from rich.console import Console

from sideband.app.watch_child import Child, FileSource
from sideband.app.watch_server import WatchServer
from sideband.exporters._relay import CAPTURE, SOCKET
from sideband.exporters.console._display import (
    Display,
    PlainDisplay,
    TerminalDisplay,
    is_live,
    rich_console,
)
from sideband.exporters.console._forest import Forest
from sideband.exporters.console._screen import Screen

__all__ = ["WatchOptions", "run_watch"]

_FRAME_SECONDS = 1 / 6
_LAST_SECONDS = 0.3
"""How long a program's last words may take that are on their way when it has ended."""
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """What was asked for."""

    command: tuple[str, ...]
    plain: bool = False
    max_depth: int = 8
    capture: str | None = None


def run_watch(options: WatchOptions) -> int:
    """Execute the command, show its runs, and return its exit code."""
    forest = Forest()
    out, console = _terminal(plain=options.plain)
    screen = None if out is None else Screen(out, lambda: console.size.width, time.monotonic)
    display: Display = (
        PlainDisplay(sys.stderr, console)
        if screen is None
        else TerminalDisplay(screen, console, max_depth=options.max_depth)
    )
    with selectors.DefaultSelector() as selector, WatchServer(selector, forest) as server:
        env = {**os.environ, SOCKET: str(server.path)}
        if options.capture is not None:
            env[CAPTURE] = options.capture
        try:
            child = Child(options.command, env, screen, out)
        except OSError as error:
            return _not_started(options.command[0], error)
        server.main = child.process.pid
        with child:
            child.watch(selector)
            try:
                _show(child, selector, forest, display)
                display.close(forest, time.time())
            except OSError:  # the terminal is gone; what becomes of the program is its own affair
                child.leave()
            code = child.code
        if not server.heard:
            _tell(
                f"no run was seen: {options.command[0]!r} made none, or its sideband is one that cannot be watched"
            )
        return code


def _terminal(*, plain: bool) -> tuple[FileSource | None, Console]:
    """Return the terminal on which can be drawn, standard error if it is one, or None; and what is known of it."""
    for number, file in ((2, sys.stderr), (1, sys.stdout)):
        console = rich_console(file)
        if not plain and os.isatty(number) and is_live(console):
            return FileSource(number), console
    return None, rich_console(sys.stderr)


def _show(child: Child, selector: selectors.BaseSelector, forest: Forest, display: Display) -> None:
    """Pass on and draw until the program has ended and nothing more comes from it."""
    drawn = time.monotonic()
    while child.process.poll() is None:
        _read(selector, max(0.0, drawn + _FRAME_SECONDS - time.monotonic()))
        if time.monotonic() - drawn >= _FRAME_SECONDS:
            drawn = time.monotonic()
            display.show(forest, time.time())
    last = time.monotonic() + _LAST_SECONDS
    # What is always there is the socket by which processes tell.
    while len(selector.get_map()) > 1 and time.monotonic() < last and _read(selector, 0.05):
        pass


def _read(selector: selectors.BaseSelector, seconds: float) -> bool:
    """Take in what has come, or comes in time; tell whether anything did."""
    ready = selector.select(seconds)
    for key, _ in ready:
        key.data()
    return bool(ready)


def _not_started(program: str, error: OSError) -> int:
    if isinstance(error, FileNotFoundError):
        _tell(f"no program {program!r} was found; name one as in: sideband watch -- python app.py")
        return _NOT_FOUND
    _tell(f"{program!r} cannot be executed: {error.strerror or error}")
    return _NOT_EXECUTABLE


def _tell(message: str) -> None:
    line = "".join(letter if letter.isprintable() else " " for letter in message)
    with suppress(OSError):  # nobody reads it any more
        print(f"sideband: {line}", file=sys.stderr)  # noqa: T201 - this is the command line's voice
