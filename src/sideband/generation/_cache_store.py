"""Where answers are kept: a small protocol, and a store in memory. Knows nothing of the other layers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Protocol, final, runtime_checkable

__all__ = ["CacheStore", "MemoryStore"]


@runtime_checkable
class CacheStore(Protocol):
    """Keeps bytes by key: in memory, in files, on a server.

    Both methods may be called at the same time. One that raises is logged, and the answer goes on without the cache.
    """

    async def get(self, key: str, /) -> bytes | None:
        """Return what is kept; None where nothing is, or no more."""
        ...

    async def put(self, key: str, value: bytes, /) -> None:
        """Keep a value, in place of what was kept."""
        ...


@final
class MemoryStore:
    """Keeps what was used last, in memory.

    Threads: one event loop, or several one after the other.
    """

    def __init__(
        self, *, max_entries: int = 1_000, max_bytes: int = 64 * 2**20, ttl: float | None = 3600.0
    ) -> None:
        """Start empty.

        Args:
            max_entries: the most entries that are kept; who was used longest ago goes first.
            max_bytes: the most bytes of all values together; a value that is larger by itself is not kept.
            ttl: seconds after which an entry is no more, by the event loop's clock; None for never.

        Raises:
            ValueError: a limit is not positive.
        """
        if max_entries < 1 or max_bytes < 1 or (ttl is not None and ttl <= 0):
            raise ValueError(
                f"limits must be positive, got max_entries={max_entries!r}, max_bytes={max_bytes!r}, ttl={ttl!r}"
            )
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._ttl = ttl
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self.bytes: int = 0
        """How many bytes are kept."""

    def __len__(self) -> int:
        """Return how many entries are kept, those included whose time is up and which nobody asked for since."""
        return len(self._kept)

    async def get(self, key: str, /) -> bytes | None:
        """Return what is kept, and count it as used."""
        value, since = self._kept.get(key, (None, 0.0))
        if value is None:
            return None
        if self._ttl is not None and asyncio.get_running_loop().time() - since >= self._ttl:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return value

    async def put(self, key: str, value: bytes, /) -> None:
        """Keep a value, and let go of what there is no room for."""
        if key in self._kept:
            self._drop(key)
        if len(value) > self._max_bytes:
            return
        self._kept[key] = (value, asyncio.get_running_loop().time())
        self.bytes += len(value)
        while len(self._kept) > self._max_entries or self.bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        value, _ = self._kept.pop(key)
        self.bytes -= len(value)
