"""Structured answers that are not what was asked for: what is said of them, and how they are mended."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from sideband.components import Message
from sideband.generation import (
    RESTART,
    Mismatch,
    NoOutputError,
    OutputError,
    Runtime,
)
from sideband.testing import Recorder, check_lifecycle

from .helpers import USED, Noting
from .structures import Point, Recipe, Writer


async def test_text_that_is_no_json_is_told_with_its_place() -> None:
    """With the text, and the generation has failed: hooks are told (Niro, statement 116)."""
    hook = Noting()
    stream = Runtime(Writer('{"title": }'), hooks=[hook]).generate("go", output=Recipe)

    with pytest.raises(OutputError) as raised:
        await stream.value()

    assert raised.value.text == '{"title": }'
    assert raised.value.reasons == (Mismatch("line 1 column 11", "no JSON: expected value"),)
    assert isinstance(raised.value, ValueError)
    assert hook.names[-2:] == ["error", "end"]
    assert hook.ended.error is raised.value
    assert hook.ended.usage == USED
    assert hook.ended.finish_reason == "stop"
    with pytest.raises(OutputError):
        await stream.value()
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (copy.text, copy.reasons, str(copy)) == (
        raised.value.text,
        raised.value.reasons,
        str(raised.value),
    )


@pytest.mark.parametrize(
    ("kind", "text", "reasons"),
    [
        (
            Recipe,
            '{"ingredients": [{"name": "a", "grams": "much"}]}',
            [
                Mismatch("title", "Field required"),
                Mismatch(
                    "ingredients.0.grams",
                    "Input should be a valid number, unable to parse string as a number",
                ),
            ],
        ),
        (
            list[int],
            "[1, null]",
            [Mismatch("1", "Input should be a valid integer")],
        ),
        (int, '"many"', None),
    ],
)
async def test_a_value_that_does_not_fit_is_told_field_by_field(
    kind: Any, text: str, reasons: list[Mismatch] | None
) -> None:
    """Where in the value, and why."""
    with pytest.raises(OutputError) as raised:
        await Runtime(Writer(text)).generate("go", output=kind).value()

    assert reasons is None or list(raised.value.reasons) == reasons
    for where, why in raised.value.reasons:
        assert f"{where}: {why}" in str(raised.value)
    assert raised.value.__cause__ is not None


async def test_an_answer_that_was_cut_off_says_so() -> None:
    """Its JSON is not wrong but not whole."""
    with pytest.raises(OutputError, match="raise max_tokens") as raised:
        await Runtime(Writer('{"title": "So', reason="length")).generate("go", output=Recipe).value()

    assert raised.value.finish_reason == "length"


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("", "stop", "without any text"),
        (" \n", "stop", "without any text"),
        ("I will not.", "content_filter", "refused to answer: 'I will not.'"),
    ],
)
async def test_an_answer_without_a_value_is_an_error_of_its_own(text: str, reason: str, said: str) -> None:
    """Niro, statement 113: no text at all; and a refusal, which is not asked again."""
    provider = Writer(text, reason=reason)
    with pytest.raises(NoOutputError, match=said):
        await Runtime(provider).generate("go", output=Recipe, repairs=3).value()

    assert len(provider.asked) == 1


async def test_a_model_is_told_what_is_wrong_and_asked_again() -> None:
    """Each answer is a round, a run inside; usage is the sum, and the message the last one's."""
    recorder, hook = Recorder(), Noting()
    provider = Writer('{"x": "far"}', '{"x": 3}')

    stream = Runtime(provider, hooks=[recorder, hook]).generate("go", output=Point, repairs=1)
    frames = [frame async for frame in stream]

    assert await stream.value() == Point(3)
    assert [frame.content for frame in frames if frame.kind == "control"] == [RESTART]
    assert stream.message.text == '{"x": 3}'
    assert stream.usage == USED + USED
    assert [frame.kind for frame in frames].count("response") == 1
    _, answered, told = provider.asked[1].messages
    assert answered == Message.assistant('{"x": "far"}')
    assert "x: Input should be a valid integer" in told.text
    whole, first, second = recorder.runs()
    assert recorder.children(whole) == [first, second]
    assert (whole.usage, whole.output.message.text) == (USED + USED, '{"x": 3}')
    assert hook.names.count("start") == hook.names.count("end") == 1
    check_lifecycle(recorder)


async def test_repairs_are_counted() -> None:
    """After the last one the error is that of the last answer."""
    provider = Writer("a", "b", "c", "d")
    with pytest.raises(OutputError) as raised:
        await Runtime(provider).generate("go", output=Point, repairs=2).value()

    assert len(provider.asked) == 3
    assert raised.value.text == "c"
