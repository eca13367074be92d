"""Values as JSON, and back."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import json
import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from sideband import components
from sideband.components import (
    ChatModelInput,
    Document,
    EmbeddingOutput,
    LoaderInput,
    Message,
    ToolOutput,
    Usage,
    from_jsonable,
    serialisable,
    to_jsonable,
)
from sideband.errors import SerialisationError

from .strategies import documents, messages, payloads, usages


@given(payloads | messages | documents | usages)
def test_every_value_comes_back_from_json_as_it_was(value: Any) -> None:
    """Through text and back, any payload with any content is equal to itself, and of the same class."""
    back = from_jsonable(json.loads(json.dumps(to_jsonable(value))))

    assert back == value
    assert type(back) is type(value)


@given(payloads | messages | documents | usages)
def test_every_value_can_be_copied_and_pickled(value: Any) -> None:
    """So it reaches worker processes, and `dataclasses.asdict` works."""
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    assert set(dataclasses.asdict(value)) == {field.name for field in dataclasses.fields(value)}


def test_every_payload_of_the_package_is_serialisable() -> None:
    """No dataclass that the package offers is forgotten."""
    offered = [getattr(components, name) for name in components.__all__]
    forgotten = [
        one.__name__
        for one in offered
        if hasattr(one, "__dataclass_fields__") and one.__name__ != to_jsonable(_any(one))["$type"]
    ]

    assert forgotten == []


def _any(cls: type) -> Any:
    made: Any = object.__new__(cls)
    for name in cls.__dataclass_fields__:  # type: ignore[attr-defined]
        object.__setattr__(made, name, None)
    return made


def test_defaults_are_left_out() -> None:
    """What a reader knows anyway takes no room."""
    assert to_jsonable(Message.user("hello")) == {"$type": "Message", "role": "user", "content": "hello"}


def test_arrays_are_lists_of_numbers() -> None:
    """Vectors that a model gave as an array can be written, too."""
    output = EmbeddingOutput(np.array([[1.0, 2.0]], dtype=np.float32))  # type: ignore[arg-type]

    assert to_jsonable(output) == {"$type": "EmbeddingOutput", "vectors": [[1.0, 2.0]]}


def test_dates_bytes_and_paths_have_a_form_of_their_own() -> None:
    """What loaders put into metadata can be written; dates and bytes come back as they were."""
    when = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
    document = Document("1", "text", {"changed": when, "day": when.date(), "raw": b"\x00"})

    assert from_jsonable(json.loads(json.dumps(to_jsonable(document)))) == document
    assert to_jsonable(LoaderInput(Path("a") / "b"))["source"] == str(Path("a") / "b")


def test_not_a_number_stays_one() -> None:
    """A score that is no number is written as Python's own json writes it."""
    back = from_jsonable(json.loads(json.dumps(to_jsonable(Document("1", "", score=math.nan)))))

    assert math.isnan(back.score)


@pytest.mark.parametrize("value", [object(), {1: "one"}, ToolOutput({"a": {object()}})])
def test_what_has_no_form_in_json_is_refused(value: Any) -> None:
    """The error shows the part that cannot be written."""
    with pytest.raises(SerialisationError, match="cannot be converted"):
        to_jsonable(value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"$type": "Message", "role": "user", "colour": "red"}, "no field 'colour'"),
        ({"$type": "os.system", "command": "ls"}, "not known"),
        ({"$type": ["Message"]}, "not known"),
        ({"$type": "Document", "id": "1"}, "makes no Document"),
        ({"$type": "bytes", "value": "%%"}, "no bytes"),
        ({"$type": "bytes", "value": 3}, "has to be a str"),
        ({"$type": "date", "value": "yesterday"}, "no date"),
        ({"$type": "mapping", "value": 3}, "has to be a dict"),
    ],
)
def test_json_that_is_no_value_is_refused(data: Any, reason: str) -> None:
    """What comes from a file is not trusted: only known classes are made, of known fields."""
    with pytest.raises(SerialisationError, match=reason):
        from_jsonable(data)


def test_values_may_stand_anywhere() -> None:
    """Lists and mappings of values are converted as the values in them."""
    data = {"asked": ChatModelInput((Message.user("hi"),)), "used": [Usage(input_tokens=1)]}

    assert from_jsonable(to_jsonable(data)) == data


@serialisable
@dataclass
class Lines:
    """A dataclass of somebody's own, with a list that can be added to."""

    lines: list[str]
    pair: tuple[int, int]


def test_sequences_come_back_as_their_fields_say() -> None:
    """Lists as lists, so that they can be added to; all others as tuples."""
    assert from_jsonable(to_jsonable(Lines(["a"], (1, 2)))) == Lines(["a"], (1, 2))
