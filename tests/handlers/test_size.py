"""What payloads count for in a bounded queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from sideband.handlers._size import size_of


@dataclass(frozen=True, slots=True)
class Message:
    """As the typed payloads are."""

    role: str
    text: str


LARGE: list[Any] = [
    "x" * 10_000,
    b"x" * 10_000,
    bytearray(10_000),
    np.zeros(2500, dtype=np.float32),
    ["x" * 100] * 100,
    ("x" * 5000, b"x" * 5000),
    {"texts": ["x" * 10] * 1000},
    {"x" * 1000 for _ in range(1)} | {"y" * 9000},
    Message("user", "x" * 10_000),
    [Message("user", "x" * 1000)] * 10,
]


@pytest.mark.parametrize("payload", LARGE, ids=lambda payload: type(payload).__name__)
def test_a_payload_counts_for_about_what_it_holds(payload: Any) -> None:
    """Text, binary data, arrays, and what is made of them."""
    assert 10_000 <= size_of(payload) < 10_000 * 8.5


@pytest.mark.parametrize("payload", [None, 3, 0.5, True, object(), ValueError("x" * 1000), int, lambda: 0])
def test_what_cannot_be_looked_into_counts_for_little(payload: Any) -> None:
    """Other objects count for 64 bytes."""
    assert size_of(payload) == 64


class Counted(str):
    """Counts how often it is looked at."""

    __slots__ = ()
    looked = 0

    def __len__(self) -> int:
        Counted.looked += 1
        return 1


def test_a_large_payload_is_not_walked_through() -> None:
    """Whatever its size, some hundred objects are looked at."""
    row = [Counted("x")] * 1000
    Counted.looked = 0

    assert size_of([[row] * 1000] * 1000) > 64_000_000
    assert 0 < Counted.looked <= 8**3


def test_a_payload_that_holds_itself_has_a_size() -> None:
    """The walk ends three levels deep."""
    payload: list[Any] = []
    payload.append(payload)

    assert 64 <= size_of(payload) < 1000


def test_a_mapping_that_changes_meanwhile_has_a_size() -> None:
    """Another thread may change it; that disturbs nobody."""

    class Grows(str):
        __slots__ = ()

        def __len__(self) -> int:
            payload[len(payload)] = "more"
            return 1

    payload: dict[Any, Any] = {0: Grows(), 1: "x"}

    assert size_of(payload) >= 64
