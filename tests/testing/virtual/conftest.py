"""Runs the tests of this folder in virtual time, as a user's `conftest.py` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from sideband.testing import VirtualLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give every coroutine test a loop of its own in virtual time."""
    return {"virtual": VirtualLoop}
