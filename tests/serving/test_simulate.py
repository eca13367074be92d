from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.serving import CostModel, Distribution, Simulation, simulate

COST = CostModel(0.005, 0.0002)


def loads() -> st.SearchStrategy[dict[str, Any]]:
    """Give what may come to a serving: at a rate, from callers, or at certain times."""
    arrivals = st.lists(st.floats(0, 1), min_size=1, max_size=60).map(sorted)
    return (
        st.fixed_dictionaries({"rate": st.floats(10, 10_000)})
        | st.fixed_dictionaries({"callers": st.integers(1, 60)})
        | st.fixed_dictionaries({"arrivals": arrivals})
    )


def options() -> st.SearchStrategy[dict[str, Any]]:
    """Give the limits of a serving."""
    return st.fixed_dictionaries(
        {
            "batch_size": st.integers(1, 20),
            "batch_timeout": st.sampled_from([0.0, 0.001, 0.01]),
            "partitions": st.integers(1, 3),
        }
    )


def some(load: dict[str, Any], limits: dict[str, Any], **more: Any) -> Simulation:
    """Simulate a few items."""
    return simulate(COST, items=200, **load, **limits, **more)


@given(
    load=loads(),
    limits=options(),
    call_size=st.integers(1, 7),
    keys=st.integers(1, 3),
    variation=st.sampled_from([0.0, 1.0]),
)
def test_littles_law_holds(
    load: dict[str, Any], limits: dict[str, Any], call_size: int, keys: int, variation: float
) -> None:
    """From empty to empty, the items that wait on average are those that come in the mean queue time."""
    found = simulate(
        CostModel(0.005, 0.0002, variation), items=200, call_size=call_size, keys=keys, **load, **limits
    )

    assert found.mean_waiting == pytest.approx(found.throughput * found.queue_time.mean, rel=1e-6, abs=1e-9)
    assert found.utilisation <= 1 + 1e-9
    assert 0 < found.fill <= 1
    assert len(found.queue_time) == found.items == call_size * len(found.latency)
    assert found.mean_batch_size * found.batches == pytest.approx(found.items)


@given(load=loads(), limits=options())
def test_a_batch_never_exceeds_its_size(load: dict[str, Any], limits: dict[str, Any]) -> None:
    """The model is asked for no more items at once than `batch_size`, and for each item once."""
    sizes: list[int] = []
    asking = True

    def cost(size: int) -> float:
        if asking:
            sizes.append(size)
        return 0.005

    found = simulate(cost, items=200, **load, **limits)
    executed = sizes[: found.batches]

    assert max(executed) <= limits["batch_size"]
    assert sum(executed) == found.items


@pytest.mark.parametrize(("timeout", "waited"), [(0.0, 0.0), (0.002, 0.002)])
def test_without_load_an_item_takes_the_timeout_and_its_own_time(timeout: float, waited: float) -> None:
    """Items that come one by one, far apart, are batches of one, each as late as it is asked to wait."""
    found = simulate(COST, arrivals=range(100), batch_timeout=timeout)

    assert found.fill == 1 / 32
    assert found.queue_time.percentile(0) == pytest.approx(waited)
    assert found.latency.percentile(0) == pytest.approx(waited + 0.0052)
    assert found.latency.percentile(100) == pytest.approx(waited + 0.0052)


def test_batches_of_one_wait_no_longer_than_they_have_to() -> None:
    """At a batch size of 1 every batch is full, so the timeout counts for nothing."""
    patient = simulate(COST, rate=100, batch_size=1, batch_timeout=10.0)

    assert patient == simulate(COST, rate=100, batch_size=1, batch_timeout=10.0)
    assert patient.latency == simulate(COST, rate=100, batch_size=1).latency


