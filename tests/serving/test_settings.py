from __future__ import annotations

from typing import Any

import pytest

from sideband.errors import HandlerRefusedError
from sideband.serving import Batch, Serving, serving

from .helpers import double, identity


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be a whole number, got 2.5"),
        ({"partitions": True}, TypeError, "partitions must be a whole number, got True"),
        ({"partitions": 0}, ValueError, "partitions must be at least 1, got 0"),
        ({"max_queue": -1}, ValueError, "max_queue must be at least 1, got -1"),
        (
            {"batch_timeout": -0.1},
            ValueError,
            "batch_timeout must be a finite number of seconds, not negative, got -0.1",
        ),
        ({"batch_timeout": "1"}, TypeError, "batch_timeout must be a number of seconds, got '1'"),
        ({"shutdown_timeout": float("inf")}, ValueError, "shutdown_timeout must be a finite number"),
        ({"shutdown_timeout": float("nan")}, ValueError, "shutdown_timeout must be a finite number"),
        ({"hooks": ("a", "a")}, ValueError, "hooks must be different names"),
        ({"hooks": ("",)}, ValueError, "hooks must be different names"),
        ({"hooks": (1,)}, ValueError, "hooks must be different names"),
        ({"hooks": ("queued",)}, ValueError, "must not be named as the serving's own events"),
        ({"map_inputs": 3}, TypeError, "map_inputs must be a function of a list, got 3"),
        ({"executor": "processes"}, ValueError, "executor must be one of"),
        ({"isolate_errors": 1}, TypeError, "isolate_errors must be True or False, got 1"),
        ({"callbacks": [3]}, HandlerRefusedError, "3 cannot be attached as a handler"),
    ],
)
def test_an_option_that_cannot_work_is_refused_at_once(
    options: Any, error: type[Exception], message: str
) -> None:
    """The error names the option and the value. Statements 3, 6, 7 and 34."""
    with pytest.raises(error, match=message):
        Serving(identity, **options)


def generator(batch: Batch[int]) -> Any:
    """Yield results, which no batch function does."""
    yield from batch


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (3, "3 cannot be served: give a function of a batch"),
        (int, "the class int cannot be served: it has no method handle_batch"),
        (generator, "a batch function returns its results, it does not yield them"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(model: Any, message: str) -> None:
    """The error says what a model is. Statement 1."""
    with pytest.raises(TypeError, match=message):
        Serving(model)


async def test_a_serving_is_made_by_decorating() -> None:
    """A function, with or without options, or a class; it is named after it unless told otherwise. Statement 30."""

    @serving
    def plain(batch: Batch[int]) -> list[int]:
        return double(batch)

    @serving(batch_size=4, name="other", hooks="progress")
    async def coroutine(batch: Batch[int]) -> list[int]:
        return double(batch)

    class Model:
        def handle_batch(self, batch: Batch[int]) -> list[int]:
            return double(batch)

    served: list[Serving[int, int]] = [plain, coroutine, serving()(Model), serving(Model)]
    for one in served:
        async with one:
            assert await one.dispatch(2) == 4

    assert [one.name for one in served] == ["plain", "other", "Model", "Model"]


async def test_an_instance_serves_all_partitions() -> None:
    """It is set up for each of them; only a class is made anew."""

    class Model:
        def __init__(self) -> None:
            self.partitions: list[int] = []

        def setup(self, partition: int) -> None:
            self.partitions.append(partition)

        def handle_batch(self, batch: Batch[int]) -> list[int]:
            return list(batch)

    model = Model()
    async with Serving(model, partitions=3) as served:
        assert await served.dispatch_many([1, 2]) == [1, 2]

    assert model.partitions == [0, 1, 2]


async def test_stats_tell_what_was_done() -> None:
    """Totals since it was made, over several starts, and what goes on."""
    served = Serving(double, batch_size=4, executor="inline")
    assert served.stats().mean_batch_size == 0.0
    for _ in range(2):
        async with served:
            await served.dispatch_many(range(6))

    stats = served.stats()
    assert (stats.batches, stats.items, stats.failed_batches, stats.withdrawn) == (4, 12, 0, 0)
    assert stats.mean_batch_size == 3.0
    assert stats.mean_queue_time > 0
    assert stats.mean_execute_time > 0
    assert not stats.running
