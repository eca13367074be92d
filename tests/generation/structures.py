"""What the tests of structured answers share: types, and a model that writes what it is told to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from typing_extensions import TypedDict

from sideband.generation import Frame, Request, ResponseMeta, Runtime

from .helpers import USED


class Ingredient(BaseModel):
    name: str
    grams: float = 1


class Recipe(BaseModel):
    title: str
    ingredients: list[Ingredient]


@dataclass
class Point:
    x: int
    y: int = 0


class Place(TypedDict):
    city: str


class Node(BaseModel):
    children: list[Node]


SOUP = {"title": "Soup", "ingredients": [{"name": "leek", "grams": 120.5}, {"name": "salt", "grams": 2.0}]}


class Writer:
    """Answers with texts, one a request, in pieces of a few characters."""

    name = "writer"

    def __init__(self, *texts: str, reason: str = "stop", size: int = 3) -> None:
        self.texts = list(texts)
        self.reason = reason
        self.size = size
        self.asked: list[Request] = []

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        self.asked.append(request)
        text = self.texts[min(len(self.asked), len(self.texts)) - 1]
        for start in range(0, len(text), self.size):
            yield Frame.text(text[start : start + self.size])
        yield Frame.usage(USED)
        yield Frame.response(ResponseMeta("w", self.reason))


def writing(value: Any, **options: Any) -> Runtime:
    return Runtime(Writer(json.dumps(value), **options))
