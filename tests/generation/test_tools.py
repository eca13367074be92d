"""Tools: their schemas and their arguments."""

from __future__ import annotations

import threading
from typing import Annotated, Any, Literal

import pydantic
import pytest

from sideband.components import ToolDefinition
from sideband.errors import ToolArgumentsError
from sideband.generation import Runtime, Tool, tool

from .toolkit import Model, add, call


def test_a_tool_is_described_by_its_function() -> None:
    """Name, docstring, and a schema of the annotations."""
    assert Tool(add).definition == ToolDefinition(
        "add",
        "Add two numbers.\n\nThe second one is 1 unless it is given.",
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 1}},
            "required": ["a"],
            "additionalProperties": False,
        },
    )


def test_annotations_may_say_more() -> None:
    """As pydantic reads them; a property named title is no title."""

    @tool(name="book", description="Book it.", strict=True)
    def reserve(
        title: Literal["a", "b"], seats: Annotated[int, pydantic.Field(description="How many.", ge=1)]
    ) -> None: ...

    definition = reserve.definition
    assert (definition.name, definition.description, definition.strict) == ("book", "Book it.", True)
    assert definition.parameters["properties"] == {
        "title": {"enum": ["a", "b"], "type": "string"},
        "seats": {"description": "How many.", "minimum": 1, "type": "integer"},
    }


def test_a_schema_of_ones_own_is_taken_as_it_is() -> None:
    """Then the arguments are given unchecked."""
    schema = {"type": "object", "properties": {"x": {}}}
    made = Tool(lambda **given: given, name="any", parameters=schema)

    assert made.definition.parameters == schema
    assert made.check(call("any", '{"x": [1]}')) == {"x": [1]}


@pytest.mark.parametrize("function", [lambda *many: 1, lambda **many: 1, lambda a, /: 1, 3])
def test_what_a_model_cannot_call_by_name_is_no_tool(function: Any) -> None:
    """It is refused when it is made."""
    with pytest.raises(TypeError):
        Tool(function)


def test_a_type_without_a_schema_is_refused() -> None:
    """The error names the tool."""

    def send(lock: threading.Lock) -> None: ...

    with pytest.raises(TypeError, match="the tool 'send' takes what has no JSON schema"):
        Tool(send)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("{", "no JSON"),
        ("[1]", "JSON object"),
        ("{}", "a: Field required"),
        ('{"a": "x"}', "a: Input should be"),
    ],
)
def test_arguments_that_do_not_fit_say_why(arguments: str, reason: str) -> None:
    """So that the model can do better. Niro, statement 89, decided anew: all that the annotations say is checked."""
    with pytest.raises(ToolArgumentsError, match=reason):
        Tool(add).check(call("add", arguments))


def test_arguments_come_as_their_types() -> None:
    """Only those that were given."""
    assert Tool(add).check(call("add", '{"a": 2}')) == {"a": 2}


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1.0}])
def test_a_timeout_is_positive(options: dict[str, Any]) -> None:
    """Or None."""
    with pytest.raises(ValueError, match="timeout must be positive"):
        Tool(add, **options)


def test_two_tools_have_two_names() -> None:
    """A model could not tell them apart."""
    with pytest.raises(ValueError, match="two tools have the name 'add'"):
        Runtime(Model(), tools=[add, Tool(add)])
