"""Structured answers: values that are checked, and partial ones on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Literal, assert_type

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from sideband.components import Message, ToolCall
from sideband.generation import (
    Frame,
    NoOutputError,
    ProviderError,
    Request,
    ResponseMeta,
    Runtime,
    ValueStream,
    accumulate_text,
    filter_frames,
)
from sideband.testing import Recorder, check_lifecycle

from .helpers import USED, Noting
from .structures import SOUP, Node, Place, Point, Recipe, Writer, writing
from .toolkit import add


async def test_an_answer_is_the_value_that_was_asked_for() -> None:
    """Niro, statement 113: the schema goes with a copy of the request, and the whole text is read."""
    provider = Writer(json.dumps(SOUP))
    request = Request((Message.user("a soup"),))

    stream = Runtime(provider).generate(request, output=Recipe)
    recipe = await stream.value()

    assert_type(stream, ValueStream[Recipe])
    assert_type(recipe, Recipe)
    assert recipe == Recipe.model_validate(SOUP)
    assert request.response_schema is None
    schema = provider.asked[0].response_schema
    assert schema is not None
    assert (schema["title"], schema["additionalProperties"]) == ("Recipe", False)
    assert schema["$defs"]["Ingredient"]["required"] == ["name", "grams"]
    assert "default" not in json.dumps(schema)
    assert await stream.value() is recipe
    assert stream.usage == USED


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (Recipe, SOUP, Recipe.model_validate(SOUP)),
        (Point, {"x": 1, "y": 2}, Point(1, 2)),
        (Place, {"city": "Lisbon"}, {"city": "Lisbon"}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (list[int], {"value": [1, 2]}, [1, 2]),
        (list[int], [1, 2], [1, 2]),
        (Literal["red", "green"], {"value": "red"}, "red"),
        (int, {"value": 12}, 12),
        (Point | Place, {"value": {"x": 1}}, Point(1)),
        (Node, {"value": {"children": [{"children": []}]}}, Node(children=[Node(children=[])])),
        (TypeAdapter(tuple[int, str]), {"value": [1, "a"]}, (1, "a")),
    ],
)
async def test_every_type_has_an_object_at_the_top_of_its_schema(
    kind: Any, given: Any, expected: Any
) -> None:
    """What is none is put into one and taken out again; also where a model left that out."""
    provider = Writer(json.dumps(given))

    assert await Runtime(provider).generate("go", output=kind).value() == expected

    schema = provider.asked[0].response_schema
    assert schema is not None
    assert schema["type"] == "object"


async def test_a_schema_keeps_what_is_named_like_a_word_of_schemas() -> None:
    """Fields may be called `title` or `default`, values `discriminator`, and a name has the letters that are allowed."""

    class Odd(BaseModel):
        title: str
        default: Literal["default", "title"]
        properties: int | None = None

    Odd.__name__ = "Odd[int]"
    provider = Writer('{"title": "t", "default": "title", "properties": null}')
    await Runtime(provider).generate("go", output=TypeAdapter(Odd)).value()

    schema = provider.asked[0].response_schema
    assert schema is not None
    assert set(schema["properties"]) == {"title", "default", "properties"}
    assert schema["required"] == ["title", "default", "properties"]
    assert schema["properties"]["default"]["enum"] == ["default", "title"]


async def test_a_value_grows_while_it_streams() -> None:
    """Niro, statement 114: an object is seen as far as it has come, and the last one is the validated whole."""
    seen = [one async for one in writing(SOUP).generate("go", output=Recipe).values()]

    assert len(seen) > 10
    assert seen[0] == {}
    assert {"title": "S"} in seen
    assert all(isinstance(one, dict) for one in seen[:-1])
    assert seen[-2] == SOUP
    assert seen[-1] == Recipe.model_validate(SOUP)


@pytest.mark.parametrize(("kind", "expected"), [(int, 123), (list[int], [123, 45]), (float, -1.5e10)])
async def test_a_number_is_not_seen_before_it_is_whole(kind: Any, expected: Any) -> None:
    """Niro, statement 114: 1 and 12 are no parts of 123."""
    runtime = writing({"value": expected}, size=1)

    seen = [one async for one in runtime.generate("go", output=kind).values()]

    assert seen in ([expected], [expected, expected], [[], [123], [123, 45], [123, 45]])


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    ),
    st.integers(1, 7),
    st.booleans(),
)
async def test_partial_values_are_beginnings_of_the_whole(
    whole: dict[str, Any], size: int, escaped: bool
) -> None:
    """Whatever the value, and however its text is cut."""
    runtime = Runtime(Writer(json.dumps(whole, ensure_ascii=escaped), size=size))

    seen = [one async for one in runtime.generate("go", output=dict[str, Any]).values()]

    assert seen[-1] == whole
    for one in seen:
        assert is_beginning(one, whole)


def is_beginning(part: Any, whole: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_beginning(one, whole[name]) for name, one in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_beginning, part, whole))
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    return type(part) is type(whole) and part == whole


@pytest.mark.parametrize("text", ["```json\n%s\n```", "```\n%s```", "  %s\n"])
async def test_a_fence_around_json_is_no_part_of_it(text: str) -> None:
    """Models that have no schema to fit write Markdown."""
    runtime = Runtime(Writer(text % json.dumps(SOUP)))
    seen = [one async for one in runtime.generate("go", output=Recipe).values()]

    assert {"title": "Soup"} in [{"title": one["title"]} for one in seen[:-1] if "title" in one]
    assert seen[-1] == Recipe.model_validate(SOUP)


@pytest.mark.parametrize("repairs", [0, 1])
async def test_tools_are_called_on_the_way_to_a_value(repairs: int) -> None:
    """The value is the answer of the last round."""
    recorder, hook = Recorder(), Noting()

    class Adding:
        async def generate(self, request: Request) -> AsyncIterator[Frame]:
            told = [message.text for message in request.messages if message.role == "tool"]
            if told:
                yield Frame.text(json.dumps({"x": int(told[0])}))
            else:
                yield Frame.text("{ let me add")
                yield Frame.tool_call(ToolCall("c", "add", '{"a": 2, "b": 3}'))
            yield Frame.response(ResponseMeta("m", "stop" if told else "tool_calls"))

    runtime = Runtime(Adding(), tools=[add], hooks=[recorder, hook])
    stream = runtime.generate("go", output=Point, repairs=repairs)

    assert await stream.value() == Point(5)
    assert hook.names.count("call") == hook.names.count("result") == 1
    check_lifecycle(recorder)


@pytest.mark.parametrize("stage", [accumulate_text, filter_frames(lambda frame: frame.kind != "text")])
async def test_a_pipeline_takes_nothing_from_the_value(stage: Any) -> None:
    """The provider's text is read, not the pipeline's."""
    runtime = Runtime(Writer(json.dumps(SOUP)), pipeline=[stage])

    seen = [one async for one in runtime.generate("go", output=Recipe).values()]
    assert seen[-1] == Recipe.model_validate(SOUP)


async def test_there_is_no_value_of_a_stream_that_was_closed() -> None:
    """Which is said, with what came."""
    stream = writing(SOUP).generate("go", output=Recipe)
    await anext(stream)
    await stream.aclose()

    with pytest.raises(NoOutputError, match="closed before") as raised:
        await stream.value()
    assert raised.value.text == '{"t'


async def test_values_that_are_not_read_to_the_end_close_the_request() -> None:
    """As frames do: the run is closed, once."""
    recorder = Recorder()
    values = Runtime(Writer(json.dumps(SOUP)), hooks=[recorder]).generate("go", output=Recipe).values()
    await anext(values)
    await values.aclose()

    assert recorder.run().outcome == "closed"
    check_lifecycle(recorder)


async def test_an_error_of_the_provider_comes_before_any_value() -> None:
    """Niro, statement 115: an error in the stream is the error, and there is no final value."""

    class Cut:
        async def generate(self, request: Request) -> AsyncIterator[Frame]:
            yield Frame.text('{"x": 1, "y"')
            raise ProviderError("cut")

    seen: list[Any] = []
    with pytest.raises(ProviderError, match="cut"):
        async for one in Runtime(Cut()).generate("go", output=Point).values():
            seen.append(one)

    assert seen == [{"x": 1}]


def test_what_has_no_schema_is_refused_at_once() -> None:
    """Before anything is asked."""
    runtime = writing(1)
    with pytest.raises(TypeError, match="has no JSON schema"):
        runtime.generate("go", output=Writer)
    with pytest.raises(ValueError, match="response_schema"):
        runtime.generate(Request((Message.user("a"),), response_schema={}), output=Point)
    with pytest.raises(ValueError, match="repairs must be 0 or more, got -1"):
        runtime.generate("go", output=Point, repairs=-1)
