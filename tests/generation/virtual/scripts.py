"""What the tests of middleware share: providers that do what a script says, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.generation.helpers import USED

from sideband.generation import Frame, ProviderError, RateLimitError, Request, ResponseMeta

DONE = Frame.response(ResponseMeta("m-1", "stop", "r-1"))
ANSWER = [Frame.text("a"), Frame.text("b"), Frame.usage(USED), DONE]


class FlakyError(ProviderError):
    """An error that may pass."""

    retryable = True


class Script:
    """A provider that does one list of steps a request: frames to give, errors to raise, seconds to wait."""

    def __init__(self, *scripts: list[Any], name: str = "script") -> None:
        self.name = name
        self.scripts = scripts
        self.asked: list[Request] = []
        self.times: list[float] = []
        self.open = 0
        self.given = 0

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        self.asked.append(request)
        self.times.append(asyncio.get_running_loop().time())
        script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
        self.open += 1
        try:
            for step in script:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                else:
                    self.given += 1
                    yield step
        finally:
            self.open -= 1


def limited(after: float | None = None) -> RateLimitError:
    return RateLimitError("slow down", retry_after=after)


async def read(stream: AsyncIterator[Any]) -> tuple[list[Any], BaseException | None]:
    """Return what a stream gives, and what it fails with."""
    got: list[Any] = []
    try:
        async for frame in stream:
            got.append(frame)
    except Exception as error:
        return got, error
    return got, None


def now() -> float:
    return asyncio.get_running_loop().time()
