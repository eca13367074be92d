"""The batching policy in virtual time, by itself."""

from __future__ import annotations

import pytest

from .policy_mutants import mutants
from .schedules import run

FEW, ALL = 2_000, 100_000


def test_nothing_is_lost_doubled_reordered_crossed_or_late() -> None:
    """In random schedules the policy does what its plain model does, and keeps every promise."""
    for seed in range(FEW):
        run(seed)


@pytest.mark.deep
def test_the_same_in_a_hundred_thousand_schedules() -> None:
    """As above, in all of them."""
    for seed in range(ALL):
        run(seed)


def test_there_are_enough_mutants() -> None:
    """At least ten."""
    assert len(mutants) >= 10


@pytest.mark.parametrize("name", mutants)
def test_a_policy_that_breaks_a_promise_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mutant fails a schedule that the right policy passes."""
    mutants[name](monkeypatch)

    with pytest.raises((AssertionError, LookupError)):
        for seed in range(FEW):
            run(seed)
