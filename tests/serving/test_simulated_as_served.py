from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.serving import CostModel, Serving, Simulation, simulate
from sideband.testing import VirtualLoop

from .helpers import virtual
from .served import Served, serve_arrivals, serve_callers, sleeping

COST = CostModel(0.005, 0.0002)


class Wavering:
    """A cost that is another one for each batch, so that no two end at one moment."""

    def __init__(self) -> None:
        self.chance = random.Random(0)

    def __call__(self, size: int) -> float:
        return COST(size) * self.chance.uniform(0.8, 1.2)


def arrivals() -> st.SearchStrategy[list[float]]:
    """Give times of calls, some of them at once, but none just when a batch ends."""
    steps = st.lists(st.integers(0, 3000), min_size=1, max_size=80)
    return steps.map(lambda steps: [step * 0.000101 + 0.0000317 for step in sorted(steps)])


@given(
    arrivals=arrivals(),
    batch_size=st.integers(1, 16),
    batch_timeout=st.sampled_from([0.0, 0.002, 0.02]),
    partitions=st.integers(1, 3),
    call_size=st.sampled_from([1, 1, 3, 20]),
)
def test_in_virtual_time_every_latency_is_the_real_servers(
    arrivals: list[float], batch_size: int, batch_timeout: float, partitions: int, call_size: int
) -> None:
    """For the same arrivals the simulation gives the very latencies and batches that the server gives its callers."""
    limits: dict[str, Any] = {
        "batch_size": batch_size, "batch_timeout": batch_timeout, "partitions": partitions,
    }  # fmt: skip
    served = Served()

    async def program(_: VirtualLoop) -> None:
        async with Serving(sleeping(served, Wavering()), **limits) as serving:
            await serve_arrivals(serving, served, arrivals, call_size)

    virtual(program)
    same(simulate(Wavering(), arrivals=arrivals, call_size=call_size, **limits), served)


@given(
    callers=st.integers(1, 40),
    batch_size=st.integers(1, 16),
    batch_timeout=st.sampled_from([0.0, 0.002, 0.02]),
    partitions=st.integers(1, 4),
)
def test_in_virtual_time_callers_see_what_they_do_at_the_real_server(
    callers: int, batch_size: int, batch_timeout: float, partitions: int
) -> None:
    """Callers who wait for their results get back into the very batches that they do there."""
    limits: dict[str, Any] = {
        "batch_size": batch_size, "batch_timeout": batch_timeout, "partitions": partitions,
    }  # fmt: skip
    served = served_to_callers(Wavering(), callers, **limits)

    same(simulate(Wavering(), callers=callers, items=200, **limits), served)


@pytest.mark.parametrize(
    ("callers", "batch_size", "partitions"), [(64, 16, 2), (7, 2, 3), (20, 8, 2), (100, 16, 4), (3, 8, 2)]
)
def test_batches_that_end_at_one_moment_take_turns_as_at_the_real_server(
    callers: int, batch_size: int, partitions: int
) -> None:
    """Where all batches take equally long, who gets into the next ones depends on the turns of the loop."""
    limits: dict[str, Any] = {"batch_size": batch_size, "partitions": partitions}
    served = served_to_callers(COST, callers, **limits)

    same(simulate(COST, callers=callers, items=200, **limits), served)


def served_to_callers(cost: Callable[[int], float], callers: int, **limits: Any) -> Served:
    """Serve callers in virtual time."""
    served = Served()

    async def program(_: VirtualLoop) -> None:
        async with Serving(sleeping(served, cost), **limits) as serving:
            await serve_callers(serving, served, callers, 200)

    virtual(program)
    return served


def same(found: Simulation, served: Served) -> None:
    """Compare what was simulated with what was served in virtual time."""
    assert found.batches == len(served.sizes)
    assert found.items == served.items
    assert list(found.latency.seconds) == pytest.approx(list(served.latency.seconds), abs=1e-9)
    assert found.throughput == pytest.approx(served.throughput)


def agree(found: Simulation, served: Served, *, within: float) -> None:
    """Compare what was simulated with what was measured."""
    compared = {
        "throughput": (found.throughput, served.throughput),
        "p50": (found.latency.percentile(50), served.latency.percentile(50)),
        "p95": (found.latency.percentile(95), served.latency.percentile(95)),
        "batch size": (found.mean_batch_size, served.mean_batch_size),
    }
    off = {name: (a, b) for name, (a, b) in compared.items() if abs(a - b) > within * b}
    assert not off, f"simulated and measured: {off}; all: {compared}"
