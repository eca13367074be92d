"""How far a run says it is. Knows nothing of the rest.

By an event called "progress", whose payload is one of these: a part from 0 to 1; a mapping with what is done and the
total; of a serving's hook, an entry for each item: its part, or anything else if it is done.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

__all__ = ["Progress", "advanced"]

Progress = tuple[float, float]
"""How much is done, and of how much; zero where that is not known."""

_DONE: Final = ("done", "completed", "current", "n")
_TOTAL: Final = ("total", "of")


def advanced(before: Progress, payload: Any) -> Progress:
    """Return how far a run is after an event; as before, where the event does not say."""
    part = _number(payload)
    if part is not None:
        return (part, 1.0) if part <= 1 else before
    if type(payload) is dict:
        told = cast("Mapping[Any, Any]", payload)
        done, total = _first(told, _DONE), _first(told, _TOTAL)
        return before if done is None else (done, before[1] if total is None else total)
    if type(payload) in {list, tuple}:
        entries = cast("list[Any]", payload)
        first = _number(entries[0]) if entries else None
        if first is not None and first <= 1:  # a batch of which every item is as far
            return first, 1.0
        return before[0] + len(entries), before[1]
    return before


def _first(told: Mapping[Any, Any], names: Iterable[str]) -> float | None:
    found = (_number(told.get(name)) for name in names)
    return next((number for number in found if number is not None), None)


def _number(given: Any) -> float | None:
    if type(given) not in {int, float}:
        return None
    try:
        number = float(given)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
