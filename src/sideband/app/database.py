"""The store's SQLite file: opened, checked, its schema, and SQLite's errors in our words. May import app.errors."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import apsw
import sqlite_vec

from sideband.app.errors import (
    NotAStoreError,
    StoreAccessError,
    StoreDamagedError,
    StoreError,
    StoreLockedError,
    StoreNotFoundError,
    StoreVersionError,
)

__all__ = ["SCHEMA_VERSION", "connect", "disconnect", "remove", "rows", "transaction", "translated"]

SCHEMA_VERSION = 2

_APPLICATION_ID = 0x5342_4E44
"""Stands in the file's header and tells our files from other programs' (the letters SBND)."""

_LOCK_SECONDS = 5.0

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    collection TEXT NOT NULL,
    source TEXT NOT NULL,
    title TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (collection, source)
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    line INTEGER NOT NULL,
    place TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX chunks_by_source ON chunks (source_id);
"""


def connect(path: Path, *, model: str | None = None, dimensions: int = 0) -> apsw.Connection:
    """Open the file and check that it is a store; with a model, make it one if it is new or empty.

    Raises:
        StoreError: it is no store, or cannot be used.
    """
    if path.is_dir():
        raise StoreAccessError(path, "it is a folder")
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if model else 0)
    connection = apsw.Connection(os.fspath(path), flags=flags)
    try:
        connection.set_busy_timeout(int(_LOCK_SECONDS * 1000))
        connection.enable_load_extension(True)
        # sqlite-vec has no annotations.
        connection.load_extension(sqlite_vec.loadable_path())  # type: ignore[no-untyped-call]
        connection.enable_load_extension(False)
        connection.execute("PRAGMA foreign_keys = ON")
        if model is not None and _is_blank(connection):
            _make(connection, model, dimensions)
        _check(connection, path)
        if model is not None:
            _prepare_writing(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def disconnect(connection: apsw.Connection) -> None:
    """Close the connection, leaving one file without side files where nobody else has it open."""
    # Another process that has it open keeps the write-ahead log, and folds it in when it closes.
    with suppress(apsw.BusyError, apsw.LockedError, apsw.ReadOnlyError, apsw.ConnectionClosedError):
        connection.set_busy_timeout(0)
        if connection.pragma("journal_mode") == "wal":
            connection.pragma("journal_mode", "delete")
    connection.close()


def remove(path: Path) -> None:
    """Delete a store's file, whatever its model, version or damage; anything else is left alone.

    Raises:
        NotAStoreError: the file is something else.
        StoreAccessError: it cannot be deleted.
    """
    with translated(path):
        if not path.exists() or path.stat().st_size == 0:
            return
        with path.open("rb") as file:
            header = file.read(72)
        if not header.startswith(b"SQLite format 3\0") or header[68:72] != _APPLICATION_ID.to_bytes(4, "big"):
            raise NotAStoreError(path, "another program's file")
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def rows(connection: apsw.Connection, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Return everything that a query gives."""
    return cast("list[tuple[Any, ...]]", connection.execute(query, cast("Any", tuple(values))).fetchall())


@contextmanager
def transaction(connection: apsw.Connection) -> Generator[None]:
    """Write all of the block or nothing of it."""
    # Taking the write lock first makes a second writer wait here; taken later it would fail at once.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(apsw.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Raise SQLite's and the system's errors as the store's."""
    try:
        yield
    except StoreError:
        raise
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreLockedError(path, _LOCK_SECONDS) from error
    except apsw.NotADBError as error:
        raise NotAStoreError(path, "no SQLite database") from error
    except apsw.CorruptError as error:
        raise StoreDamagedError(path, str(error)) from error
    except (
        apsw.CantOpenError,
        apsw.ReadOnlyError,
        apsw.PermissionsError,
        apsw.FullError,
        apsw.IOError,
    ) as error:
        raise StoreAccessError(path, str(error)) from error
    except (apsw.SQLError, apsw.ConstraintError, apsw.MismatchError) as error:
        # Our statements fit our schema, so a file that refuses them has lost a part of it.
        raise StoreDamagedError(path, str(error)) from error
    except apsw.Error as error:
        raise StoreError(path, f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise StoreAccessError(path, error.strerror or str(error)) from error


def _is_blank(connection: apsw.Connection) -> bool:
    return _application(connection) == 0 and not rows(connection, "SELECT 1 FROM sqlite_schema LIMIT 1")


def _application(connection: apsw.Connection) -> int:
    return int(connection.pragma("application_id"))


def _prepare_writing(connection: apsw.Connection) -> None:
    # With a write-ahead log others may read meanwhile. It cannot be had while others read without
    # one; then writing works all the same.
    with suppress(apsw.BusyError, apsw.LockedError):
        connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "normal")


def _make(connection: apsw.Connection, model: str, dimensions: int) -> None:
    with transaction(connection):
        if not _is_blank(connection):  # another process was quicker
            return
        connection.execute(_SCHEMA)
        # A declaration takes no parameters; the number is one of ours.
        connection.execute(
            f"CREATE VIRTUAL TABLE vectors USING vec0 (embedding FLOAT[{int(dimensions)}] distance_metric=cosine)"
        )
        now = str(time.time())
        meta = {"model": model, "dimensions": str(dimensions), "created_at": now, "updated_at": now}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.pragma("application_id", _APPLICATION_ID)
        connection.pragma("user_version", SCHEMA_VERSION)


def _check(connection: apsw.Connection, path: Path) -> None:
    if _application(connection) != _APPLICATION_ID:
        if _is_blank(connection):
            raise StoreNotFoundError(path)
        raise NotAStoreError(path, "another program's database")
    version = int(connection.pragma("user_version"))
    if version != SCHEMA_VERSION:
        raise StoreVersionError(path, found=version, supported=SCHEMA_VERSION)
