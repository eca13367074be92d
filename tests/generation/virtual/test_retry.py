"""Asking again after an error that may pass."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.generation.helpers import USED, Noting

from sideband import Abort, callbacks
from sideband.components import Usage
from sideband.generation import (
    RESTART,
    RETRY,
    Frame,
    Provider,
    ProviderError,
    RateLimitError,
    Request,
    Retried,
    Runtime,
    is_retryable,
    retry,
)
from sideband.testing import Recorder, check_lifecycle

from .scripts import ANSWER, DONE, FlakyError, Script, limited, now, read

ASKED = Request.of("go")


async def test_an_error_that_may_pass_is_asked_again() -> None:
    """Niro, statement 94: also one that comes out of the stream, as it does in every SDK."""
    provider = Script([FlakyError("a")], [0.1, FlakyError("b")], ANSWER)

    assert await read(retry(provider).generate(ASKED)) == (ANSWER, None)
    assert provider.asked == [ASKED] * 3


async def test_the_last_error_is_raised_as_it_is() -> None:
    """Niro, statement 95: the same object, so that it is still a rate limit, with its delay."""
    errors = [FlakyError("a"), limited(1.0), limited(2.0)]
    got, error = await read(retry(Script(*[[one] for one in errors])).generate(ASKED))

    assert (got, error) == ([], errors[-1])
    assert isinstance(error, RateLimitError)
    assert error.retryable


@pytest.mark.parametrize("error", [ProviderError("no"), ValueError("no"), Abort("no")])
async def test_what_does_not_pass_is_not_asked_again(error: Exception) -> None:
    """Niro, statement 93: it comes through unchanged, at once."""
    provider = Script([error])

    assert await read(retry(provider).generate(ASKED)) == ([], error)
    assert (len(provider.asked), now()) == (1, 0.0)


async def test_delays_double_within_a_quarter() -> None:
    """Niro, statement 96: from the initial delay up to the greatest, give or take a quarter."""
    provider = Script([FlakyError("a")])
    policy = retry(provider, attempts=6, initial_delay=1.0, max_delay=4.0, total=None)
    await read(policy.generate(ASKED))

    delays = [later - sooner for sooner, later in zip(provider.times, provider.times[1:], strict=False)]
    assert len(delays) == 5
    for delay, middle in zip(delays, [1, 2, 4, 4, 4], strict=True):
        assert 0.75 * middle <= delay <= 1.25 * middle


async def test_a_delay_is_never_shorter_than_the_provider_asks_for() -> None:
    """Also where that is longer than delays grow by themselves."""
    provider = Script([limited(50.0)], ANSWER)
    await read(retry(provider, max_delay=1.0).generate(ASKED))

    assert now() == 50.0


async def test_no_attempt_begins_after_the_total_time() -> None:
    """A delay that would end later is not waited for."""
    error = limited(50.0)
    provider = Script([15, error])

    assert await read(retry(provider, total=60.0).generate(ASKED)) == ([], error)
    assert (len(provider.asked), now()) == (1, 15.0)


async def test_nothing_is_asked_again_when_a_frame_has_gone_out() -> None:
    """The consumer has it: the answer cannot begin anew unnoticed."""
    error = FlakyError("cut")
    provider = Script([ANSWER[0], error], ANSWER)

    assert await read(retry(provider).generate(ASKED)) == ([ANSWER[0]], error)


async def test_an_answer_begins_anew_where_that_is_asked_for() -> None:
    """With a frame that says so; what came before it is no part of the message, but was paid for."""
    provider = Script([ANSWER[0], Frame.usage(USED), FlakyError("cut")], ANSWER)
    stream = Runtime(retry(provider, restart=True)).generate(ASKED)

    frames = await stream.collect()

    assert frames == [ANSWER[0], Frame.usage(USED), Frame.control(RESTART), *ANSWER]
    assert stream.message.text == "ab"
    assert stream.usage == USED + USED


async def test_usage_of_an_attempt_that_failed_counts() -> None:
    """It is no frame that could not be taken back: some providers tell it before they fail."""
    told = Frame.usage(Usage(input_tokens=7))
    stream = Runtime(retry(Script([told, FlakyError("overloaded")], ANSWER))).generate(ASKED)

    assert await stream.text() == "ab"
    assert stream.usage == USED + Usage(input_tokens=7)


async def test_attempts_are_visible() -> None:
    """Niro, statement 95 and flaw 12: each is a run with its number and error, and the whole is told of the delay."""
    recorder, hook = Recorder(), Noting()
    error = limited(3.0)

    await Runtime(retry(Script([error], ANSWER)), hooks=[recorder, hook]).generate(ASKED).collect()

    whole, first, second = recorder.runs()
    assert recorder.children(whole) == [first, second]
    assert [run.attributes["metadata"] for run in (first, second)] == [{"attempt": 1}, {"attempt": 2}]
    assert (first.outcome, first.error, second.outcome) == ("error", error, "ok")
    assert recorder.events(RETRY) == [Retried(1, error, 3.0)]
    assert hook.names == ["start", "frame", "frame", "end"]
    assert hook.started.provider == "script"
    check_lifecycle(recorder)


async def test_hooks_below_see_each_attempt() -> None:
    """Niro, statement 104: above there is one start and one end, below one of each an attempt."""
    above, below = Noting(), Noting()
    provider = retry(Runtime(Script([FlakyError("a")], ANSWER), hooks=[below]))

    await Runtime(provider, hooks=[above]).generate(ASKED).collect()

    assert above.names == ["start", "frame", "frame", "end"]
    assert below.names == ["start", "error", "end", "start", "frame", "frame", "end"]


@pytest.mark.parametrize("seconds", [0.5, 1.5])
async def test_a_cancelled_consumer_cancels_attempt_and_delay(seconds: float) -> None:
    """In the middle of either one."""
    recorder = Recorder()
    provider = Script([1, limited(9.0)])
    task = asyncio.create_task(Runtime(retry(provider), hooks=[recorder]).generate(ASKED).collect())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (now(), provider.open, len(provider.asked)) == (seconds, 0, 1)
    assert recorder.runs()[0].outcome == "cancelled"
    check_lifecycle(recorder)


async def test_a_retried_stream_closed_early_closes_the_provider() -> None:
    """At once."""
    provider = Script([FlakyError("a")], ANSWER)
    with callbacks(recorder := Recorder()):
        async with Runtime(retry(provider)).generate(ASKED) as stream:
            await anext(stream)

    assert provider.open == 0
    assert [run.outcome for run in recorder.runs()] == ["closed", "error", "closed"]
    check_lifecycle(recorder)


def test_errors_say_whether_they_may_pass() -> None:
    """A group may if one of its errors may."""
    assert is_retryable(limited())
    assert not is_retryable(TimeoutError())
    assert is_retryable(ExceptionGroup("all", [ProviderError("no"), limited()]))
    assert not is_retryable(ExceptionGroup("all", [ProviderError("no")]))


async def test_what_is_asked_again_is_the_callers_to_choose() -> None:
    """By a function of the error."""
    provider = Script([OSError("gone")], ANSWER)
    policy = retry(provider, retry_on=lambda error: isinstance(error, OSError))

    assert await read(policy.generate(ASKED)) == (ANSWER, None)


async def test_an_abort_is_never_asked_again() -> None:
    """Whoever stopped the run meant it, whatever the caller's function says."""
    abort = Abort("stop")
    provider = Script([abort])

    assert await read(retry(provider, retry_on=lambda error: True).generate(ASKED)) == ([], abort)
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    "options", [{"attempts": 0}, {"total": 0}, {"initial_delay": -1}, {"max_delay": -1.0}]
)
def test_numbers_out_of_their_range_are_refused(options: dict[str, Any]) -> None:
    """With the value."""
    with pytest.raises(ValueError, match="got"):
        retry(Script(), **options)


def test_a_retrying_provider_is_a_provider_with_its_name() -> None:
    """It hides nothing."""
    provider = retry(Script([DONE]))

    assert isinstance(provider, Provider)
    assert Runtime(provider).name == "script"
