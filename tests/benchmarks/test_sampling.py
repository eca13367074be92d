"""One sample: how many units it has, and whether the system did them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from benchmarks.harness.case import Case
from benchmarks.harness.sampling import WrongCountError, calibrate, check, multiple, take
from benchmarks.harness.work import Counter, Work, nothing
from hypothesis import given
from hypothesis import strategies as st

CASE = Case("call", "calls", "Call")


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Give what coroutine functions run on."""
    with asyncio.Runner() as runner:
        yield runner


def counting(counter: Counter, each: int = 1) -> Work:
    """Return work whose handler counts `each` of the two events that it announces."""

    def run(count: int) -> None:
        counter.seen += each * count

    return Work(run, lambda _count: None, counter, events=2)


def test_handlers_that_see_too_little_are_an_error(runner: asyncio.Runner) -> None:
    """Before anything is timed, events are counted."""
    with pytest.raises(WrongCountError, match="expected 6 events, saw 3"):
        check(runner, counting(Counter()), CASE)


def test_handlers_that_see_everything_pass(runner: asyncio.Runner) -> None:
    """The check runs the work twice: the first time warms it up."""
    counter = Counter()

    check(runner, counting(counter, each=2), CASE)

    assert counter.seen == 12


def test_a_consumer_that_sees_too_little_is_an_error(runner: asyncio.Runner) -> None:
    """Work may say how many units arrived."""

    async def run(count: int) -> int:
        return count - 1

    with pytest.raises(WrongCountError, match="expected 5 units, saw 4"):
        take(runner, run, 5)


def test_settling_takes_no_time_of_the_caller(runner: asyncio.Runner) -> None:
    """What handlers do on other threads counts as CPU time, not as waiting."""
    sample = take(runner, lambda _count: None, 1, lambda: sum(range(300_000)))

    assert sample.cpu > sample.wall


def test_a_sample_is_as_long_as_it_is_asked_to_be(runner: asyncio.Runner) -> None:
    """The count of units follows from how long some of them took."""

    def run(count: int) -> None:
        sum(range(count * 1000))

    count = calibrate(runner, run, CASE, 0.01, nothing)

    assert 10 < count < 100_000


@given(st.integers(1, 10**6), st.integers(1, 5000), st.integers(1, 1000))
def test_counts_are_whole_multiples_and_at_least_the_least(count: int, least: int, step: int) -> None:
    """A chain of ten nodes is never cut, and a stream is never too short."""
    case = Case("chain", "graphs", "Node", least=least, step=step)

    found = multiple(count, case)

    assert found % step == 0
    assert found >= least
    assert abs(found - count) <= step or found < least + step
