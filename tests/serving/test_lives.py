"""Whole servers in virtual time: keys, costs, priorities, deadlines, windows, failures, closings, several partitions."""

from __future__ import annotations

import pytest

from .server_schedules import live

FEW, ALL = 300, 100_000


def test_nobody_is_forgotten_or_served_twice_or_late() -> None:
    """In random lives every caller gets its own results in its order, or an error that says why."""
    for seed in range(FEW):
        live(seed)


@pytest.mark.deep
def test_the_same_in_a_hundred_thousand_lives() -> None:
    """As above, in all of them."""
    for seed in range(ALL):
        live(seed)
