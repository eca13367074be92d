"""Tells `sideband watch`, which started this process, of its runs. May import the core, the history and what is shown.

1. It is attached by `import sideband` where the environment variable `SIDEBAND_WATCH` names a socket; a program that
   does not import it, or is not watched, pays nothing.
2. A handler notes what happens in a `History`, which is bounded; one thread sends what changed. Nobody else waits.
3. Whatever fails here (the watcher is gone, its socket is not its own) ends the telling, and nothing else.
4. A line of JSON at a time: first who tells, then what changed. Nothing is received.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import threading
from typing import Any, Final, cast, final

from sideband.exporters.console._reading import node_of, to_wire
from sideband.exporters.history import History, Position
from sideband.exporters.history._capture import CaptureMode
from sideband.handlers import Handler, compose
from sideband.handlers._exit import process_end
from sideband.runs import Run
from sideband.scope import Registration, add_global_handler

__all__ = ["CAPTURE", "SOCKET", "attach", "attached"]

SOCKET: Final = "SIDEBAND_WATCH"
"""The environment variable with the watcher's socket."""
CAPTURE: Final = "SIDEBAND_WATCH_CAPTURE"
"""The environment variable that says whether payloads are told: "on", "redacted", "off"."""

_SECONDS: Final = 0.1
_SEND_SECONDS: Final = 30.0
_MAX_RUNS: Final = 10_000
_RUNS_A_LINE: Final = 500


@final
class _Relay(Handler):
    """The thread that tells; as a handler it wakes it at the start of a run."""

    close_timeout: float = 2.0

    def __init__(self, path: str, capture: CaptureMode | None) -> None:
        self._path = path
        self._history = History(
            max_runs=_MAX_RUNS,
            max_bytes=4_000_000,
            max_value=500,
            max_chunks=64,
            max_events=8,
            capture=capture,
        )
        self._position: Position | None = None
        self._latest = 0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = False
        self.gone = False
        """Whether there is nobody to tell."""
        self._waiting: list[threading.Event] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.registration: Registration = add_global_handler(compose(self, self._history))

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002, ARG002 - as every handler
        if self._thread is None:
            self._start()
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Wait until what has happened so far is told."""
        if self._thread is None or not self._thread.is_alive():
            return True
        told = threading.Event()
        self._waiting.append(told)
        self._look()
        return told.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Wait likewise, and tell nothing more."""
        self.registration.remove()
        self._closing = True
        self._look()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _look(self) -> None:
        self._wake.set()
        self._hurry.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                process_end.working.add(self)
                process_end.hook()
                self._thread = threading.Thread(target=self._run, name="sideband watch", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        try:
            with _connected(self._path) as to:
                self._send(
                    to,
                    {"pid": os.getpid(), "program": os.path.basename(sys.argv[0])[:80] if sys.argv else ""},
                )
                self._tell_all(to)
        except OSError:
            pass
        finally:
            self.gone = True
            self.registration.remove()
            process_end.working.discard(self)
            self._answer(len(self._waiting))

    def _tell_all(self, to: socket.socket) -> None:
        while True:
            self._wake.wait()  # for a start, a flush or the close
            self._wake.clear()
            closing, waiting = self._closing, len(self._waiting)
            if self._tell(to):  # what goes on is looked at again
                self._wake.set()
            self._answer(waiting)
            if closing:
                return
            self._hurry.wait(_SECONDS)
            self._hurry.clear()

    def _answer(self, count: int) -> None:
        for told in self._waiting[:count]:
            told.set()
        del self._waiting[:count]

    def _tell(self, to: socket.socket) -> bool:
        changes = self._history.changes(self._position)
        self._position = changes.position
        nodes = [node_of(record) for record in changes.records]
        unseen = sum(number > self._latest for number in changes.dropped)
        self._latest = max([self._latest, *(node.order for node in nodes), *changes.dropped])
        if nodes or changes.dropped:
            self._send(
                to, {"runs": list(map(to_wire, nodes)), "gone": list(changes.dropped), "unseen": unseen}
            )
        return self._history.totals.running > 0

    @staticmethod
    def _send(to: socket.socket, told: dict[str, Any]) -> None:
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        to.sendall(text.encode("utf-8", "replace") + b"\n")


_relays: list[_Relay] = []
"""The one of this process, or none."""


def attach() -> None:
    """Tell whoever is named by the environment of this process's runs, if somebody is; never fails."""
    path = os.environ.get(SOCKET, "")
    if _relays or not path or not hasattr(socket, "AF_UNIX"):
        return
    mode = os.environ.get(CAPTURE)
    _relays.append(_Relay(path, cast("CaptureMode", mode) if mode in {"on", "redacted", "off"} else None))
    os.register_at_fork(after_in_child=_attach_anew)


def attached() -> bool:
    """Tell whether this process is watched, so that it need not show its runs itself."""
    return any(not relay.gone for relay in _relays)


def _attach_anew() -> None:
    """Tell of this forked process by a connection of its own."""
    for relay in _relays:
        relay.registration.remove()
    _relays[:] = [_Relay(relay._path, relay._history.capture) for relay in _relays]


def _connected(path: str) -> socket.socket:
    """Connect to the watcher, whose folder nobody else can enter.

    Raises:
        OSError: it is gone, or the folder is not this user's own.
    """
    folder = os.stat(os.path.dirname(path))
    if folder.st_uid != os.geteuid() or stat.S_IMODE(folder.st_mode) & 0o077:
        raise PermissionError(f"the folder of {path!r} is not this user's own")
    to = socket.socket(socket.AF_UNIX)
    to.settimeout(_SEND_SECONDS)
    try:
        to.connect(path)
    except OSError:
        to.close()
        raise
    return to
