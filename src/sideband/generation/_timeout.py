"""Limits of the time that an answer may take. May import what is below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal, NoReturn, TypeAlias, final

from sideband.generation._errors import ProviderTimeoutError
from sideband.generation._frames import Frame
from sideband.generation._provider import Provider, makes_runs, provider_name
from sideband.generation._request import Request
from sideband.streams._sources import close_source

__all__ = ["GenerationTimeoutError", "timeout"]

Limit: TypeAlias = Literal["total", "first_frame", "between_frames"]

_SAID: dict[Limit, str] = {
    "total": "the answer was not whole",
    "first_frame": "no frame came",
    "between_frames": "no further frame came",
}


class GenerationTimeoutError(ProviderTimeoutError):
    """An answer took longer than `timeout` allows; `limit` says which of its limits was passed, `seconds` what it was."""

    def __init__(self, limit: Limit, seconds: float, *, provider: str = "") -> None:
        """Tell the limit."""
        self.limit: Limit = limit
        self.seconds = seconds
        super().__init__(f"{_SAID[limit]} within {limit}={seconds:g} s", provider=provider)


def timeout(
    provider: Provider,
    *,
    total: float | None = None,
    first_frame: float | None = None,
    between_frames: float | None = None,
) -> Provider:
    """Make a provider whose answers have to come in time.

    Args:
        provider: who is asked.
        total: seconds from the first pull to the end, what the consumer takes for the frames included.
        first_frame: seconds from the first pull to the first frame that is no usage.
        between_frames: seconds that may be waited for each frame after that; while the consumer does something else
            they do not run.

    Order: frames go through as they come. A frame that is there is not held back, but for a `total` that has passed.
    Cancellation: of the consumer goes through. At a limit the provider's stream is cancelled, which closes its request.
    Closing: closes the provider's stream.
    Threads: as the provider.
    Cost: a timer for each frame, about 5 µs.

    Raises:
        ValueError: no limit is given, or one is not positive.
    """
    limits: dict[Limit, float | None] = {
        "total": total,
        "first_frame": first_frame,
        "between_frames": between_frames,
    }
    given: dict[Limit, float] = {name: seconds for name, seconds in limits.items() if seconds is not None}
    if not given or any(seconds <= 0 for seconds in given.values()):
        raise ValueError(
            f"timeout takes total, first_frame or between_frames, in seconds above 0, got {given!r}"
        )
    return _Timed(provider, given)


@final
class _Timed:
    """A provider whose answers have to come in time."""

    def __init__(self, provider: Provider, limits: dict[Limit, float]) -> None:
        self.name = provider_name(provider)
        self.makes_runs = makes_runs(provider)
        self._provider = provider
        self._limits = limits

    def __repr__(self) -> str:
        return f"timeout({self._provider!r})"

    async def generate(self, request: Request, /) -> AsyncGenerator[Frame]:
        clock = asyncio.get_running_loop().time
        started = clock()
        begun = False
        source = aiter(self._provider.generate(request))
        try:
            while True:
                limit, until = self._next(started, clock(), begun)
                if until is not None and until <= clock():
                    self._fail(limit)
                waiting = asyncio.timeout_at(until)
                try:
                    async with waiting:
                        frame = await anext(source)
                except StopAsyncIteration:
                    return
                except Exception as error:
                    if waiting.expired():  # whatever the provider made of its cancellation
                        self._fail(limit, error)
                    raise
                if waiting.expired():  # it was not to be cancelled: too late all the same
                    self._fail(limit)
                begun = begun or frame.kind != "usage"
                yield frame
        finally:
            await close_source(source)

    def _next(self, started: float, now: float, begun: bool) -> tuple[Limit, float | None]:
        """Return the limit that is passed first, and when."""
        ends: dict[Limit, float] = {"total": started}
        ends |= {"between_frames": now} if begun else {"first_frame": started}
        passed: dict[Limit, float] = {
            name: since + self._limits[name] for name, since in ends.items() if name in self._limits
        }
        first = min(passed, key=passed.__getitem__, default=None)
        return (first, passed[first]) if first is not None else ("total", None)

    def _fail(self, limit: Limit, error: Exception | None = None) -> NoReturn:
        raise GenerationTimeoutError(limit, self._limits[limit], provider=self.name) from error
