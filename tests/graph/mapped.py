"""What the tests of workflows share: types to be put together, and functions that give back what they are given."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as entry
from typing import Any, NamedTuple, NotRequired, TypedDict


@dataclass(frozen=True)
class Options:
    k: int = 3
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    text: str
    options: Options = entry(default_factory=Options)


class Point(NamedTuple):
    x: int
    y: int = 0


class Entries(TypedDict):
    a: Any
    b: NotRequired[Any]


def same(value: Any) -> Any:
    return value


def named(a: Any, b: Any = "default") -> Any:
    return a, b


def typed(value: Question) -> Any:
    return value


def point(value: Point) -> Any:
    return value


def entries(value: Entries) -> Any:
    return value


def anything(**values: Any) -> Any:
    return values
