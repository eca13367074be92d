"""What goes through the pipe between a serving and its worker process. Knows neither of them.

1. A message is two frames: a header, which is always readable, and a body, which is the user's.
2. A body is one pickle of all its entries. Where that cannot be made or read, the entries are pickled one
   by one, so that one that cannot cross fails alone.
3. An exception crosses as itself where it survives being pickled, and as a `RemoteError` where it does not.
"""

from __future__ import annotations

import pickle
import threading
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, final

from sideband.errors import RemoteError, UnpicklableError
from sideband.serving._parts import is_error

__all__ = ["Channel", "pack", "pack_singly", "portable", "unpack", "unpack_singly"]


@final
class Channel:
    """One end of the pipe; any thread may send, one at a time receives."""

    __slots__ = ("_connection", "_lock", "heard")

    def __init__(self, connection: Connection) -> None:
        """Take over a connection."""
        self._connection = connection
        self._lock = threading.Lock()
        self.heard = False
        """Whether something was received; whoever wants to know sets it back."""

    def send(self, *header: Any, body: bytes = b"") -> None:
        """Send a message.

        Raises:
            OSError: the other side is gone.
        """
        frame = pickle.dumps(header, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._connection.send_bytes(frame)
            self._connection.send_bytes(body)

    def receive(self) -> tuple[tuple[Any, ...], bytes]:
        """Wait for the next message.

        Raises:
            EOFError: the other side is gone.
            OSError: likewise.
        """
        header: tuple[Any, ...] = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - our own other half
        self.heard = True
        return header, self._connection.recv_bytes()

    def close(self) -> None:
        """Close this end; the other side notices."""
        self._connection.close()


def pack(entries: Sequence[Any]) -> bytes | None:
    """Return all entries in one pickle; None if one of them cannot be pickled."""
    try:
        return pickle.dumps(entries, pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - whatever an object's own way to be pickled raises
        return None


def pack_singly(entries: Sequence[Any]) -> bytes:
    """Return the entries, each pickled by itself with the name of its type, or why it cannot be."""
    packed: list[tuple[str, bytes | str]] = []
    for entry in entries:
        try:
            packed.append((_name(entry), pickle.dumps(entry, pickle.HIGHEST_PROTOCOL)))
        except Exception as error:  # noqa: BLE001 - as above
            packed.append((_name(entry), f"cannot be pickled ({_short(error)})"))
    return pickle.dumps(packed, pickle.HIGHEST_PROTOCOL)


def unpack(body: bytes) -> list[Any] | None:
    """Return the entries of one pickle; None if it cannot be read."""
    try:
        entries: list[Any] = pickle.loads(body)  # noqa: S301 - from our own other half
    except Exception:  # noqa: BLE001 - whatever an object's own way to be made again raises
        return None
    return entries


def unpack_singly(body: bytes, serving: str, what: str) -> tuple[list[Any], dict[int, UnpicklableError]]:
    """Return the entries that crossed, and by its place an error for each that did not."""
    entries: list[Any] = []
    failed: dict[int, UnpicklableError] = {}
    for place, (kind, packed) in enumerate(pickle.loads(body)):  # noqa: S301 - as above
        if isinstance(packed, bytes):
            try:
                entries.append(pickle.loads(packed))  # noqa: S301 - as above
                continue
            except Exception as error:  # noqa: BLE001 - as above
                packed = f"cannot be unpickled in the other process ({_short(error)})"  # noqa: PLW2901
        failed[place] = UnpicklableError(serving, what, kind, packed)
    return entries, failed


def portable(error: BaseException, serving: str) -> BaseException:
    """Return an exception that survives being pickled: the very one, or a `RemoteError` with its text."""
    try:
        copy = pickle.loads(pickle.dumps(error, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - made here
    except Exception:  # noqa: BLE001 - whatever its own way to be pickled raises
        copy = None
    if is_error(copy) and type(copy) is type(error):
        return error
    text = "".join(traceback.format_exception_only(error)).strip()
    return RemoteError(serving, _name(error), text)


def _name(entry: object) -> str:
    kind = type(entry)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _short(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
