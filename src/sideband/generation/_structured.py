"""Values that answers are to be: their schemas, and what is read out of text. May import errors and components.

1. Providers want an object at the top of a schema: what is none is put into one, under "value", and taken out again.
2. They hold a model to a schema only if every object in it is closed and all its fields are required.
3. Text is read as JSON by pydantic's own parser, whole or in part, and checked against the type's annotations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast, final

from sideband.components import ChatModelOutput
from sideband.errors import SidebandError
from sideband.generation._schema import import_pydantic, untitled

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["NOTHING", "Mismatch", "NoOutputError", "OutputError", "Wanted"]

T = TypeVar("T")

NOTHING: Final[Any] = object()
"""What a text says where nothing can be read out of it yet."""

_VALUE = "value"
_SHOWN = 200
_GROWING = re.compile(r"(?:^|(?<=[\[:,\s]))-?\d[\d.eE+-]*$")
_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]+")


class Mismatch(NamedTuple):
    """One thing that is wrong with an answer."""

    where: str
    """The place in the value ("ingredients.0.amount") or in the text ("line 1 column 9")."""
    why: str


class OutputError(SidebandError, ValueError):
    """An answer is not the value that was asked for.

    `text` is what the model said, `reasons` tell what is wrong with it and where, `finish_reason` is why it stopped.
    """

    def __init__(
        self, text: str, reasons: Sequence[Mismatch], *, finish_reason: str | None = None, said: str = ""
    ) -> None:
        """Say what is wrong; `said` in place of the usual words."""
        self.text = text
        self.reasons: tuple[Mismatch, ...] = tuple(reasons)
        self.finish_reason = finish_reason
        told = "; ".join(f"{where}: {why}" for where, why in self.reasons)
        cut = (
            " (it was cut off at its greatest length; raise max_tokens)" if finish_reason == "length" else ""
        )
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        super().__init__(said or f"the answer is not what was asked for: {told}{cut}; it is {shown!r}")


class NoOutputError(OutputError):
    """An answer has no value at all: the model said nothing, or refused; `text` is what it said."""

    def __init__(self, text: str, said: str, *, finish_reason: str | None = None) -> None:
        """Say why there is none."""
        super().__init__(text, (), finish_reason=finish_reason, said=said)


@final
class Wanted(Generic[T]):
    """A type that answers are read as."""

    __slots__ = ("_adapter", "_wraps", "schema")

    def __init__(self, kind: type[T] | TypeAdapter[T]) -> None:
        """Look at the type once.

        Raises:
            TypeError: it has no JSON schema.
            MissingExtraError: pydantic is not installed.
        """
        pydantic = import_pydantic()
        try:
            adapter = kind if isinstance(kind, pydantic.TypeAdapter) else pydantic.TypeAdapter(kind)
            self._adapter = cast("TypeAdapter[T]", adapter)
            schema = self._adapter.json_schema()
        except (pydantic.PydanticUserError, NameError) as error:
            raise TypeError(f"output={kind!r} has no JSON schema: {error}") from error
        self._wraps = schema.get("type") != "object"
        if self._wraps:
            schema = _wrapped(schema)
        title = _NO_NAME.sub("_", schema.get("title", "answer")).strip("_")[:64]
        # Its name: the only title that is of use.
        self.schema: dict[str, Any] = {"title": title or "answer", **_closed(untitled(schema))}

    def value_of(self, output: ChatModelOutput) -> T:
        """Return the value that an answer is.

        Raises:
            NoOutputError: the model said nothing, or refused.
            OutputError: its text is no JSON, or does not fit.
        """
        text, reason = output.message.text, output.finish_reason
        if reason == "content_filter":
            raise NoOutputError(text, f"the model refused to answer: {text!r}", finish_reason=reason)
        if not text.strip():
            raise NoOutputError(
                text, f"the model answered without any text (finish reason: {reason})", finish_reason=reason
            )
        try:
            return self._read(_bare(text))
        except ValueError as error:  # pydantic's own is one, too
            raise OutputError(text, _mismatches(error), finish_reason=reason) from error

    def _read(self, text: str) -> T:
        data = _from_json(text)
        inner = _to_json(data[_VALUE]) if self._wraps and _is_wrapped(data) else text
        return self._adapter.validate_json(inner)  # not `data`: some types are read otherwise out of JSON

    def partial(self, text: str) -> Any:
        """Return what can be read out of the beginning of an answer, as plain data; `NOTHING` if nothing can."""
        bare = _GROWING.sub("", _bare(text).rstrip())
        try:
            data = _from_json(bare, partial="trailing-strings")
        except ValueError:
            return NOTHING
        if not self._wraps or not isinstance(data, dict):
            return data
        return cast("dict[str, Any]", data).get(_VALUE, NOTHING)


def _from_json(text: str, partial: Any = False) -> Any:
    import_pydantic()
    from pydantic_core import from_json  # noqa: PLC0415 - pydantic's own part, an extra

    return from_json(text, allow_partial=partial)


def _to_json(data: Any) -> bytes:
    from pydantic_core import to_json  # noqa: PLC0415 - as above

    return to_json(data, inf_nan_mode="constants")


def _bare(text: str) -> str:
    """Return a text without the fence that models put around JSON who write Markdown."""
    stripped = text.strip()
    if not stripped.startswith("```"):
        return stripped
    return stripped.partition("\n")[2].removesuffix("```")


def _is_wrapped(data: Any) -> bool:
    return isinstance(data, dict) and set(cast("dict[str, Any]", data)) == {_VALUE}


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    inner = {**schema}
    shared = {"$defs": inner.pop("$defs")} if "$defs" in inner else {}
    return {"type": "object", "properties": {_VALUE: inner}, "required": [_VALUE], **shared}


def _closed(schema: Any) -> Any:
    """Return a schema in the form that all providers hold a model to."""
    if isinstance(schema, list):
        return [_closed(one) for one in cast("Any", schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast("dict[str, Any]", schema)
    if "$ref" in given and "$defs" not in given:
        return {"$ref": given["$ref"]}  # nothing may stand beside it
    closed = {
        "anyOf" if key == "oneOf" else key: _closed(value)
        for key, value in given.items()
        if key not in {"default", "discriminator", "properties", "$defs", "enum", "const"}
    }
    for key in ("enum", "const"):  # values, not schemas
        if key in given:
            closed[key] = given[key]
    for key in ("properties", "$defs"):
        if key in given:
            closed[key] = {name: _closed(one) for name, one in given[key].items()}
    if "properties" in closed:
        closed = {"additionalProperties": False, **closed, "required": list(closed["properties"])}
    return closed


def _mismatches(error: ValueError) -> list[Mismatch]:
    if not isinstance(error, import_pydantic().ValidationError):
        what, _, place = str(error).rpartition(" at ")
        return [Mismatch(place, f"no JSON: {what}") if what else Mismatch("text", f"no JSON: {error}")]
    listed: list[Mapping[str, Any]] = cast("Any", error).errors(
        include_url=False, include_context=False, include_input=False
    )
    return [Mismatch(".".join(map(str, one["loc"])) or "value", one["msg"]) for one in listed]
