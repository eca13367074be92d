"""Parses files in a process of its own, which a hostile file may bring down. May import the formats' text.

The process is started for the first file that needs it, serves any number of them, one at a time,
and is started anew after a file that ended it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any, cast, final

from sideband.app.formats.extracted import MAX_CHARACTERS, Extracted, FormatError

__all__ = ["PARSE_SECONDS", "Parser", "ParserFailedError"]

PARSE_SECONDS = 60.0
"""How long one file may take; then its process is ended, and the file is skipped."""

_LOCK_SECONDS = 0.05
# In JSON a character takes twelve bytes at most; the places are far fewer.
_MAX_ANSWER = 13 * MAX_CHARACTERS


class ParserFailedError(Exception):
    """A file was not parsed, for a reason that may be none of the file's; its text says it."""


@final
class Parser:
    """Gives files to a process that parses them.

    Closing: `close` ends the process, from any thread; a file that is parsed later starts another.
    Threads: any; files are parsed one after another.
    Cost: starting the process takes some 0.1 s, and each format's library once as much.
    """

    def __init__(self, seconds: float = PARSE_SECONDS) -> None:
        """Say how long one file may take."""
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def parse(self, name: str, data: bytes) -> Extracted:
        """Return what is in a file of the format called `name`.

        Raises:
            FormatError: the file cannot be read; the message says why.
            ParserFailedError: the process was ended by the file, by the time it took, or by somebody else.
        """
        with self._lock:
            answer = self._ask(name, data)
        if "reason" in answer:
            raise FormatError(answer["reason"])
        places = [(int(start), str(place)) for start, place in answer["places"]]
        return Extracted(title=answer["title"], text=answer["text"], places=places)

    def close(self) -> None:
        """End the process, and with it the parsing of a file; harmless where there is none."""
        # Whoever waits for an answer holds the lock until the process ends, which may just be about to start.
        while not self._lock.acquire(timeout=_LOCK_SECONDS):
            process = self._process
            if process is not None:
                process.kill()
        try:
            self._end()
        finally:
            self._lock.release()

    def _ask(self, name: str, data: bytes) -> dict[str, Any]:
        late = threading.Event()
        try:
            process = self._started()
        except OSError as error:
            raise ParserFailedError(f"no parser: {sys.executable!r} cannot be started: {error}") from error
        timer = threading.Timer(self._seconds, _kill, (process, late))
        timer.start()
        try:
            line = self._exchange(process, name, data)
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            found: dict[str, Any] = json.loads(line)
            return found
        if not late.is_set():
            # Its pipe is closed before it is gone, and what it ended by is known after that.
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
        code = self._end()
        if late.is_set():
            raise ParserFailedError(f"parsing takes over {self._seconds:g} s")
        raise ParserFailedError(f"its parser crashed ({_how(code)})")

    def _exchange(self, process: subprocess.Popen[bytes], name: str, data: bytes) -> bytes:
        requests, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        request = {"format": name, "size": len(data), "seconds": self._seconds}
        try:
            requests.write(json.dumps(request).encode() + b"\n" + data)
            requests.flush()
            return answers.readline(_MAX_ANSWER)
        except OSError:
            return b""

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None:
            # -P: a module beside the documents is not taken for one of Python's.
            command = [sys.executable, "-P", "-m", "sideband.app.formats.worker"]
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process

    def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        # Closing the pipes writes what the process did not take any more.
        try:
            process.communicate()
        except OSError:
            process.wait()
        return process.returncode


def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
