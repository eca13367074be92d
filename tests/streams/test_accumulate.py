"""Accumulators: what chunks of each kind make together, and how a user adds a kind."""

from __future__ import annotations

import datetime as dt
import enum
import threading
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.streams import Accumulator, accumulator, join


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Word(enum.StrEnum):
    YES = "yes"
    NO = "no"


class Token(str):
    __slots__ = ()


class Point(NamedTuple):
    x: int


@pytest.mark.parametrize(
    ("chunks", "value"),
    [
        ([], []),
        (["a"], "a"),
        (["Hel", "lo"], "Hello"),
        ([Token("Hel"), "lo"], "Hello"),
        ([b"a", bytearray(b"b")], b"ab"),
        ([1, 2.5, Decimal(3)], Decimal(3)),
        ([True, False], False),
        ([dt.timedelta(1), dt.timedelta(2)], dt.timedelta(2)),
        ([Colour.RED, Colour.BLUE], Colour.BLUE),
        ([Word.YES, Word.NO], Word.NO),
        ([[1], [], [2, 3]], [1, 2, 3]),
        ([{"a": "x"}, {"a": "y", "b": 1}], {"a": "xy", "b": 1}),
        ([{"a": {"b": [1]}}, {"a": {"b": [2]}}], {"a": {"b": [1, 2]}}),
        ([{"a": None}, {"a": "x"}, {"a": None, "b": None}], {"a": "x", "b": None}),
        ([{"a": 1}, {"a": "x"}], {"a": [1, "x"]}),
        ([MappingProxyType({"a": "x"}), {"a": "y"}], {"a": "xy"}),
        ([Point(1), Point(2)], [Point(1), Point(2)]),
        (["a", 1, "b"], ["a", 1, "b"]),
        (["a", "b", 1], ["a", "b", 1]),
        ([None, None], [None, None]),
        ([object, "a"], [object, "a"]),
    ],
)
def test_chunks_make_one_value(chunks: list[Any], value: Any) -> None:
    """By type: joined, extended, merged, the last one; a list of them where types are mixed or unknown."""
    assert join(chunks) == value
    assert type(join(chunks)) is type(value)


def test_one_chunk_is_returned_as_it_is() -> None:
    """The very object, whatever its type."""
    for chunk in ({"a": 1}, [1], bytearray(b"x"), object()):
        assert join([chunk]) is chunk


@given(st.lists(st.text() | st.integers() | st.lists(st.integers()) | st.dictionaries(st.text(), st.text())))
def test_adding_is_incremental(chunks: list[Any]) -> None:
    """At each moment the value is that of the chunks so far, which stay as they were."""
    total = Accumulator()
    before = repr(chunks)
    for count, chunk in enumerate(chunks, 1):
        total.add(chunk)
        assert total.value == join(chunks[:count])
    assert total.chunks == tuple(chunks)
    assert repr(chunks) == before


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text()), min_size=2))
def test_mappings_merge_as_their_values_do(chunks: list[dict[str, str]]) -> None:
    """Key by key, in order."""
    keys = {key for chunk in chunks for key in chunk}
    assert join(chunks) == {key: "".join(chunk.get(key, "") for chunk in chunks) for key in keys}


def test_a_user_adds_a_type_with_a_function() -> None:
    """It is called with what there is so far and the next chunk."""

    class Usage(NamedTuple):
        tokens: int

    @accumulator(Usage)
    def add(total: Usage, chunk: Usage) -> Usage:
        return Usage(total.tokens + chunk.tokens)

    assert join([Usage(1), Usage(2), Usage(3)]) == Usage(6)
    assert add(Usage(1), Usage(1)) == Usage(2)


def test_a_user_adds_a_type_with_a_class() -> None:
    """The exact type comes first, then the nearest base."""

    class Message(dict[str, str]): ...

    class Reply(Message): ...

    class Note(Message): ...

    @accumulator(Message)
    class Count:
        def __init__(self) -> None:
            self.value = 0

        def add(self, chunk: Message) -> None:
            self.value += 1

    @accumulator(Note)
    def last(total: Note, chunk: Note) -> Note:
        return chunk

    note = Note()
    assert join([Message(), Reply()]) == 2
    assert join([Note(), note]) is note
    assert join([Note(), Message()]) == [{}, {}]
    assert last(note, note) is note
    assert Count().value == 0


def test_an_accumulators_error_goes_through_and_loses_nothing() -> None:
    """The chunks are still there."""

    class Part(NamedTuple):
        place: int

    @accumulator(Part)
    def add(total: Part, chunk: Part) -> Part:
        raise ValueError("indices disagree")

    total = Accumulator()
    total.add(Part(1))
    with pytest.raises(ValueError, match="disagree"):
        total.add(Part(2))
    assert total.chunks == (Part(1), Part(2))
    assert add.__name__ == "add"


def test_the_decorator_needs_types() -> None:
    """Forgetting the brackets is an error that shows them."""
    cases: list[tuple[Any, ...]] = [(), ("text",), (lambda: None,)]
    for wrong in cases:
        with pytest.raises(TypeError, match="@accumulator"):
            accumulator(*wrong)


def test_registering_in_threads_loses_nothing() -> None:
    """Types that are added at the same time are all there afterwards."""
    kinds = [type(f"Kind{i}", (), {}) for i in range(40)]
    start = threading.Barrier(8)

    def register(part: int) -> None:
        start.wait()
        for kind in kinds[part::8]:
            accumulator(kind)(lambda total, chunk: "known")

    threads = [threading.Thread(target=register, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {join([kind(), kind()]) for kind in kinds} == {"known"}
