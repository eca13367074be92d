"""By which clock items arrive, wait and expire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["clock_of"]


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return the clock by which parts arrive: the monotonic one, unless a loop of the standard kind has its own.

    Such a loop keeps a virtual time. Others, as uvloop, count milliseconds, too few for a queue's times.
    """
    virtual = isinstance(loop, asyncio.BaseEventLoop) and type(loop).time is not asyncio.BaseEventLoop.time
    return loop.time if virtual else time.monotonic
