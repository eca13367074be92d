"""A serving without items, in virtual time: which limits give which throughput and latencies. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from random import Random
from typing import get_args

from sideband.serving._lane import Limits
from sideband.serving._settings import OnFull, check_choice, check_count, check_seconds
from sideband.serving._simulated import Server, Traffic
from sideband.serving._simulation import CostModel, Distribution, Simulation

__all__ = ["simulate"]


def simulate(
    cost: CostModel | Callable[[int], float],
    *,
    rate: float | None = None,
    callers: int | None = None,
    arrivals: Iterable[float] | None = None,
    items: int = 20_000,
    call_size: int = 1,
    keys: int = 1,
    batch_size: int = 32,
    batch_timeout: float = 0.0,
    partitions: int = 1,
    max_queue: int = 65_536,
    on_full: OnFull = "refuse",
    seed: int = 0,
) -> Simulation:
    """Tell what a `Serving` with these limits would do, without making one.

    It starts with nothing to do, and ends when all that came is done. What a real server needs besides the
    model (its event loop, threads, the callers' own work) is no part of it, unless `cost` was measured with it.

    ```python
    found = simulate(CostModel(0.005, 0.0002), rate=1000, batch_size=32)
    assert not found.overloaded
    assert found.latency.percentile(95) < 0.02
    ```

    Args:
        cost: the seconds that a batch of n items takes: a `CostModel`, or a function of n.
        rate: items a second that come, whether others are done or not; their calls are a Poisson process.
        callers: instead, how many callers there are; each sends a call when it has the results of its last one.
        arrivals: instead, when each call comes, in seconds and in order; recorded ones, say.
        items: how many items come, rounded up to whole calls; `arrivals` say it by themselves.
        call_size: the items of a call, as of `dispatch_many`.
        keys: how many keys there are, all equally frequent; the items of a call have one key.
        batch_size: as of a `Serving`.
        batch_timeout: as of a `Serving`, in seconds.
        partitions: as of a `Serving`.
        max_queue: as of a `Serving`.
        on_full: as of a `Serving`.
        seed: equal ones give equal results, and equal arrivals whatever the limits.

    Raises:
        TypeError: a value is of the wrong type, or not exactly one of `rate`, `callers` and `arrivals` is given.
        ValueError: a value is out of range, `arrivals` are empty or in disorder, or what comes at once never
            fits into `max_queue`.
    """
    counts = {"items": items, "call_size": call_size, "keys": keys, "max_queue": max_queue}
    for option, count in (counts | {"batch_size": batch_size, "partitions": partitions}).items():
        check_count(option, count)
    check_seconds("batch_timeout", batch_timeout)
    check_choice("on_full", on_full, get_args(OnFull))
    calls = -(-items // call_size)
    times = _times(calls, call_size, seed, rate=rate, callers=callers, arrivals=arrivals)
    _check_room(call_size * (callers if callers and on_full == "refuse" else 1), max_queue)
    traffic = Traffic(
        times, later=0 if callers is None else calls - len(times), size=call_size, keys=keys,
        random=_chance("keys", seed),
    )  # fmt: skip
    limits = Limits(batch_size=batch_size, batch_timeout=batch_timeout, max_queue=max_queue)
    server = Server(limits, partitions, traffic, _seconds(cost, seed), wait=on_full == "wait")
    server.run()
    if arrivals is not None and times[-1] > times[0]:
        rate = call_size * (len(times) - 1) / (times[-1] - times[0])
    return Simulation(
        batch_size=batch_size, batch_timeout=batch_timeout, partitions=partitions, rate=rate,
        capacity=partitions * batch_size / cost(batch_size),
        duration=server.duration, items=server.items, refused=server.refused, batches=server.batches,
        busy=server.busy, mean_waiting=server.mean_waiting, most_waiting=server.most_waiting,
        latency=Distribution(server.latencies), queue_time=Distribution(server.queue_times),
    )  # fmt: skip


def _chance(of: str, seed: int) -> Random:
    return Random(f"{of} {seed}")  # noqa: S311 - chance, not secrets


def _times(
    calls: int,
    call_size: int,
    seed: int,
    *,
    rate: float | None,
    callers: int | None,
    arrivals: Iterable[float] | None,
) -> Sequence[float]:
    """Return when calls come by themselves."""
    if [rate, callers, arrivals].count(None) != 2:
        msg = "give exactly one of rate, callers and arrivals"
        raise TypeError(msg)
    if arrivals is not None:
        return _in_order(arrivals)
    if callers is not None:
        check_count("callers", callers)
        return [0.0] * min(callers, calls)
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        msg = f"rate must be a number of items a second, got {rate!r}"
        raise TypeError(msg)
    if not 0 < rate < math.inf:
        msg = f"rate must be a finite number of items a second, greater than 0, got {rate!r}"
        raise ValueError(msg)
    random = _chance("arrivals", seed)
    return list(accumulate(random.expovariate(rate / call_size) for _ in range(calls)))


def _in_order(arrivals: Iterable[float]) -> Sequence[float]:
    times = list(arrivals)
    if not times:
        msg = "arrivals must not be empty"
        raise ValueError(msg)
    for before, time in pairwise([-math.inf, *times]):
        if not before <= time < math.inf:
            msg = f"arrivals must be finite numbers of seconds in order, got {time!r} after {before!r}"
            raise ValueError(msg)
    return times


def _check_room(most: int, max_queue: int) -> None:
    if most > max_queue:
        msg = f"max_queue must have room for what comes at once, {most} items, got {max_queue!r}"
        raise ValueError(msg)


def _seconds(cost: CostModel | Callable[[int], float], seed: int) -> Callable[[int], float]:
    """Return what tells how long each batch takes."""
    if isinstance(cost, CostModel):
        return partial(cost.draw, random=_chance("costs", seed))
    given: object = cost
    if not callable(given):
        msg = f"cost must be a CostModel, or a function of a batch's size, got {cost!r}"
        raise TypeError(msg)

    def checked(size: int) -> float:
        seconds = cost(size)
        if not 0 < seconds < math.inf:
            msg = (
                f"cost must give a finite number of seconds greater than 0, got {seconds!r} for {size} items"
            )
            raise ValueError(msg)
        return seconds

    return checked
