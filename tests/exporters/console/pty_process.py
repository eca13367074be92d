"""A real process at a real pseudo-terminal: what it writes there, and what stands there in the end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.exporters.console.terminal import Terminal


class PtyProcess:
    """Runs a command with a terminal as its standard input, output and error."""

    def __init__(
        self, command: list[str], *, columns: int = 72, rows: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        self._terminal, slave = pty.openpty()
        self._rows = rows
        self.resize(columns)
        # The driver's translation of line ends is left to the emulator, and it does not echo what is typed.
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        plain = {
            name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}
        }
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**plain, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})},
        )  # fmt: skip
        os.close(slave)
        self.output = ""
        self._rest = b""
        self.columns = columns

    @classmethod
    def python(cls, folder: Path, source: str, **options: object) -> PtyProcess:
        program = folder / "program.py"
        program.write_text(source)
        return cls([sys.executable, str(program)], **options)  # type: ignore[arg-type]

    def read_until(self, text: str, seconds: float = 30.0) -> None:
        """Read until some text has come."""
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert self._read(deadline), f"{text!r} did not come: {self.output!r}"

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", self._rows, columns, 0, 0))

    def write(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Take the terminal away."""
        os.close(self._terminal)
        self._terminal = -1

    def end(self, seconds: float = 30.0) -> int:
        """Read to the end, and return the exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(max(1.0, deadline - time.monotonic()))

    @property
    def screen(self) -> Terminal:
        """What stands on the terminal after all that was read."""
        screen = Terminal(self.columns)
        screen.feed(self.output)
        return screen

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            self._rest += os.read(self._terminal, 65_536)
        except OSError:  # the other end is closed
            return False
        # A letter may come in two parts.
        text = self._rest.decode("utf-8", "ignore")
        self._rest = self._rest[len(text.encode()) :]
        self.output += text
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._terminal >= 0:
            os.close(self._terminal)
