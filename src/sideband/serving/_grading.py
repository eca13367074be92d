"""What the policy has to know of an item: its key, its cost, its priority. Asked in the caller, which gets the errors."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from itertools import groupby
from numbers import Real
from typing import Any, final

from sideband.errors import OversizedItemError
from sideband.serving._parts import Items, Receiver
from sideband.serving._settings import Settings

__all__ = ["Grading", "check_priority"]

_UTMOST = 1_000_000
"""The greatest priority, and the least with a minus: what an age in seconds can still be compared with."""


def check_priority(priority: Any) -> None:
    """Refuse what is no priority.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is out of range.
    """
    if not isinstance(priority, int) or isinstance(priority, bool):
        msg = f"priority must be a whole number, got {priority!r}"
        raise TypeError(msg)
    if not -_UTMOST <= priority <= _UTMOST:
        msg = f"priority must be between {-_UTMOST} and {_UTMOST}, got {priority!r}"
        raise ValueError(msg)


@final
class Grading:
    """Asks `key` and `cost` of a serving, and checks what they say."""

    __slots__ = ("_cost", "_key", "_name", "_utmost")

    def __init__(self, settings: Settings) -> None:
        """Ask as these settings say."""
        self._name = settings.name
        self._key = settings.key
        self._cost = settings.cost
        self._utmost = sys.float_info.max  # the greatest cost that is taken
        if settings.oversized == "refuse" and settings.max_cost is not None:
            self._utmost = settings.max_cost

    def grade(self, item: Any, priority: int) -> tuple[Hashable, float]:
        """Return the key and the cost of an item; check its priority.

        Raises:
            Exception: what `key` or `cost` raised.
            TypeError: the key is not hashable, the cost or the priority no number.
            ValueError: the cost is negative or not finite, the priority out of range.
            OversizedItemError: the item costs too much.
        """
        # Written out, since it is done for each item: the checks as functions are below.
        if priority and not (type(priority) is int and -_UTMOST <= priority <= _UTMOST):
            check_priority(priority)
        key: Any = None
        cost: Any = 0
        if self._key is not None:
            key = self._key(item)
            try:
                hash(key)
            except TypeError:
                self._checked_key(key)
        if self._cost is not None:
            cost = self._cost(item)
            if not ((type(cost) is float or type(cost) is int) and 0 <= cost <= self._utmost):
                cost = self._checked_cost(cost)
        return key, cost

    def parts(self, receiver: Receiver, values: list[Any], now: float, base: int = 0) -> list[Items[Any]]:
        """Return the parts of a request, from its item `base` on: rows of neighbouring items with equal keys.

        Raises:
            Exception: as `grade`.
        """
        if self._key is None and self._cost is None:
            return [Items(receiver, values, base, len(values), now, base)]
        costs = None if self._cost is None else [self._checked_cost(self._cost(item)) for item in values]
        if self._key is None:
            rows: list[tuple[Hashable, int]] = [(None, len(values))]
        else:
            keys = [self._checked_key(self._key(item)) for item in values]
            rows = [(key, len(list(row))) for key, row in groupby(keys)]
        parts: list[Items[Any]] = []
        start = base
        for key, size in rows:
            part = Items(receiver, values, start, size, now, base)
            part.key = key
            if costs is not None:
                part.costing(costs)
            parts.append(part)
            start += size
        return parts

    def _checked_key(self, key: Any) -> Hashable:
        try:
            hash(key)
        except TypeError as error:
            msg = f"serving {self._name!r}: key must give something hashable, got {key!r}"
            raise TypeError(msg) from error
        hashable: Hashable = key
        return hashable

    def _checked_cost(self, given: Any) -> float:
        if isinstance(given, bool) or not isinstance(given, Real):
            msg = f"serving {self._name!r}: cost must give a number, got {given!r}"
            raise TypeError(msg)
        exact: Any = given  # whole numbers may be too large for a float
        cost: float = exact if type(exact) is int else float(given)
        if not 0 <= cost <= sys.float_info.max:
            msg = f"serving {self._name!r}: cost must give a finite number, not negative, got {given!r}"
            raise ValueError(msg)
        if cost > self._utmost:
            raise OversizedItemError(self._name, cost=cost, max_cost=self._utmost)
        return cost
