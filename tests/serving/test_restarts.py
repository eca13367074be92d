from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sideband.serving._restarts import FIRST, LONGEST, Restarts


@given(st.lists(st.booleans(), max_size=40), st.floats(0, 1e6))
def test_the_first_replacement_comes_at_once_and_each_further_one_later(
    deaths: list[bool], now: float
) -> None:
    """The wait doubles with each death in a row, up to a limit; a batch that is done sets it back."""
    restarts = Restarts()
    row = 0
    for died in deaths:
        if died:
            restarts.died(now)
            row += 1
        else:
            restarts.succeeded()
            row = 0
        expected = 0.0 if row < 2 else min(LONGEST, FIRST * 2 ** (row - 2))
        assert abs(restarts.wait(now) - expected) < 1e-6
        assert restarts.wait(now + expected + 1e-6) == 0.0
    assert restarts.deaths == row


def test_no_number_of_deaths_is_too_many() -> None:
    """A serving whose workers die for weeks waits the longest time, no more."""
    restarts = Restarts()
    for _ in range(5000):
        restarts.died(0.0)

    assert restarts.wait(0.0) == LONGEST
