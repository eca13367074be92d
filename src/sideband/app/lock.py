"""One indexer a store at a time. May import app.errors and the database.

SQLite's own lock is held for one transaction, so two indexers would take turns, each embedding what
the other stores. Here the second is told at once. Readers do not ask.

1. The lock is the system's, on a file beside the store: it goes with its process, however that ends.
2. The file tells who holds the lock, to be named to the next; what is in it decides nothing.
3. It is deleted while the lock is held: whoever had it open by then finds it gone, and opens a new one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sideband.app.database import translated
from sideband.app.errors import StoreBusyError

__all__ = ["indexing"]


@contextmanager
def indexing(path: Path) -> Generator[None]:
    """Be the only one to index into a store for the block; the folders above it are made.

    Raises:
        StoreBusyError: another process, or another block of this one, is indexing into it.
        StoreAccessError: the lock's file cannot be made.
    """
    file = Path(f"{path}.lock")
    # Not one thread's own: a block may be entered in one worker thread and left in another.
    lock = FileLock(file, timeout=0, thread_local=False)
    with translated(path):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise StoreBusyError(path, _holder(file)) from error
    try:
        # Windows lets nobody write to a file that is locked, nor delete it.
        with suppress(OSError):
            file.write_text(f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        yield
    finally:
        with suppress(OSError):
            file.unlink()
        lock.release()


def _holder(file: Path) -> str:
    try:
        return file.read_text() or "another process"
    except OSError:
        return "another process"
