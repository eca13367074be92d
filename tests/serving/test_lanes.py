"""What the policy keeps, and what it costs when much of it is odd: callers who go, many keys, many priorities."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sideband.serving._lane import Lane, Limits
from sideband.serving._lanes import Lanes
from sideband.serving._policy import BatchPolicy

from .policy_model import Lot


def lot(number: int, *, count: int = 1, **options: Any) -> Lot:
    """Make a lot of some items."""
    return Lot(list(range(number, number + count)), [1.0] * count, options.pop("arrived", 0.0), **options)


def numbers(batches: list[list[Lot]]) -> list[list[int]]:
    """Return the numbers of batches."""
    return [[number for one in batch for number in one.numbers] for batch in batches]


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("priority", [0, 4])
def test_what_was_taken_out_does_not_pile_up(keep: int, priority: int) -> None:
    """Callers who come and go by the thousand while all partitions are busy leave nothing in the queue."""
    lane: Lane[Lot] = Lane(Limits(batch_size=8, batch_timeout=1.0))
    for number in range(keep):
        lane.add(lot(number, priority=priority))

    for number in range(10_000):
        passing = lot(number)
        lane.add(passing)
        lane.remove(passing)

    assert lane.waiting == keep
    assert len(lane._parts) < 200
    assert len(lane._ranked or ()) + len(lane._fresh) < 200
    assert numbers([lane.drain()]) == [list(range(keep))]


def test_urgent_parts_that_were_executed_do_not_pile_up_behind_a_patient_one() -> None:
    """They were in front of it, and are forgotten before it has its turn."""
    lane: Lane[Lot] = Lane(Limits(batch_size=1, batch_timeout=0.0, ageing=1e6))
    lane.add(lot(0))
    for number in range(1, 5_000):
        lane.add(lot(number, priority=1))
        assert numbers(lane.cut(0.0, 1)) == [[number]]

    assert len(lane._parts) < 200


def test_places_of_keys_do_not_pile_up() -> None:
    """Callers who come and go change when their key is due, each time, and leave nothing."""
    lanes: Lanes[Lot] = Lanes(Limits(batch_size=2, batch_timeout=1.0))
    lanes.add(lot(0, key="a"))
    for number in range(1, 5_000):
        passing = lot(number, key=number % 2 and "a")
        lanes.add(passing)
        lanes.remove(passing)

    assert (lanes.keys, lanes.waiting) == (1, 1)
    assert len(lanes._timed) + len(lanes._ready) < 200


def test_deadlines_of_those_who_were_served_do_not_pile_up() -> None:
    """However far off they are."""
    policy: BatchPolicy[Lot] = BatchPolicy(Limits(batch_size=1, batch_timeout=0.0))
    for number in range(5_000):
        policy.offer([lot(number, deadline=1e9)])
        assert numbers(policy.cut(0.0, 1)) == [[number]]

    assert len(policy._expiring) < 200


def test_a_part_that_is_taken_out_half_executed_gives_only_its_rest() -> None:
    """Removing a part whose head has been cut takes out the items that still wait, and counts those."""
    policy: BatchPolicy[Lot] = BatchPolicy(Limits(batch_size=3, batch_timeout=0.0))
    part = lot(0, count=5)
    policy.offer([part])

    assert numbers(policy.cut(0.0, 1)) == [[0, 1, 2]]
    assert policy.remove(part) == 2
    assert policy.remove(part) == 0
    assert policy.cut(0.0, 1) == []


def cpu(count: int, **options: Any) -> float:
    """Return the seconds that it takes to let parts wait and cut them all."""
    policy: BatchPolicy[Lot] = BatchPolicy(
        Limits(batch_size=32, batch_timeout=0.0, max_queue=count), keyed="key" in options
    )
    parts = [
        lot(number, arrived=float(number), **{name: make(number) for name, make in options.items()})
        for number in range(count)
    ]
    started = time.process_time()
    for part in parts:
        policy.offer([part])
    cut = 0
    while batches := policy.cut(float(count), 4):
        cut += sum(map(len, batches))
    assert cut == count
    return time.process_time() - started


@pytest.mark.parametrize(
    "options",
    [
        {"key": lambda number: number},
        {"priority": lambda number: number % 5},
        {"priority": lambda number: -number},
        {"priority": lambda number: number * 7919 % 10_007},
        {"key": lambda number: number % 3, "priority": lambda number: number % 1000},
        {"deadline": lambda number: 1e9 - number},
    ],
    ids=["a key each", "few priorities", "falling", "any priority", "both", "deadlines"],
)
def test_a_long_queue_of_odd_items_costs_little_more_than_a_short_one(options: Any) -> None:
    """Eight times as many take about eight times as long, not the square of it."""
    short = min(cpu(1_000, **options) for _ in range(3))
    long = min(cpu(8_000, **options) for _ in range(2))

    assert long < 8 * short * 4
