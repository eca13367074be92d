"""Values as text for people: bounded in length, depth and time, without calling what their classes define.

1. Text is itself; mappings, sequences and the fields of objects are lines, indented as in YAML.
2. At most `_NODES` values are looked at, `_ENTRIES` of each collection, `_DEPTH` levels; what is left out is told.
3. What belongs to a key that names a secret is masked.
4. No `__repr__` or `__str__` of a user's class is called, except an exception's own text.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import functools
import pathlib
import re
import uuid
from collections import deque
from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, cast, final

__all__ = ["MASK", "error_text", "field", "is_secret", "shape", "to_text"]

MASK: Final = "••••••"

_NODES = 120
_ENTRIES = 24
_DEPTH = 6
_INLINE = 8

_SECRET = re.compile(
    r"api[_-]?key|authori[sz]ation|(^|[_-])(token|secret|pwd|passwd|bearer)$|(auth|access|refresh|session|id|csrf)[_-]?token"
    r"|secret[_-]?key|client[_-]?secret|pass(word|phrase)|credential|private[_-]?key|(^|[_-])(set[_-])?cookies?$",
    re.IGNORECASE,
)

_SEQUENCES = frozenset({list, tuple, set, frozenset, deque})
_NUMBERS = frozenset({int, float, bool})
_PLAIN = (
    dt.date, dt.time, dt.timedelta, dt.tzinfo, decimal.Decimal, pathlib.PurePath, uuid.UUID, complex,
)  # fmt: skip


@functools.lru_cache(1024)
def is_secret(key: str) -> bool:
    """Tell whether a key names what nobody is to see: `api_key`, `Authorization`, `password`; not `max_tokens`."""
    return _SECRET.search(key) is not None


def to_text(value: Any, limit: int) -> str:
    """Return a value as text of `limit` characters, and a word of what is not shown."""
    kind = cast("Any", type(value))
    if kind is str:
        return value if len(value) <= limit else _cut(value, limit)
    if kind in _NUMBERS or value is None:
        return _number(value)
    writer = _Writer(limit)
    writer.value(value, 0)
    return writer.text()


def shape(value: Any) -> str:
    """Say what a value is without anything of its content."""
    kind = cast("Any", type(value))
    if kind is str:
        return f"<text of {len(value):,} characters>"
    if kind in _SEQUENCES or kind is dict:
        return f"<{kind.__name__} of {len(value):,}>"
    return "<nothing>" if value is None else f"<{kind.__name__}>"


def _cut(text: str, limit: int) -> str:
    return f"{text[:limit]}… ({len(text) - limit:,} characters more)"


def _number(value: Any) -> str:
    if type(value) is int and value.bit_length() > 1024:  # to write it out would take long, or be refused
        return f"<int of {value.bit_length():,} bits>"
    return repr(value)


@final
class _Writer:
    """Writes lines until there are enough."""

    __slots__ = ("_left", "_nodes", "_parts")

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
        self._left = limit
        self._nodes = _NODES

    def text(self) -> str:
        """Return what was written."""
        text = "".join(self._parts).lstrip("\n")
        return text + "…" if self._left < 0 else text

    def _put(self, text: str) -> None:
        if self._left >= 0:
            self._parts.append(text if len(text) <= self._left else text[: self._left])
            self._left -= len(text)

    def value(self, value: Any, depth: int) -> None:
        """Write a value behind its key, or behind its dash."""
        self._nodes -= 1
        if self._left < 0 or self._nodes < 0:
            if self._nodes == -1:
                self._put("…")
            return
        kind = cast("Any", type(value))
        if kind is str:
            self._string(value, depth)
        elif kind in _NUMBERS or value is None:
            self._put(_number(value))
        elif kind in _SEQUENCES:
            self._sequence(value, depth)
        elif kind is dict or kind is MappingProxyType:
            self._entries(value.items(), len(value), depth)
        else:
            self._other(value, kind, depth)

    def _string(self, text: str, depth: int) -> None:
        shown = text if len(text) <= self._left else _cut(text, max(self._left, 0))
        if "\n" in shown:
            start = "\n" + "  " * depth
            shown = start + shown.replace("\n", start)
        self._put(shown)

    def _sequence(self, values: Any, depth: int) -> None:
        count = len(values)
        first: list[Any] = list(islice(values, _ENTRIES))
        if all(type(one) in _NUMBERS for one in first[:_INLINE]):
            more = f", … {count:,} numbers" if count > _INLINE else ""
            self._put("[" + ", ".join(map(_number, first[:_INLINE])) + more + "]")
            return
        if depth >= _DEPTH:
            self._put(f"[… {count:,}]")
            return
        for one in first:
            self._put("\n" + "  " * depth + "- ")
            self.value(one, depth + 1)
        if count > len(first):
            self._put("\n" + "  " * depth + f"… {count - len(first):,} more")

    def _entries(self, entries: Any, count: int, depth: int) -> None:
        if not count:
            self._put("{}")
            return
        if depth >= _DEPTH:
            self._put(f"{{… {count:,}}}")
            return
        start = "\n" + "  " * depth
        for key, value in islice(entries, _ENTRIES):
            name = key if type(key) is str else to_text(key, 40)
            self._put(f"{start}{name[:80]}: ")
            if is_secret(name[:80]):
                self._put(MASK)
            else:
                self.value(value, depth + 1)
        if count > _ENTRIES:
            self._put(f"{start}… {count - _ENTRIES:,} more")

    def _other(self, value: Any, kind: Any, depth: int) -> None:
        if issubclass(kind, str | int | float) or isinstance(value, enum.Enum):
            plain = value._value_ if isinstance(value, enum.Enum) else value
            self._put(
                _cut(str.__str__(plain), 200)
                if isinstance(plain, str) and len(plain) > 200
                else _plainly(plain)
            )
        elif issubclass(kind, bytes | bytearray | memoryview):
            self._put(f"<{kind.__name__} of {len(value):,}>")
        elif issubclass(kind, _PLAIN):
            self._put(str(value)[:200])
        elif issubclass(kind, BaseException):
            self._put(f"{kind.__name__}: {error_text(value)}")
        else:
            self._object(value, kind, depth)

    def _object(self, value: Any, kind: Any, depth: int) -> None:
        array = _array(value, kind)
        if array is not None:
            self._put(array)
            return
        if isinstance(value, Mapping):
            entries: list[Any] = list(islice(cast("Any", value).items(), _ENTRIES))
            self._entries(entries, len(cast("Any", value)), depth)
            return
        self._put(kind.__name__)
        told = [(name, one) for name, one in _fields(value, kind) if not _is_nothing(one)]
        if told:
            self._entries(told, len(told), depth)


def _plainly(value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return _number(int.__int__(value))
    return float.__repr__(value) if isinstance(value, float) else f"<{type(value).__name__}>"


def _array(value: Any, kind: Any) -> str | None:
    if not (hasattr(kind, "shape") and hasattr(kind, "dtype")):
        return None
    return f"<{kind.__name__} {value.dtype} {'x'.join(map(str, value.shape)) or 'scalar'}>"


def _fields(value: Any, kind: Any) -> list[tuple[str, Any]]:
    """Return an object's fields, read from where they are kept, past what its class computes."""
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is not None:
        told = [
            (name, getattr(value, name, None), field.default)
            for name, field in islice(fields.items(), _ENTRIES)
        ]
        return [(name, one) for name, one, default in told if one is not default]
    if issubclass(kind, tuple):
        return list(zip(getattr(cast("Any", kind), "_fields", ()), value, strict=False))
    try:
        kept: dict[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    return [(name, one) for name, one in islice(kept.items(), _ENTRIES) if not name.startswith("_")]


def _is_nothing(value: Any) -> bool:
    return value is None or (type(value) in (str, tuple, list, dict, MappingProxyType) and not value)


def field(value: Any, name: str) -> Any:
    """Return a field of a user's object; None where it has none."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - as below: what a class computes for it may fail as it likes
        return None


def error_text(error: BaseException) -> str:
    """Return an exception's own text; its `__str__` is a user's, so that it may fail, or be long."""
    try:
        text = str(error)
    except Exception as failure:  # noqa: BLE001 - whatever its `__str__` raises is not the watched program's concern
        return f"<its __str__ raised {type(failure).__name__}>"
    return text if len(text) <= 2000 else _cut(text, 2000)
