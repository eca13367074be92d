"""Where watched processes tell of their runs: a socket in a folder that nobody else can enter. May import the console.

What comes is another program's: lines of JSON of a bounded length, from a bounded number of processes, checked field by
field. Who sends anything else is not listened to any more.
"""

from __future__ import annotations

import json
import selectors
import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast, final

from sideband.app.errors import WatchError
from sideband.exporters.console._forest import Forest
from sideband.exporters.console._node import Node
from sideband.exporters.console._reading import clean, from_wire

__all__ = ["WatchServer"]

_MOST_BYTES: Final = 16_000_000
_MOST_RUNS: Final = 10_000
_MOST_PROCESSES: Final = 256
_NAME: Final = "watch"


class _NotUnderstoodError(Exception):
    """What came is not what a watched process sends."""


@final
class WatchServer:
    """Takes what processes tell into a forest.

    Closing: takes the folder away; who tells then ends telling.
    Threads: none; `selector` says when there is something to read.
    """

    def __init__(self, selector: selectors.BaseSelector, forest: Forest) -> None:
        """Open the socket.

        Raises:
            WatchError: no folder can be made for it, or one whose name is too long.
        """
        self._selector = selector
        self._forest = forest
        self._processes: dict[socket.socket, _Process] = {}
        self._labels: dict[str, int] = {}
        self.main = 0
        """The process that was started: its runs need no label."""
        self.heard = 0
        """Processes that told of themselves."""
        self._unseen = 0
        self._refused = 0
        self._folder, self._listener = _socket()
        self.path = self._folder / _NAME
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in list(self._processes):
            self._end(connection)
        self._selector.unregister(self._listener)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it is gone again
            return
        if len(self._processes) >= _MOST_PROCESSES:
            self._refused += 1
            connection.close()
            self._note()
            return
        connection.setblocking(False)
        self._processes[connection] = _Process()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        process = self._processes[connection]
        try:
            data = connection.recv(1 << 20)
            if not data:
                self._end(connection)
                return
            for line in process.lines(data):
                self._take(process, _parsed(line))
        except BlockingIOError:
            pass
        except OSError:
            self._end(connection)
        except _NotUnderstoodError:
            self._refused += 1
            self._note()
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        process = self._processes.pop(connection)
        self._selector.unregister(connection)
        connection.close()
        if process.label is not None:
            self._forest.lose(process.label)

    def _take(self, process: _Process, told: dict[str, Any]) -> None:
        if process.label is None:
            process.label = self._label(told)
            self.heard += 1
            return
        runs, gone = _listed(told.get("runs")), _listed(told.get("gone"))
        label = process.label
        nodes = [from_wire(run, label) for run in runs]
        process.told += [node for node in nodes if node is not None]
        if len(process.told) > _MOST_RUNS:
            raise _NotUnderstoodError
        if told.get("more") is True:  # a tree is not to be seen in parts
            return
        self._forest.tell(process.told)
        process.told = []
        self._forest.forget(f"{label}/{number}" for number in gone)
        unseen: Any = told.get("unseen")
        if isinstance(unseen, int) and 0 < unseen < 10**12:
            self._unseen += unseen
            self._note()

    def _label(self, told: dict[str, Any]) -> str:
        pid: Any = told.get("pid")
        if not isinstance(pid, int):
            raise _NotUnderstoodError
        known = clean(str(told.get("program", "")), 24)
        label = "" if pid == self.main else f"{pid} {known}".strip()
        # A number is given anew in time, and one process may tell anew after it has replaced its program.
        self._labels[label] = self._labels.get(label, 0) + 1
        return label if self._labels[label] == 1 else f"{label or pid} #{self._labels[label]}"

    def _note(self) -> None:
        notes: list[str] = []
        if self._unseen:
            notes.append(f"{self._unseen:,} runs too fast to be told")
        if self._refused:
            notes.append(f"{self._refused:,} process{'es' if self._refused > 1 else ''} not listened to")
        self._forest.notes[:] = notes


def _socket() -> tuple[Path, socket.socket]:
    try:
        folder = Path(tempfile.mkdtemp(prefix="sideband-"))  # which is its owner's alone
    except OSError as error:
        raise WatchError(f"no folder for its socket can be made: {error}") from error
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(folder / _NAME))
        listener.listen(64)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        folder.rmdir()
        msg = f"no socket can be made in {str(folder)!r}: {error}; set TMPDIR to a folder with a short name"
        raise WatchError(msg) from error
    return folder, listener


@final
class _Process:
    """What came from a process and is not a whole line yet."""

    def __init__(self) -> None:
        self.label: str | None = None
        """None until it has told who it is."""
        self.told: list[Node] = []
        """Runs of which the rest is still to come."""
        self._parts: list[bytes] = []
        self._size = 0

    def lines(self, data: bytes) -> list[bytes]:
        *ends, rest = data.split(b"\n")
        found: list[bytes] = []
        for end in ends:
            found.append(b"".join([*self._parts, end]))
            self._parts.clear()
            self._size = 0
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > _MOST_BYTES:
            raise _NotUnderstoodError
        return found


def _listed(given: object) -> list[Any]:
    if not isinstance(given, list):
        raise _NotUnderstoodError
    found: list[Any] = cast("Any", given)
    if len(found) > _MOST_RUNS:
        raise _NotUnderstoodError
    return found


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        told: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _NotUnderstoodError from error
    if not isinstance(told, dict):
        raise _NotUnderstoodError
    return cast("dict[str, Any]", told)