def test_one_partition_without_batches_is_the_queue_of_the_textbooks() -> None:
    """With equal service times the mean wait is that of Pollaczek and Khinchine, with exponential ones twice that."""
    load: dict[str, Any] = {"rate": 70.0, "batch_size": 1, "items": 60_000}
    wait = 0.7 * 0.01 / (2 * (1 - 0.7))

    assert simulate(CostModel(0.01), **load).queue_time.mean == pytest.approx(wait, rel=0.05)
    assert simulate(CostModel(0, 0.01, 1.0), **load).queue_time.mean == pytest.approx(2 * wait, rel=0.05)


def test_the_fill_grows_with_the_load() -> None:
    """The more comes while a batch is executed, the larger the next one is."""
    fills = [simulate(COST, rate=rate, items=5000).fill for rate in (10, 100, 500, 1000, 2000, 2700)]

    assert fills == sorted(fills)
    assert fills[0] < 0.05
    assert fills[-1] > 0.7


def test_equal_seeds_give_equal_results_and_others_do_not() -> None:
    """All chance comes from the seed."""
    cost = CostModel(0.005, 0.0002, 0.5)
    first, again, other = (simulate(cost, rate=500, keys=3, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first.latency != other.latency
    assert repr(first) == repr(again)


def test_limits_change_no_arrival() -> None:
    """Combinations are compared on the same traffic: where nothing waits all are served alike."""
    fast = CostModel(1e-9)
    small, large = (simulate(fast, rate=100, batch_size=size) for size in (1, 64))

    assert small.duration == large.duration
    assert small.latency == large.latency


def test_percentiles_are_those_of_the_sample() -> None:
    """The nearest rank: the smallest value that so many percent do not exceed."""
    seen = Distribution([0.4, 0.1, 0.3, 0.2])

    assert [seen.percentile(p) for p in (0, 25, 26, 50, 75, 99, 100)] == [0.1, 0.1, 0.2, 0.2, 0.3, 0.4, 0.4]
    assert seen.mean == pytest.approx(0.25)
    assert list(seen.seconds) == [0.1, 0.2, 0.3, 0.4]
    assert repr(seen) == "<Distribution of 4: p50=0.2 p95=0.4 p99=0.4 s>"
    assert Distribution([]).percentile(50) == Distribution([]).mean == 0.0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_so_many_percent_do_not_exceed_a_percentile(values: list[float], percent: float) -> None:
    """That is what a percentile says, and it is one of the values."""
    value = Distribution(values).percentile(percent)

    assert value in values
    assert sum(other <= value for other in values) >= len(values) * percent / 100


def test_overload_is_told_and_the_queue_grows_with_the_length() -> None:
    """More items come than full batches can take: the longer it goes on, the longer everybody waits."""
    short, long = (simulate(COST, rate=3000, items=items) for items in (10_000, 40_000))

    assert short.capacity == pytest.approx(32 / 0.0114)
    assert short.overloaded
    assert long.latency.percentile(50) > 3 * short.latency.percentile(50)
    assert long.throughput == pytest.approx(long.capacity, rel=0.01)
    assert not simulate(COST, rate=3000, batch_size=64).overloaded
    assert not simulate(COST, rate=3000, partitions=2).overloaded
    assert not simulate(COST, callers=1000).overloaded


def test_arrivals_tell_their_own_rate() -> None:
    """Recorded times are overload, too, where they come faster than batches are done."""
    times = [number / 3000 for number in range(3001)]

    assert simulate(COST, arrivals=times).rate == pytest.approx(3000)
    assert simulate(COST, arrivals=times, call_size=2).rate == pytest.approx(6000)
    assert simulate(COST, arrivals=times).overloaded
    assert simulate(COST, arrivals=[1.0, 1.0]).rate is None


def test_what_a_full_queue_refuses_is_counted() -> None:
    """With `on_full="wait"` it stands in line instead, and nothing is refused."""
    refusing = simulate(COST, rate=5000, max_queue=50, items=5000)
    waiting = simulate(COST, rate=5000, max_queue=50, items=5000, on_full="wait")

    assert refusing.refused > 0
    assert refusing.items + refusing.refused == 5000
    assert refusing.most_waiting <= 50
    assert (waiting.items, waiting.refused) == (5000, 0)
    assert waiting.most_waiting > 50


def test_calls_of_many_items_are_done_with_their_last_one() -> None:
    """A call of 50 items at a size of 32 takes two batches, one after the other."""
    found = simulate(COST, arrivals=[0.0], call_size=50)

    assert found.batches == 2
    assert list(found.latency.seconds) == [pytest.approx(0.0114 + 0.0086)]
    assert found.queue_time.percentile(64) == 0.0
    assert found.queue_time.percentile(65) == pytest.approx(0.0114)


def test_keys_keep_batches_apart() -> None:
    """Callers of many keys fill no batches together."""
    assert simulate(COST, rate=1000, keys=8).fill < simulate(COST, rate=1000).fill


@pytest.mark.parametrize("variation", [0.2, 1.0, 3.0])
def test_items_vary_as_they_are_told_to(variation: float) -> None:
    """Mean and deviation of a batch of ten are those of ten items that have nothing to do with each other."""
    cost, chance = CostModel(0.0, 0.001, variation), random.Random(0)
    drawn = [cost.draw(10, chance) for _ in range(20_000)]
    mean = sum(drawn) / len(drawn)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in drawn) / len(drawn))

    assert mean == pytest.approx(cost(10), rel=0.03)
    assert deviation == pytest.approx(0.001 * variation * math.sqrt(10), rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one of rate, callers and arrivals"),
        ({"rate": 1, "callers": 1}, "exactly one of rate, callers and arrivals"),
        ({"rate": 0}, "rate must be a finite number of items a second, greater than 0, got 0"),
        ({"rate": math.inf}, "rate must be a finite number"),
        ({"rate": "200"}, "rate must be a number of items a second, got '200'"),
        ({"callers": 0}, "callers must be at least 1, got 0"),
        ({"callers": 2, "max_queue": 1}, "max_queue must have room for what comes at once, 2 items, got 1"),
        ({"rate": 1, "call_size": 9, "max_queue": 8}, "room for what comes at once, 9 items, got 8"),
        ({"arrivals": []}, "arrivals must not be empty"),
        ({"arrivals": [1, 0]}, "in order, got 0 after 1"),
        ({"arrivals": [math.nan]}, "finite numbers of seconds in order, got nan"),
        ({"rate": 1, "items": 0}, "items must be at least 1, got 0"),
        ({"rate": 1, "batch_size": 2.0}, "batch_size must be a whole number, got 2.0"),
        ({"rate": 1, "batch_timeout": -1}, "batch_timeout must be a finite number of seconds, not negative"),
        ({"rate": 1, "on_full": "drop"}, "on_full must be one of"),
    ],
)
def test_what_cannot_be_simulated_is_refused(options: dict[str, Any], message: str) -> None:
    """The error names the option and the value."""
    with pytest.raises((TypeError, ValueError), match=message):
        simulate(COST, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CostModel(0, 0), "a batch must cost some time"),
        (lambda: CostModel(-1), "base must be a finite number of seconds, not negative, got -1"),
        (lambda: CostModel("5ms"), "base must be a number of seconds, got '5ms'"),  # type: ignore[arg-type]
        (lambda: CostModel(1, 1, 101), "variation must be between 0 and 100, got 101"),
        (lambda: CostModel(1, 1, "a"), "variation must be a number, got 'a'"),  # type: ignore[arg-type]
        (lambda: simulate(0.005, rate=1), "cost must be a CostModel, or a function"),  # type: ignore[arg-type]
        (lambda: simulate(lambda _: 0.0, rate=1), "seconds greater than 0, got 0.0 for 1 items"),
        (lambda: Distribution([1]).percentile(101), "percent must be between 0 and 100, got 101"),
    ],
)
def test_what_is_no_model_is_refused(make: Callable[[], object], message: str) -> None:
    """Before anything is simulated, or as soon as it is found out."""
    with pytest.raises((TypeError, ValueError), match=message):
        make()
