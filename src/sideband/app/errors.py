"""What the application raises for its user to act on. May import errors.

AppError
├── NothingToIndexError         no document was found, or none could be read
├── PictureError                (OSError) a picture cannot be written
├── WatchError                  (OSError) a program cannot be watched
└── StoreError                  `path` is the store's file
    ├── StoreNotFoundError      (FileNotFoundError) there is no store yet
    ├── NotAStoreError          (ValueError) the file is something else
    ├── StoreDamagedError       SQLite finds the file broken
    ├── StoreVersionError       made by another version of Sideband
    ├── StoreModelError         (ValueError) its vectors are of another model
    ├── StoreBusyError          (RuntimeError) another process is indexing into it
    ├── StoreLockedError        (TimeoutError) another process keeps it from being read or written
    ├── StoreFullError          (OSError) there is no room for more of it
    └── StoreAccessError        (OSError) it cannot be opened, read or written
"""

from __future__ import annotations

from pathlib import Path

from sideband.errors import SidebandError

__all__ = [
    "AppError",
    "NotAStoreError",
    "NothingToIndexError",
    "PictureError",
    "StoreAccessError",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreModelError",
    "StoreNotFoundError",
    "StoreVersionError",
    "WatchError",
]


class AppError(SidebandError):
    """The root of what the application raises."""


class NothingToIndexError(AppError):
    """No document was found, or none of those found could be read."""

    def __init__(self, places: tuple[str, ...], skipped: int = 0) -> None:
        """Name the places that were searched and count what was skipped there."""
        where = ", ".join(map(repr, places))
        several = (
            f"all {skipped:,} files there were skipped"
            if skipped
            else "no files there of a kind that is read"
        )
        reason = "the only file there was skipped" if skipped == 1 else several
        super().__init__(f"nothing to index in {where}: {reason}")
        self.places = places
        self.skipped = skipped


class WatchError(AppError, OSError):
    """A program cannot be watched."""

    def __init__(self, detail: str) -> None:
        """Pass on what is in the way, and what to do about it."""
        super().__init__(f"nothing can be watched: {detail}")
        self.detail = detail


class PictureError(AppError, OSError):
    """A picture cannot be written."""

    def __init__(self, path: Path, detail: str) -> None:
        """Name the file, and pass on what the system says."""
        super().__init__(f"picture {str(path)!r} cannot be written: {detail}; name another file")
        self.path = path
        self.detail = detail


class StoreError(AppError):
    """The root of what goes wrong with a store; `path` is its file."""

    def __init__(self, path: Path, message: str) -> None:
        """Name the store's file in front of what happened."""
        super().__init__(f"store {str(path)!r}: {message}")
        self.path = path


class StoreNotFoundError(StoreError, FileNotFoundError):
    """There is no store at the path."""

    def __init__(self, path: Path) -> None:
        """Say how to make one."""
        super().__init__(
            path, "there is none yet; make it with `sideband index`, or name another with --store"
        )


class NotAStoreError(StoreError, ValueError):
    """The file at the path is not a store, and was left as it is."""

    def __init__(self, path: Path, what: str) -> None:
        """Say what the file is instead."""
        super().__init__(
            path, f"this is {what}, not a store of Sideband; move it away, or name another with --store"
        )


class StoreDamagedError(StoreError):
    """SQLite finds the file broken."""

    def __init__(self, path: Path, detail: str) -> None:
        """Pass on what SQLite says."""
        super().__init__(
            path,
            f"the file is damaged ({detail}); make it anew with `sideband index --rebuild`, or restore a copy",
        )


class StoreVersionError(StoreError):
    """The store was made by a Sideband whose files differ from this one's."""

    def __init__(self, path: Path, *, found: int, supported: int) -> None:
        """Tell both versions."""
        advice = "update Sideband" if found > supported else "make it anew with `sideband index --rebuild`"
        super().__init__(path, f"its schema is version {found}, this Sideband reads {supported}; {advice}")
        self.found = found
        self.supported = supported


class StoreModelError(StoreError, ValueError):
    """The store holds the vectors of another model; vectors of two models cannot be compared."""

    def __init__(self, path: Path, *, stored: str, wanted: str) -> None:
        """Name both models."""
        super().__init__(
            path,
            f"it was indexed with {stored}, not {wanted}; use another --store, or index anew with --rebuild",
        )
        self.stored = stored
        self.wanted = wanted


class StoreBusyError(StoreError, RuntimeError):
    """Another process is indexing into the store."""

    def __init__(self, path: Path, holder: str) -> None:
        """Tell which process, as far as it is known."""
        super().__init__(
            path,
            f"it is being indexed into by {holder}; wait until that is done, or stop it; "
            "searching works meanwhile",
        )
        self.holder = holder


class StoreFullError(StoreError, OSError):
    """There is no room for more of the store; what was in it is still there."""

    def __init__(self, path: Path, detail: str) -> None:
        """Pass on what the system says."""
        super().__init__(
            path,
            f"there is no room for more ({detail}); what was stored is safe: make room there and run "
            "the same command again, or name a file on another disk with --store",
        )
        self.detail = detail


class StoreLockedError(StoreError, TimeoutError):
    """Another process is writing to the store and did not finish in time."""

    def __init__(self, path: Path, seconds: float) -> None:
        """Tell how long was waited, in seconds."""
        super().__init__(
            path, f"another process has locked it for over {seconds:g} s; try again when it is done"
        )
        self.seconds = seconds


class StoreAccessError(StoreError, OSError):
    """The store cannot be opened, read or written."""

    def __init__(self, path: Path, detail: str) -> None:
        """Pass on what the system says."""
        super().__init__(path, f"cannot be used: {detail}; name another file with --store")
