"""How tasks of ours are ended. Knows nothing of the other layers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

__all__ = ["stop"]


async def stop(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel the tasks that are not done, and wait until all are, also if whoever waits is cancelled meanwhile.

    Raises:
        asyncio.CancelledError: it was.
    """
    cancelled: asyncio.CancelledError | None = None
    for task in tasks:
        task.cancel()
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:  # as a task group: what was begun here ends here
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at: it was told of, or nobody wants it any more
    if cancelled is not None:
        raise cancelled
