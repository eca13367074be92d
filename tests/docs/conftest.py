"""A page's program may register a handler for as long as it lives: the next page starts without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sideband.scope._registry import registry


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Take out what the page's handlers have registered, instead of failing as for a test."""
    yield
    for registration in registry._registrations:
        registration.remove()
