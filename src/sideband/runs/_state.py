"""A place for what one handler keeps between the timings of one run."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, final

__all__ = ["State"]


@final
class State(MutableMapping[object, Any]):
    """A mapping from a handler to what it keeps, by identity: any object can be a key.

    Reading a key that is not there makes a `dict` for it, so that `run.state[self]["span"] = span`
    works; assigning (`run.state[self] = span`) keeps any other value instead.
    """

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        """Start empty."""
        self._slots: dict[int, tuple[object, Any]] = {}

    def __getitem__(self, key: object) -> Any:
        """Return what `key` keeps, a new `dict` if it kept nothing."""
        # setdefault is atomic, so two threads of one run share one mapping.
        slot = self._slots.get(id(key)) or self._slots.setdefault(id(key), (key, {}))
        return slot[1]

    def __setitem__(self, key: object, value: Any) -> None:
        """Keep `value` for `key`."""
        self._slots[id(key)] = (key, value)

    def __delitem__(self, key: object) -> None:
        """Forget what `key` keeps."""
        if self._slots.pop(id(key), None) is None:
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        """Tell whether `key` keeps anything, without making a mapping for it."""
        return id(key) in self._slots

    def __iter__(self) -> Iterator[object]:
        """Iterate over the handlers that keep something."""
        return (key for key, _ in list(self._slots.values()))

    def __len__(self) -> int:
        """Count the handlers that keep something."""
        return len(self._slots)
