"""Limits of the time that an answer may take."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.generation.helpers import USED

from sideband.generation import (
    Frame,
    GenerationTimeoutError,
    ProviderConnectionError,
    Request,
    Runtime,
    retry,
    timeout,
)
from sideband.testing import Recorder, check_lifecycle

from .scripts import ANSWER, Script, now, read

ASKED = Request.of("go")
A, B, TOLD, DONE = ANSWER


@pytest.mark.parametrize(
    ("script", "limits", "limit", "got", "at"),
    [
        ([5, *ANSWER], {"first_frame": 2}, "first_frame", [], 2),
        ([TOLD, 5, A], {"first_frame": 2}, "first_frame", [TOLD], 2),
        ([1, A, 5, B], {"first_frame": 2, "between_frames": 3}, "between_frames", [A], 4),
        ([1, A, 5, B], {"total": 2}, "total", [A], 2),
        ([1, A, 5, B], {"total": 2, "between_frames": 3}, "total", [A], 2),
        ([1, A, 5, B], {"total": 5, "between_frames": 3}, "between_frames", [A], 4),
        ([1, A, B, 5], {"between_frames": 3}, "between_frames", [A, B], 4),
    ],
)
async def test_a_limit_that_is_passed_is_an_error_that_says_which(
    script: list[Any], limits: dict[str, float], limit: str, got: list[Frame], at: float
) -> None:
    """Niro, statement 98: of the library's own type, not the bare one, at that very moment; the request is closed."""
    provider = Script(script)
    frames, error = await read(timeout(provider, **limits).generate(ASKED))

    assert frames == got
    assert isinstance(error, GenerationTimeoutError)
    assert isinstance(error, TimeoutError)
    assert error.retryable
    assert (error.limit, error.seconds, error.provider) == (limit, limits[limit], "script")
    assert f"within {limit}={limits[limit]} s" in str(error)
    assert (now(), provider.open) == (at, 0)
    assert pickle.loads(pickle.dumps(error)).limit == limit


@pytest.mark.parametrize("limits", [{"total": 10}, {"first_frame": 3}, {"between_frames": 3}])
async def test_an_answer_in_time_is_as_without_a_limit(limits: dict[str, float]) -> None:
    """Niro, statement 97: usage and response included."""
    provider = Script([2, A, 2, B, 2, TOLD, 2, DONE])
    stream = Runtime(timeout(provider, **limits)).generate(ASKED)

    assert await stream.collect() == ANSWER
    assert (stream.usage, stream.response) == (USED, DONE.content)


async def test_a_consumer_that_takes_its_time_is_no_fault_of_the_provider() -> None:
    """Only the total goes on; and when it has passed, the answer is no clean end (Niro, statement 98)."""
    stream = timeout(Script(ANSWER), total=10, between_frames=1).generate(ASKED)
    got = [await anext(stream)]
    await asyncio.sleep(5)
    got.append(await anext(stream))
    await asyncio.sleep(6)

    with pytest.raises(GenerationTimeoutError, match="total=10"):
        await anext(stream)
    assert got == [A, B]


@pytest.mark.parametrize("stubborn", [False, True])
async def test_what_a_provider_makes_of_its_cancellation_is_a_timeout(stubborn: bool) -> None:
    """An error of its own, which is the cause, or a frame that comes after all."""

    class Translating:
        async def generate(self, request: Request) -> AsyncIterator[Frame]:
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError as error:
                if not stubborn:
                    raise ProviderConnectionError("gone") from error
            yield A

    got, error = await read(timeout(Translating(), total=1).generate(ASKED))
    assert got == []
    assert isinstance(error, GenerationTimeoutError)
    assert isinstance(error.__cause__, type(None) if stubborn else ProviderConnectionError)


async def test_a_timeout_of_the_providers_own_stays_what_it_is() -> None:
    """It is not taken for ours."""
    error = TimeoutError("mine")

    assert await read(timeout(Script([error]), total=1).generate(ASKED)) == ([], error)


async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    """It goes through."""
    recorder, provider = Recorder(), Script([5, A])
    stream = Runtime(timeout(provider, total=9), hooks=[recorder]).generate(ASKED)
    task = asyncio.create_task(stream.collect())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (recorder.run().outcome, provider.open) == ("cancelled", 0)
    check_lifecycle(recorder)


async def test_an_attempt_that_takes_too_long_is_asked_again() -> None:
    """Niro, statement 103: retry outside of timeout."""
    provider = Script([60, A], ANSWER)

    assert await read(retry(timeout(provider, first_frame=5)).generate(ASKED)) == (ANSWER, None)
    assert provider.open == 0


@pytest.mark.parametrize("limits", [{}, {"total": 0}, {"first_frame": -1.0}])
def test_limits_that_are_none_are_refused(limits: dict[str, float]) -> None:
    """With the values."""
    with pytest.raises(ValueError, match="in seconds above 0"):
        timeout(Script(), **limits)
