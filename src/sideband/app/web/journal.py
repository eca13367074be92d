"""What happened, numbered, so that who lost the connection goes on where it stood. Knows nothing of ours, and no clock.

1. Entries are numbered from 1 without a gap.
2. The latest `capacity` entries are kept. Who has seen entry N gets N+1 and all after it, each once, as long as
   they are kept; otherwise it is told so, and has to start again from the totals as they stand at the last number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, final

__all__ = ["Entry", "Journal"]


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    number: int
    kind: str
    data: Mapping[str, Any]


@final
class Journal:
    """A bounded list of entries.

    Threads: one.
    Cost: of an entry an append; of a look the entries that it gives.
    """

    def __init__(self, capacity: int) -> None:
        """Keep so many entries.

        Raises:
            ValueError: the capacity is less than 1.
        """
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, got {capacity!r}")
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self.last = 0
        """The number of the latest entry; 0 before there was one."""

    def add(self, kind: str, data: Mapping[str, Any]) -> Entry:
        """Write the next entry."""
        self.last += 1
        entry = Entry(self.last, kind, data)
        self._entries.append(entry)
        return entry

    def after(self, number: int) -> list[Entry] | None:
        """Return every entry after a number, oldest first; None where one of them is gone, or never was."""
        missing = self.last - number
        if number < 0 or missing < 0 or missing > len(self._entries):
            return None
        return list(islice(self._entries, len(self._entries) - missing, None))
