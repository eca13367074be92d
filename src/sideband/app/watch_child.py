"""The watched program: started, its output led past what is drawn, signals sent on to it. May import the console.

It stays in the terminal's foreground, so that the keyboard is its own: Ctrl-C reaches it from the terminal, and is not
sent on to it a second time. Where its output would be a terminal it is one, of its own (a pseudo-terminal), of the same
size; where it would be a file or a pipe, it is that itself.
"""

from __future__ import annotations

import codecs
import errno
import fcntl
import os
import pty
import selectors
import signal
import subprocess
import termios
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Self, final

from sideband.exporters.console._screen import Screen

__all__ = ["Child", "FileSource"]

_SENT_ON: Final = [
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if (number := getattr(signal, name, None)) is not None
]
_FROM_THE_KEYBOARD: Final = (signal.SIGINT, signal.SIGQUIT)


@final
class FileSource:
    """A file that ends at the terminal, by its number."""

    def __init__(self, number: int) -> None:
        """Write to an open file."""
        self.number = number

    def raw(self, text: str) -> None:
        """Write all of it at once."""
        data = memoryview(text.encode("utf-8", "surrogateescape"))
        while data:
            data = data[os.write(self.number, data) :]


@final
class Child:
    """A command that is executed; a context manager."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], screen: Screen | None, out: FileSource | None
    ) -> None:
        """Start it.

        Args:
            command: the program and its arguments.
            env: its environment.
            screen: where its output is shown; None to leave its output alone.
            out: the terminal.

        Raises:
            OSError: it cannot be started.
        """
        self._screen = screen
        self._out = out
        self._previous: dict[int, Any] = {}
        self._ended: int | None = None
        files: dict[int, int] = {}
        self.terminal: int | None = None
        if screen is not None and out is not None:
            self.terminal, slave = pty.openpty()
            _imitate(out.number, slave)
            files = {number: slave for number in (1, 2) if os.isatty(number)}
            # Animations of rich's would be in the way of the drawing; they stand still, in colour.
            env = {"TTY_INTERACTIVE": "0", **env}
        try:
            self.process = subprocess.Popen(command, env=env, stdout=files.get(1), stderr=files.get(2))  # noqa: S603 - as asked for
        except BaseException:
            if self.terminal is not None:
                os.close(self.terminal)
            raise
        finally:
            for slave in set(files.values()):
                os.close(slave)

    def __enter__(self) -> Self:
        """Send on to it the signals that this process gets."""
        for number in _SENT_ON:
            self._previous[number] = signal.signal(number, self._send_on)
        self._previous[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resized)
        self._previous[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._suspended)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, if it has not ended, and give the signals back."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        for file in (self.terminal, self._ended):
            if file is not None:
                os.close(file)

    @property
    def code(self) -> int:
        """Its exit code, or 128 and the number of the signal that ended it."""
        code = self.process.wait()
        return code if code >= 0 else 128 - code

    def leave(self) -> None:
        """Show its output no longer: its terminal is gone for it, too."""
        terminal, self.terminal = self.terminal, None
        if terminal is not None:
            os.close(terminal)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Show its output as it comes, and wake the selector when it ends."""
        if hasattr(os, "pidfd_open"):
            self._ended = ended = os.pidfd_open(self.process.pid)
            selector.register(ended, selectors.EVENT_READ, lambda: selector.unregister(ended))
        terminal, screen, out = self.terminal, self._screen, self._out
        if terminal is None or screen is None or out is None:
            return
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

        def pass_on() -> None:
            data = _read(terminal)
            if not data:
                selector.unregister(terminal)
            screen.write(out, decoder.decode(data, final=not data))

        selector.register(terminal, selectors.EVENT_READ, pass_on)

    # -- signals ---------------------------------------------------------------------------------

    def _send_on(self, number: int, _: FrameType | None) -> None:
        if number in _FROM_THE_KEYBOARD and _in_the_foreground():
            return  # the program has it from the terminal, as this one has
        self.process.send_signal(number)

    def _resized(self, number: int, _: FrameType | None) -> None:
        if self.terminal is not None and self._out is not None:
            _imitate_size(self._out.number, self.terminal)
            self.process.send_signal(number)

    def _suspended(self, _: int, __: FrameType | None) -> None:
        """Leave the terminal to the shell for as long as it takes; the program is stopped, too."""
        if self._screen is not None:
            self._screen.stop()
        os.kill(os.getpid(), signal.SIGSTOP)


def _read(terminal: int) -> bytes:
    """Return what is there to read; nothing where nobody can write any more."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError as error:
        if error.errno != errno.EIO:  # how Linux says it
            raise
        return b""


def _in_the_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # standard input is no terminal
        return False


def _imitate(real: int, other: int) -> None:
    """Give a terminal the settings of another; what it is given to print is left as it is for that one."""
    modes = termios.tcgetattr(real)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(other, termios.TCSANOW, modes)
    _imitate_size(real, other)


def _imitate_size(real: int, other: int) -> None:
    size = fcntl.ioctl(real, termios.TIOCGWINSZ, bytes(8))
    fcntl.ioctl(other, termios.TIOCSWINSZ, size)
