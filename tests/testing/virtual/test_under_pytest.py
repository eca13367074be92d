"""Coroutine tests on a virtual loop that pytest-asyncio was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from sideband.testing import VirtualLoop

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def slow() -> AsyncGenerator[float]:
    """Take an hour before the test, and one after it."""
    await asyncio.sleep(3600)
    yield asyncio.get_running_loop().time()
    await asyncio.sleep(3600)


async def test_fixture_and_test_share_one_virtual_clock(slow: float) -> None:
    """Which starts at zero for each test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    assert slow == 3600.0

    await asyncio.sleep(60)

    assert loop.time() == 3660.0
