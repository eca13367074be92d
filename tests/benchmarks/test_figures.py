"""What is made of samples: figures over the bare path, ratios, the best of a gauge, straight lines."""

from __future__ import annotations

from typing import Literal

import pytest
from benchmarks.harness.case import Case
from benchmarks.harness.figures import Row, figures, headline, line
from hypothesis import given
from hypothesis import strategies as st

CASE = Case("call", "calls", "Call")
times = st.floats(0.01, 1000.0)


def sample(cpu: float, bare: float) -> Row:
    """Return a sample whose clock shows twice the CPU's time."""
    return {"cpu": cpu, "wall": 2 * cpu, "bare_cpu": bare, "bare_wall": 2 * bare}


def test_a_figure_is_the_least_time_less_the_least_of_the_bare_path() -> None:
    """The two least times may be of different rounds; the median is that of the rounds' own differences."""
    row = figures(CASE, [sample(5.0, 1.0), sample(4.0, 2.0), sample(9.0, 1.5)])

    assert (row["cpu_min"], row["cpu_median"], row["wall_min"], row["rounds"]) == (3.0, 4.0, 6.0, 3)
    assert headline(CASE, row) == (3.0, 4.0)


def test_a_ratio_is_of_the_least_times() -> None:
    """A case with the figure "ratio" divides by the bare path."""
    row = figures(Case("call", "calls", "Call", figure="ratio"), [sample(6.0, 2.0), sample(5.0, 1.0)])

    assert (row["cpu_min"], row["cpu_median"]) == (5.0, 4.0)


def test_the_tables_show_the_clock_where_a_case_says_so() -> None:
    """A handler on another thread costs CPU time that its caller does not wait for."""
    row = figures(CASE, [sample(5.0, 1.0)])

    assert headline(Case("call", "calls", "Call", clock="wall"), row) == (8.0, 8.0)


@pytest.mark.parametrize(("better", "best"), [("less", 1.0), ("more", 4.0)])
def test_a_gauge_gives_its_best_and_its_median(better: Literal["less", "more"], best: float) -> None:
    """Which value is the best is the case's to say."""
    case = Case("share", "serving", "Share", figure="value", better=better)

    row = figures(case, [{"value": value} for value in (4.0, 1.0, 2.0)])

    assert headline(case, row) == (best, 2.0)


@given(st.lists(st.tuples(times, times), min_size=1))
def test_the_least_is_never_more_than_a_round_over_its_own_bare_path_and_the_spread_of_that(
    pairs: list[tuple[float, float]],
) -> None:
    """However the samples fall, no round's time is less than the figure and the least bare path together."""
    row = figures(CASE, [sample(cpu, bare) for cpu, bare in pairs])

    assert all(cpu >= row["cpu_min"] + row["cpu_bare"] - 1e-6 for cpu, _ in pairs)


@given(st.floats(0, 50), st.floats(0.1, 50))
def test_a_straight_line_is_found_again(start: float, slope: float) -> None:
    """Points of a line give its start and slope, and none is off."""
    found = line([(x, start + slope * x) for x in (1, 2, 4, 8, 16)])

    assert found == pytest.approx((start, slope, 0.0), rel=1e-6, abs=1e-6)


def test_a_line_says_how_far_the_worst_point_is_off() -> None:
    """What grows faster than a line shows."""
    *_, off = line([(1, 1.0), (2, 4.0), (3, 9.0), (4, 16.0)])

    assert off > 0.2


def test_what_does_not_grow_is_a_line_too() -> None:
    """Equal values have the slope 0."""
    assert line([(1, 2.0), (2, 2.0), (4, 2.0)]) == (2.0, 0.0, 0.0)


def test_a_line_of_shares_needs_values_above_zero() -> None:
    """A point at 0 could be off by any share."""
    with pytest.raises(ValueError, match="greater than 0"):
        line([(0, 0.0), (1, 1.0)])
