"""Single files as the file system has them: their bytes, and names fit to be shown. May import the corpus."""

from __future__ import annotations

import os
import stat

from sideband.app.corpus import Skipped

__all__ = ["failed", "read_bytes", "shown"]


def read_bytes(path: str, limit: int) -> bytes | Skipped:
    """Return a regular file's bytes, or why there are none: it is something else, or over the limit.

    Raises:
        OSError: it cannot be opened or read.
    """
    # Opened without waiting, so that a pipe cannot hold the program up, and examined once open, so
    # that what was examined is what is read.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Skipped(path=shown(path), reason="not a regular file")
        data = b"" if status.st_size > limit else file.read(limit + 1)
    if max(status.st_size, len(data)) <= limit:
        return data
    size, most = max(status.st_size, len(data)) / 2**20, limit / 2**20
    return Skipped(
        path=shown(path),
        reason=f"too big: {size:.1f} MiB, at most {most:g} MiB are read; split it, or raise --max-file-size",
    )


def failed(path: str, error: OSError) -> Skipped:
    """Say that a file or folder could not be read; what was stored of it stands as long as it is there."""
    return Skipped(
        path=shown(path),
        reason=error.strerror or str(error),
        keep=not isinstance(error, FileNotFoundError),
    )


def shown(path: str) -> str:
    """Return a path as text: a name that is not valid text can neither be stored nor printed."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
