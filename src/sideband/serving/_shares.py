"""Who of a batch's callers used how much of it. Pure.

1. A share goes by cost where items have one, else by their number; the shares of a batch add up to 1.
2. A usage told for the whole batch is divided at the running sum of the shares, each count rounded there.
   So the parts of a count differ from their exact shares by less than one, and add up to the whole.
3. A usage told for each item needs no division: a part has the sum of its items'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import reduce
from operator import add
from typing import Any, cast

from sideband.components import Usage

__all__ = ["Told", "divided", "summed", "total"]

Told = Usage | Sequence[Usage] | None
"""What a model says that it consumed: for the whole batch, for each item, or nothing."""


def total(usage: Told) -> Usage | None:
    """Return the usage of the whole batch."""
    return usage if usage is None or isinstance(usage, Usage) else summed(usage)


def summed(usages: Iterable[Usage]) -> Usage | None:
    """Return the sum of some usages; None if there are none."""
    found = list(usages)
    return reduce(add, found) if found else None


def divided(usage: Usage | Sequence[Usage], weights: Sequence[tuple[int, float]]) -> list[Usage]:
    """Return the usage of each part of a batch.

    Args:
        usage: of the whole batch, or of each of its items.
        weights: of each part, in their order: how many items it has, and what they cost together; 0 if
            nobody said.
    """
    if not isinstance(usage, Usage):
        return _of_items(usage, [size for size, _ in weights])
    costs = [cost for _, cost in weights]
    measures: Sequence[float] = costs if any(costs) else [size for size, _ in weights]
    whole = sum(measures)
    parts: list[Usage] = []
    reached: float = 0
    amounts = _amounts(usage)
    before = _times(amounts, 0.0)
    for place, measure in enumerate(measures, 1):
        reached += measure
        # The last one ends where the whole does, however the sum was rounded.
        until = _times(amounts, 1.0 if place == len(measures) else reached / whole)
        parts.append(_usage(_minus(until, before)))
        before = until
    return parts


def _of_items(usages: Sequence[Usage], sizes: Sequence[int]) -> list[Usage]:
    parts: list[Usage] = []
    begin = 0
    for size in sizes:
        parts.append(summed(usages[begin : begin + size]) or Usage())
        begin += size
    return parts


def _amounts(usage: Usage) -> dict[str, Any]:
    amounts = {field.name: getattr(usage, field.name) for field in fields(usage)}
    # Of the total what is more than its parts: it has to be right of each caller's part, too.
    amounts["total_tokens"] -= usage.input_tokens + usage.output_tokens
    return amounts


def _usage(amounts: dict[str, Any]) -> Usage:
    amounts["total_tokens"] += amounts["input_tokens"] + amounts["output_tokens"]
    return Usage(**amounts)


def _times(amount: Any, share: float) -> Any:
    if amount is None:
        return None
    if isinstance(amount, Mapping):
        counts = cast("Mapping[str, Any]", amount)
        return {name: _times(count, share) for name, count in counts.items()}
    return round(amount * share) if isinstance(amount, int) else amount * share


def _minus(amount: Any, before: Any) -> Any:
    if amount is None:
        return None
    if isinstance(amount, Mapping):
        counts = cast("Mapping[str, Any]", amount)
        return {name: _minus(count, before[name]) for name, count in counts.items()}
    return amount - before
