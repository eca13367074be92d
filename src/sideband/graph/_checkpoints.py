"""Where graphs that wait are kept. May import errors; knows nothing of graphs but their JSON."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, final, runtime_checkable

__all__ = ["Checkpoints", "MemoryCheckpoints", "SqliteCheckpoints"]


@runtime_checkable
class Checkpoints(Protocol):
    """Keeps texts by id. Its methods may block: graphs call them in threads, several at a time."""

    def save(self, id: str, text: str, /) -> None:  # noqa: A002
        """Keep a text, for good once this has returned."""
        ...

    def load(self, id: str, /) -> str | None:  # noqa: A002
        """Return a text; None if there is none."""
        ...

    def delete(self, id: str, /) -> None:  # noqa: A002
        """Forget a text; harmless if there is none."""
        ...

    def ids(self) -> list[str]:
        """Return the ids of all that is kept, oldest first."""
        ...


@final
class MemoryCheckpoints:
    """Keeps them as long as the process lives."""

    def __init__(self) -> None:
        """Start empty."""
        self._texts: dict[str, str] = {}
        self._lock = threading.Lock()

    def save(self, id: str, text: str, /) -> None:  # noqa: A002
        """Keep a text."""
        with self._lock:
            self._texts[id] = text

    def load(self, id: str, /) -> str | None:  # noqa: A002
        """Return a text; None if there is none."""
        return self._texts.get(id)

    def delete(self, id: str, /) -> None:  # noqa: A002
        """Forget a text; harmless if there is none."""
        with self._lock:
            self._texts.pop(id, None)

    def ids(self) -> list[str]:
        """Return the ids of all that is kept, oldest first."""
        return list(self._texts)


@final
class SqliteCheckpoints:
    """Keeps them in an SQLite file: they outlive the process, also one that is killed.

    The file is made when the first one is kept. It holds what nodes gave and asked, in clear: guard it as you
    guard that.

    Threads: any, and several processes; who writes waits for the others, up to `timeout` seconds.
    Cost: some milliseconds for each, since the disk is waited for.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout: float = 10.0) -> None:
        """Name the file."""
        self.path: Path = Path(path)
        self._timeout = timeout

    def save(self, id: str, text: str, /) -> None:  # noqa: A002
        """Keep a text, for good once this has returned.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        with self._open() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS checkpoints (id TEXT PRIMARY KEY, saved_at REAL NOT NULL, text TEXT NOT NULL)"
            )
            connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", (id, time.time(), text))

    def load(self, id: str, /) -> str | None:  # noqa: A002
        """Return a text; None if there is none.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        found = self._rows("SELECT text FROM checkpoints WHERE id = ?", id)
        return found[0] if found else None

    def delete(self, id: str, /) -> None:  # noqa: A002
        """Forget a text; harmless if there is none.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        self._rows("DELETE FROM checkpoints WHERE id = ?", id)

    def ids(self) -> list[str]:
        """Return the ids of all that is kept, oldest first.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        return self._rows("SELECT id FROM checkpoints ORDER BY saved_at, rowid")

    def _rows(self, query: str, *values: str) -> list[str]:
        if not self.path.exists():
            return []
        with self._open() as connection:
            return [str(row[0]) for row in connection.execute(query, values)]

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        # One for each call: a connection is bound to its thread, and must not be carried over a fork.
        connection = sqlite3.connect(self.path, timeout=self._timeout)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
