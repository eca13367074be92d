"""What a payload counts for in a queue that is bounded in bytes: a cheap, bounded estimate. Knows nothing of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from itertools import islice
from typing import Any, cast

__all__ = ["size_of"]

_OBJECT = 64
"""Bytes for whatever cannot be looked into."""

_COLLECTIONS = frozenset({list, tuple, set, frozenset})
_DEPTH = 3
_SAMPLE = 8


def size_of(payload: Any, depth: int = _DEPTH) -> int:
    """Estimate the bytes of a payload without looking at more than some hundred objects.

    Text counts a byte a character, binary data and arrays (`nbytes`) their length; lists, tuples, sets,
    mappings and dataclasses what their first eight entries come to, scaled to their length, three levels
    deep; anything else 64 bytes.
    """
    if isinstance(payload, str | bytes | bytearray):
        return _OBJECT + len(payload)
    kind = cast("Any", type(payload))
    if depth == 0 or kind is int or kind is float:
        return _OBJECT
    if kind in _COLLECTIONS:
        return _sampled(payload, payload, depth)
    if kind is dict:
        return _sampled(payload.values(), payload, depth)
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is not None:
        values = [getattr(payload, name, None) for name in islice(fields, _SAMPLE)]
        return _sampled(values, fields, depth)
    found = payload.nbytes if hasattr(kind, "nbytes") else 0
    return _OBJECT + (found if isinstance(found, int) else 0)


def _sampled(values: Iterable[Any], whole: Sized, depth: int) -> int:
    count = len(whole)
    try:
        seen = [size_of(value, depth - 1) for value in islice(values, _SAMPLE)]
    except RuntimeError:  # another thread changes it meanwhile
        seen = []
    return _OBJECT + (sum(seen) * count // len(seen) if seen else count * _OBJECT)
