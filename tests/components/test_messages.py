"""Messages, parts, calls of tools, results, usage: what they are."""

from __future__ import annotations

import dataclasses

import pytest

from sideband.components import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    Usage,
)
from sideband.errors import ToolArgumentsError


def test_a_message_of_text_has_that_text() -> None:
    """The usual message is a role and a text."""
    message = Message.user("hello")

    assert (message.role, message.content, message.text) == ("user", "hello", "hello")
    assert Message.system("be brief").role == "system"
    assert Message.assistant("hi").role == "assistant"


def test_a_message_with_parts_has_their_text() -> None:
    """Text among parts is a part itself, and `.text` is all of it."""
    message = Message.user("what is ", ImagePart(url="https://example.org/cat.png"), "this?")

    assert message.text == "what is this?"
    assert [type(part) for part in message.parts] == [TextPart, ImagePart, TextPart]
    assert Message.user("one").parts == (TextPart("one"),)
    assert Message.assistant().parts == ()


def test_values_cannot_be_changed() -> None:
    """What one handler has, no other can spoil."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Message.user("hello").role = "system"  # type: ignore[misc]


def test_a_part_shows_how_much_it_holds() -> None:
    """A log is not filled with somebody's photograph."""
    assert repr(ImagePart(b"\x00" * 1000, media_type="image/png")) == (
        "ImagePart(1000 bytes, media_type='image/png')"
    )
    assert repr(FilePart(url="f-1")) == "FilePart(url='f-1', media_type=None)"
    assert repr(AudioPart()) == "AudioPart(url=None, media_type=None)"


def test_the_arguments_of_a_call_are_text_and_can_be_parsed() -> None:
    """What the model wrote is kept as it is."""
    call = ToolCall("1", "add", '{"a": 1}')

    assert call.arguments == '{"a": 1}'
    assert call.parsed == {"a": 1}
    assert ToolCall("1", "now").parsed == {}


@pytest.mark.parametrize(
    ("arguments", "reason"), [('{"a": ', "no JSON"), ("[1]", "got a list"), ("[" * 100_000, "no JSON")]
)
def test_arguments_that_are_no_object_are_an_error_that_shows_them(arguments: str, reason: str) -> None:
    """The error names the tool and says what is wrong, so that the model can be told."""
    with pytest.raises(ToolArgumentsError, match=reason) as caught:
        ToolCall("1", "add", arguments).parsed  # noqa: B018

    assert (caught.value.tool, caught.value.arguments) == ("add", arguments)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, ""), ("plain", "plain"), (b"bytes", "bytes"), ({"a": [1, "é"]}, '{"a": [1, "é"]}'), (3, "3")],
)
def test_a_result_has_a_text_for_the_model(content: object, text: str) -> None:
    """Niro, statement 88: nothing is empty text, text and bytes pass through, all else is JSON."""
    assert ToolResult("1", "tool", content).text == text


def test_a_message_is_made_of_a_result() -> None:
    """The result knows its call, its tool, and whether it failed."""
    result = ToolResult("1", "add", {"sum": 3}, is_error=True)

    assert Message.tool(result) == Message.tool('{"sum": 3}', call_id="1", name="add", is_error=True)


def test_the_total_is_counted_where_it_is_not_given() -> None:
    """Some providers count more into it than input and output; then theirs counts."""
    assert Usage(input_tokens=2, output_tokens=3).total_tokens == 5
    assert Usage(input_tokens=2, output_tokens=3, total_tokens=9).total_tokens == 9


def test_usages_are_added_field_by_field() -> None:
    """A cost that nobody told is no cost of nothing.

    Niro, statements 55 and 66, the former decided anew: what was cached is counted; no detail is a flag.
    """
    first = Usage(input_tokens=1, cached_tokens=1, cost=0.5, details={"audio": 1})
    second = Usage(output_tokens=2, reasoning_tokens=1, details={"audio": 2, "image": 3})

    total = first + second
    assert total == Usage(
        input_tokens=1,
        output_tokens=2,
        total_tokens=3,
        cached_tokens=1,
        reasoning_tokens=1,
        cost=0.5,
        details={"audio": 3, "image": 3},
    )
    assert (Usage() + Usage()).cost is None
    with pytest.raises(TypeError):
        first + 3  # type: ignore[operator]


def test_a_usage_is_filled_from_another_without_adding() -> None:
    """What two sources tell of the same call is not counted twice."""
    told = Usage(input_tokens=3, details={"audio": 1})
    also = Usage(input_tokens=3, output_tokens=4, cost=0.1, details={"audio": 1, "image": 2})

    filled = told.filled_from(also)
    assert (filled.input_tokens, filled.output_tokens, filled.cost) == (3, 4, 0.1)
    assert filled.details == {"audio": 1, "image": 2}
