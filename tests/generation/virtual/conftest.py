"""Runs the tests of this folder in virtual time, and sees that none of them leaves a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from sideband.testing import VirtualLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give every coroutine test a loop of its own in virtual time."""
    return {"virtual": VirtualLoop}


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    """Count the tasks after each test."""
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}
