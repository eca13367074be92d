"""JSON schemas of what is annotated, and values checked against them: pydantic's work, imported when it is needed.

May import errors.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sideband.errors import MissingExtraError

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Arguments", "import_pydantic", "untitled"]


def import_pydantic() -> Any:
    """Return pydantic.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pydantic  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise MissingExtraError("tools", "pydantic") from error
    return pydantic


class Arguments:
    """The arguments of a function, by its annotations."""

    __slots__ = ("_model", "schema")

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        """Look at the signature once.

        Raises:
            TypeError: a parameter can only be given by its place, or is one of many, or its type has no schema.
            MissingExtraError: pydantic is not installed.
        """
        pydantic = import_pydantic()
        fields = _fields(name, function)
        config = pydantic.ConfigDict(extra="forbid", protected_namespaces=(), arbitrary_types_allowed=False)
        try:
            self._model: type[BaseModel] = pydantic.create_model(name, __config__=config, **fields)
            schema = self._model.model_json_schema()
        except (pydantic.PydanticUserError, NameError) as error:
            raise TypeError(f"the tool {name!r} takes what has no JSON schema: {error}") from error
        self.schema: dict[str, Any] = untitled(schema)

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the function wants them.

        Raises:
            ValueError: they do not fit; it says which, and why.
        """
        try:
            checked = self._model.model_validate(given)
        except import_pydantic().ValidationError as error:
            reasons = [
                f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}"
                for one in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            raise ValueError("; ".join(reasons)) from error
        return {name: getattr(checked, name) for name in checked.model_fields_set}


def _fields(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise TypeError(
                f"the tool {name!r} takes {str(parameter)!r}; a model gives arguments by their names"
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints.get(parameter.name, Any), default)
    return fields


def untitled(schema: Any) -> Any:
    """Return a schema without its titles, which repeat the names: they tell a model nothing, and cost tokens."""
    if isinstance(schema, dict):
        named = typing.cast("dict[str, Any]", schema)
        return {
            key: {name: untitled(one) for name, one in value.items()}
            if key == "properties"
            else untitled(value)
            for key, value in named.items()
            if key != "title" or not isinstance(value, str)
        }
    return [untitled(one) for one in typing.cast("Any", schema)] if isinstance(schema, list) else schema
