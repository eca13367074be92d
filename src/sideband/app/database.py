"""The store's SQLite file: opened, checked, its schema, and SQLite's errors in our words. May import app.errors."""

from __future__ import annotations

import errno
import os
import shutil
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
    StoreFullError,
    StoreLockedError,
    StoreNotFoundError,
    StoreVersionError,
)

__all__ = [
    "SCHEMA_VERSION",
    "check_replaceable",
    "connect",
    "disconnect",
    "remove",
    "replace",
    "rows",
    "transaction",
    "translated",
]

SCHEMA_VERSION = 2

_APPLICATION_ID = 0x5342_4E44
"""Stands in the file's header and tells our files from other programs' (the letters SBND)."""

_LOCK_SECONDS = 5.0

_SIDE_FILES = ("-wal", "-shm", "-journal")
_LITTLE_ROOM = 64 * 1024
"""Bytes: less than the side files of an empty store take."""
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

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

    With a model it is opened for writing, and looked through for damage first: some 0.5 s for 1 GB.

    Raises:
        StoreError: it is no store, or cannot be used.
    """
    if path.is_dir():
        raise StoreAccessError(path, "it is a folder")
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if model else 0)
    connection = apsw.Connection(os.fspath(path), flags=flags)
    try:
        with translated(path, connection):
            _set_up(connection, path, model, dimensions)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: apsw.Connection, path: Path, model: str | None, dimensions: int) -> None:
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
        _check_pages(connection, path)
        _prepare_writing(connection)


def disconnect(connection: apsw.Connection) -> None:
    """Close the connection, leaving one file without side files where nobody else has it open."""
    # Another process that has it open keeps the write-ahead log, and folds it in when it closes. On a
    # full disk the log stays beside the file, and is folded in when there is room.
    with suppress(
        apsw.BusyError,
        apsw.LockedError,
        apsw.ReadOnlyError,
        apsw.FullError,
        apsw.IOError,
        apsw.ConnectionClosedError,
    ):
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
        check_replaceable(path)
        for suffix in ("", *_SIDE_FILES):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def replace(path: Path, new: Path) -> None:
    """Put a closed store's file in the place of another, whatever that one's model, version or damage.

    Raises:
        NotAStoreError: the file at `path` is something else.
        StoreAccessError: it cannot be replaced, or the new one is still in use.
    """
    with translated(path):
        check_replaceable(path)
        if os.path.lexists(f"{new}-wal"):
            raise StoreAccessError(path, f"what is to replace it, {str(new)!r}, is not whole yet")
        # The old file's log would be taken for the new one's.
        for suffix in _SIDE_FILES:
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        os.replace(new, path)


def check_replaceable(path: Path) -> None:
    """Check that a path is free, or that its file is a store, in whatever state.

    Raises:
        NotAStoreError: the file is something else.
        StoreAccessError: it cannot be read.
    """
    with translated(path):
        if not path.exists() or (path.is_file() and path.stat().st_size == 0):
            return
        with path.open("rb") as file:
            header = file.read(72)
        if not header.startswith(b"SQLite format 3\0"):
            raise NotAStoreError(path, "no SQLite database")
        if header[68:72] != _APPLICATION_ID.to_bytes(4, "big"):
            raise NotAStoreError(path, "another program's database")


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
def translated(path: Path, connection: apsw.Connection | None = None) -> Generator[None]:
    """Raise SQLite's and the system's errors as the store's; the connection tells more of the system's."""
    try:
        yield
    except StoreError:
        raise
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreLockedError(path, _LOCK_SECONDS) from error
    except apsw.NotADBError as error:
        raise NotAStoreError(path, "no SQLite database") from error
    except apsw.FullError as error:
        raise StoreFullError(path, str(error)) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError, apsw.IOError) as error:
        raise _access_error(path, str(error), connection.system_errno if connection else 0) from error
    except (apsw.CorruptError, UnicodeDecodeError) as error:
        raise StoreDamagedError(path, str(error)) from error
    except (apsw.SQLError, apsw.ConstraintError, apsw.MismatchError) as error:
        # Our statements fit our schema, so a file that refuses them has lost a part of it.
        raise StoreDamagedError(path, str(error)) from error
    except apsw.Error as error:
        raise StoreError(path, f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise _access_error(path, "", error.errno or 0) from error


def _access_error(path: Path, detail: str, number: int) -> StoreError:
    reasons = [reason for reason in (detail, os.strerror(number) if number else "") if reason]
    if number in _NO_ROOM or (not number and _disk_is_full(path)):
        return StoreFullError(path, reasons[-1])
    return StoreAccessError(path, ": ".join(reasons) or "input/output error")


def _disk_is_full(path: Path) -> bool:
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free < _LITTLE_ROOM
    return False


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
    # A transaction stays in memory up to its end: where the disk is full its commit says so, while
    # sqlite-vec, in whose statements it would be noticed earlier, calls it an error of its own.
    connection.pragma("cache_spill", 0)


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


def _check_pages(connection: apsw.Connection, path: Path) -> None:
    # What is written to a file whose pages are in disorder may land on others that are whole.
    found = str(rows(connection, "PRAGMA quick_check(1)")[0][0])
    if found != "ok":
        raise StoreDamagedError(path, " ".join(found.split()))
