"""Coroutines driven in a thread that runs no event loop. May import streams."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import Any, final

from sideband.streams import Stream

__all__ = ["Driver"]

_END: Any = object()


@final
class Driver:
    """An event loop for one call, in the thread that makes it."""

    def __init__(self, twin: str) -> None:
        """Remember which method is to be used where a loop runs."""
        self._context = copy_context()
        self._twin = twin
        self._runner = asyncio.Runner()

    def __enter__(self) -> Driver:
        """Look whether this thread may wait."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self
        raise RuntimeError(
            f"{self._twin}_sync was called in a thread that runs an event loop, which would wait for "
            f"itself; await or iterate {self._twin} there"
        )

    def __exit__(self, *exc: object) -> None:
        """Close the loop."""
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Wait for a coroutine."""
        return self._runner.run(work, context=self._context)

    def chunks(self, stream: Stream[Any]) -> Generator[Any, None, None]:
        """Pull a stream to its end, or until the consumer stops."""

        async def pull() -> Any:
            return await anext(stream, _END)

        try:
            while (chunk := self.run(pull())) is not _END:
                yield chunk
        finally:
            self.run(stream.aclose())
