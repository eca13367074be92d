"""Values as JSON, and back. May import errors.

1. A value of ours is an object with its class's name under `$type` and those fields that differ from their defaults.
2. Bytes and dates are such objects, too; so is a mapping with a key that begins with `$`.
3. Sequences become lists. They come back as tuples in the fields of our values, as lists in
   mappings, in fields of any type and in those that are annotated as lists.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from os import PathLike
from typing import Any, TypeVar

from sideband.errors import SerialisationError

__all__ = ["from_jsonable", "serialisable", "to_jsonable"]

T = TypeVar("T")

_TYPE = "$type"

_classes: dict[str, type] = {}

_SCALARS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "bytes": (
        bytes,
        lambda value: base64.b64encode(value).decode(),
        lambda text: base64.b64decode(text, validate=True),
    ),
    # A datetime is a date, too, so it is looked for first.
    "datetime": (dt.datetime, dt.datetime.isoformat, dt.datetime.fromisoformat),
    "date": (dt.date, dt.date.isoformat, dt.date.fromisoformat),
}


def serialisable(cls: type[T]) -> type[T]:
    """Let a dataclass be written and read by its name, which no other such class has."""
    _classes[cls.__name__] = cls
    return cls


def to_jsonable(value: Any) -> Any:
    """Return what `json.dumps` can write and `from_jsonable` makes the same value of.

    Takes the values of `sideband.components` and `sideband.generation`, and inside of them numbers,
    text, bytes, dates, paths, lists, tuples, mappings with text for keys, and arrays with a `tolist`.

    Raises:
        SerialisationError: there is something else in it.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if _classes.get(value.__class__.__name__) is value.__class__:
        return _value_to_jsonable(value)
    if _is_a(value, Mapping):
        return _mapping_to_jsonable(value)
    if _is_a(value, list, tuple):
        return [to_jsonable(entry) for entry in value]
    if hasattr(value, "tolist"):
        return to_jsonable(value.tolist())
    return _scalar_to_jsonable(value)


def _value_to_jsonable(value: Any) -> dict[str, Any]:
    cls = value.__class__
    given = {field.name: getattr(value, field.name) for field in fields(value)}
    defaults = _defaults(cls)
    told = {name: to_jsonable(one) for name, one in given.items() if not _is(one, defaults[name])}
    return {_TYPE: cls.__name__, **told}


def _scalar_to_jsonable(value: Any) -> Any:
    if _is_a(value, PathLike):
        return value.__fspath__()
    for name, (kind, encode, _) in _SCALARS.items():
        if isinstance(value, kind):
            return {_TYPE: name, "value": encode(value)}
    raise SerialisationError(value, "it has no form in JSON; give numbers, text, bytes, lists or mappings")


def _mapping_to_jsonable(value: Mapping[Any, Any]) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise SerialisationError(value, f"JSON's mappings have text for keys, and it has {key!r}")
    entries = {key: to_jsonable(entry) for key, entry in value.items()}
    if any(key.startswith("$") for key in entries):
        return {_TYPE: "mapping", "value": entries}
    return entries


def from_jsonable(data: Any) -> Any:
    """Return the value that `to_jsonable` made something of; makes no object but of the known classes.

    Raises:
        SerialisationError: there is a `$type` or a field in it that is not known, or a field is missing.
    """
    return _decode(data, list)


def _decode(data: Any, sequence: Callable[[list[Any]], Any]) -> Any:
    if _is_a(data, list):
        return sequence([_decode(entry, sequence) for entry in data])
    if not _is_a(data, dict):
        return data
    if _TYPE not in data:
        return {key: _decode(entry, list) for key, entry in data.items()}
    return _decode_typed(data)


def _decode_typed(mapping: dict[str, Any]) -> Any:
    name = str(mapping[_TYPE])
    if name == "mapping":
        entries: dict[str, Any] = _content(mapping, dict)
        return {key: _decode(entry, list) for key, entry in entries.items()}
    if name in _SCALARS:
        text = _content(mapping, str)
        try:
            return _SCALARS[name][2](text)
        except ValueError as error:
            raise SerialisationError(mapping, f"its value is no {name}") from error
    cls = _classes.get(name)
    if cls is None:
        raise SerialisationError(mapping, f"its {_TYPE} is {name!r}, which is not known")
    return _rebuild(cls, {key: entry for key, entry in mapping.items() if key != _TYPE})


def _is_a(value: object, *kinds: type) -> bool:
    # `isinstance` without what a type checker concludes from it: a mapping of it knows not what.
    return isinstance(value, kinds)


def _content(mapping: dict[str, Any], kind: type) -> Any:
    content = mapping.get("value")
    if not isinstance(content, kind):
        raise SerialisationError(mapping, f"its value has to be a {kind.__name__}")
    return content


def _rebuild(cls: type, given: dict[str, Any]) -> Any:
    known = {field.name: field for field in fields(cls)}
    strangers = [name for name in given if name not in known]
    if strangers:
        raise SerialisationError(given, f"{cls.__name__} has no field {strangers[0]!r}")
    try:
        return cls(**{name: _decode(entry, _sequence_of(known[name])) for name, entry in given.items()})
    except TypeError as error:
        raise SerialisationError(given, f"it makes no {cls.__name__}: {error}") from error


def _sequence_of(field: Field[Any]) -> Callable[[list[Any]], Any]:
    annotation = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    return list if annotation == "Any" or annotation.partition("[")[0] == "list" else tuple


def _defaults(cls: Any) -> dict[str, Any]:
    return {
        field.name: field.default_factory() if field.default_factory is not MISSING else field.default
        for field in fields(cls)
    }


def _is(value: Any, default: Any) -> bool:
    # By type first: an array compares with nothing else as one truth, and 0 is no False.
    return value is default or (value.__class__ is default.__class__ and bool(value == default))
