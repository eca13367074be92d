"""Asking again after an error that may pass: tenacity's policy, imported when it is needed. May import observe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast, final

from sideband.errors import Abort, MissingExtraError
from sideband.generation._asking import ask
from sideband.generation._errors import ProviderError
from sideband.generation._frames import RESTART, Frame
from sideband.generation._provider import Provider, provider_name
from sideband.generation._request import Request
from sideband.observe import emit
from sideband.streams._sources import close_source

__all__ = ["RETRY", "Retried", "is_retryable", "retry"]

RETRY = "retry"
"""The event by which `retry` tells its run that an attempt has failed and another one follows: a `Retried`."""

_JITTER = 0.25


class Retried(NamedTuple):
    """An attempt that failed, before the next one."""

    attempt: int
    """Its number, from 1."""
    error: BaseException
    """What it failed with."""
    delay: float
    """Seconds until the next one."""


def is_retryable(error: BaseException) -> bool:
    """Tell whether the same request may do better; of a group, whether it may for one of its errors."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_retryable(one) for one in _errors_of(cast("Any", error)))
    return isinstance(error, ProviderError) and error.retryable


def retry(
    provider: Provider,
    *,
    attempts: int = 3,
    total: float | None = 60.0,
    initial_delay: float = 0.5,
    max_delay: float = 30.0,
    restart: bool = False,
    retry_on: Callable[[BaseException], bool] = is_retryable,
) -> Provider:
    """Make a provider that asks again after an error that may pass.

    A delay doubles from attempt to attempt, with a jitter of a quarter, and is never shorter than the provider
    asks for (`retry_after`). Each attempt is a run of its own, whose `metadata` attribute has its number
    ("attempt"); before each delay the run around them is told by the event `RETRY`. After the last attempt its
    error is raised, as it is. Usage counts, whatever became of the attempt that consumed it.

    Args:
        provider: who is asked.
        attempts: the most that are made.
        total: seconds, from the first pull, after which none begins; None for no such limit. An attempt that has
            begun goes on: `timeout` bounds it.
        initial_delay: seconds before the second attempt.
        max_delay: the most seconds that a delay grows to by itself.
        restart: whether to ask again, too, when frames have gone out (others than usage). The consumer then
            gets a control frame `RESTART`, and the answer from its beginning.
        retry_on: tells of an error whether it may pass. An `Abort` never does.

    Order: frames go through as they come.
    Cancellation: of the consumer ends the attempt, or the delay.
    Closing: closes the attempt.
    Threads: as the provider.

    Raises:
        ValueError: a number is out of its range.
        MissingExtraError: tenacity is not installed.
    """
    if attempts < 1:
        raise ValueError(f"attempts must be 1 or more, got {attempts!r}")
    if initial_delay < 0 or max_delay < 0 or (total is not None and total <= 0):
        raise ValueError(
            f"delays must not be negative, and total positive or None, got initial_delay={initial_delay!r}, "
            f"max_delay={max_delay!r}, total={total!r}"
        )
    _import_tenacity()
    return _Retrying(provider, attempts, total, (initial_delay, max_delay), restart, retry_on)


def _import_tenacity() -> Any:
    try:
        import tenacity  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("retry", "tenacity") from error
    return tenacity


@final
@dataclass(frozen=True)
class _Retrying:
    """A provider that asks another one again."""

    _provider: Provider
    _attempts: int
    _total: float | None
    _delays: tuple[float, float]
    _restart: bool
    _retry_on: Callable[[BaseException], bool]

    makes_runs = True

    @property
    def name(self) -> str:
        return provider_name(self._provider)

    def __repr__(self) -> str:
        return f"retry({self._provider!r})"

    async def generate(self, request: Request, /) -> AsyncGenerator[Frame]:
        begun = False
        async for attempt in self._policy():
            if begun:
                begun = False
                yield Frame.control(RESTART)
            number = attempt.retry_state.attempt_number
            source = ask(self._provider, request, {"attempt": number})
            try:
                async for frame in source:
                    begun = begun or frame.kind != "usage"
                    yield frame
                return
            except Exception as error:  # `retry_on` says what passes; all else goes on
                if (begun and not self._restart) or isinstance(error, Abort) or not self._retry_on(error):
                    raise
                with attempt:  # which keeps it: the policy decides, and raises it at the last attempt
                    raise
            finally:
                await close_source(source)

    def _policy(self) -> Any:
        tenacity = _import_tenacity()
        clock = asyncio.get_running_loop().time
        started = clock()
        initial, longest = self._delays
        backoff = tenacity.wait_exponential(multiplier=initial, max=longest)

        def wait(state: Any) -> float:
            jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
            return max(float(backoff(state)) * jitter, _asked_for(state.outcome.exception()))

        def stop(state: Any) -> bool:
            late = self._total is not None and clock() - started + state.upcoming_sleep > self._total
            return late or bool(state.attempt_number >= self._attempts)

        def tell(state: Any) -> None:
            emit(RETRY, Retried(state.attempt_number, state.outcome.exception(), state.upcoming_sleep))

        return tenacity.AsyncRetrying(
            stop=stop, wait=wait, before_sleep=tell, sleep=asyncio.sleep, reraise=True
        )


def _asked_for(error: BaseException) -> float:
    """Return the seconds that a provider asks to wait; of several, what the quickest one asks for."""
    if isinstance(error, BaseExceptionGroup):
        return min(
            (_asked_for(one) for one in _errors_of(cast("Any", error)) if is_retryable(one)), default=0.0
        )
    return getattr(error, "retry_after", None) or 0.0


def _errors_of(group: BaseExceptionGroup[BaseException]) -> tuple[BaseException, ...]:
    return group.exceptions
