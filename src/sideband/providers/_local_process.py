"""The process of the embedded model, as seen from the one that started it. May import errors."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast, final

from sideband.providers import _local_server
from sideband.providers._errors import LocalModelStartError, LocalModelTimeoutError

__all__ = ["LocalProcess"]

_KEPT_LINES = 100
_TOLD_LINES = 10
_LONGEST_LINE = 4096
_CLOSE_TIMEOUT = 5.0


@final
class LocalProcess:
    """A process that loads a model and serves it until `close`, or until this process is gone."""

    def __init__(self, settings: Mapping[str, object], timeout: float) -> None:
        """Start the process; `wait_until_ready` waits for it."""
        self._path = str(settings["path"])
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._log: deque[str] = deque(maxlen=_KEPT_LINES)
        self._answer: Mapping[str, str] = {}
        self._answered = threading.Event()
        self._popen = subprocess.Popen(  # noqa: S603 - our own program
            # -P: modules are not looked for beside the program, where some are called as the SDKs are.
            [sys.executable, "-P", str(Path(_local_server.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal is meant for the program in front, which may still want its answer's end.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._reader = threading.Thread(target=self._read, name="sideband-local-model", daemon=True)
        self._reader.start()
        with contextlib.suppress(OSError):
            self._input.write(json.dumps(dict(settings)).encode() + b"\n")
            self._input.flush()

    @property
    def url(self) -> str | None:
        """Where it listens; None while it does not yet."""
        return self._answer.get("url")

    @property
    def exit_code(self) -> int | None:
        """How the process ended, negative for a signal; None while it runs."""
        return self._popen.poll()

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines that it wrote."""
        return tuple(self._log)

    @property
    def last_lines(self) -> tuple[str, ...]:
        """As many of them as an error tells."""
        return self.log[-_TOLD_LINES:]

    def wait_until_ready(self) -> None:
        """Return when it answers; where it does not, end it and raise."""
        if not self._answered.wait(max(0.0, self._deadline - time.monotonic())):
            self.close()
            raise LocalModelTimeoutError(self._path, self._timeout, self.last_lines)
        if self.url is None:
            self.close()
            ended = f"its process ended with exit code {self.exit_code}"
            raise LocalModelStartError(self._path, self._answer.get("error", ended), self.last_lines)

    def close(self) -> None:
        """End the process, and by force one that does not end by itself."""
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._popen.wait(_CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._reader.join(_CLOSE_TIMEOUT)

    @property
    def _input(self) -> IO[bytes]:
        return cast("IO[bytes]", self._popen.stdin)

    def _read(self) -> None:
        """Keep the last lines that the process writes, and its answer; run by a thread."""
        with cast("IO[bytes]", self._popen.stdout) as output:
            while line := output.readline(_LONGEST_LINE):
                text = line.decode(errors="replace").strip()
                if text.startswith(_local_server.MARK):
                    self._answer = json.loads(text.removeprefix(_local_server.MARK))
                    self._answered.set()
                elif text:
                    self._log.append(text)
        self._answered.set()
