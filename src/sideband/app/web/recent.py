"""The latest searches, so that an answer stands on the very results that its reader saw. May import components."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from sideband.components import Document

__all__ = ["Recent", "Search"]


@final
@dataclass(frozen=True, slots=True)
class Search:
    """A question, and what was found."""

    id: str
    question: str
    found: Sequence[Document]


@final
class Recent:
    """Keeps the latest searches."""

    def __init__(self, capacity: int = 64) -> None:
        """Keep so many."""
        self._capacity = capacity
        self._searches: OrderedDict[str, Search] = OrderedDict()

    def add(self, question: str, found: Sequence[Document]) -> Search:
        """Keep a search in place of the oldest one."""
        search = Search(secrets.token_urlsafe(9), question, found)
        self._searches[search.id] = search
        if len(self._searches) > self._capacity:
            self._searches.popitem(last=False)
        return search

    def get(self, name: str) -> Search | None:
        """Return a search by its id; None where it is too old."""
        return self._searches.get(name)
