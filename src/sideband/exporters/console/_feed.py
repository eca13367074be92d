"""What changed in a history, for the terminal. May import the history and the forest."""

from __future__ import annotations

from typing import final

from sideband.exporters.console._forest import Forest
from sideband.exporters.console._reading import node_of
from sideband.exporters.history import History, Position

__all__ = ["Feed"]


@final
class Feed:
    """Reads on in a history.

    Threads: for one thread.
    """

    def __init__(self, history: History) -> None:
        """Begin before the first change."""
        self._history = history
        self._position: Position | None = None

    def read_into(self, forest: Forest) -> bool:
        """Take what changed into a forest; tell whether there was anything."""
        changes = self._history.changes(self._position)
        self._position = changes.position
        forest.tell(map(node_of, changes.records))
        forest.forget(map(str, changes.dropped))
        return bool(changes.records)
