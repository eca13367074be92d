from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from sideband.errors import WrongThreadError
from sideband.runs import Component
from sideband.serving import Batch, Serving

from .helpers import double, progress, turns, watched


async def asynchronous(batch: Batch[int]) -> list[int]:
    """Double, waiting."""
    await asyncio.sleep(0)
    return double(batch)


@pytest.mark.parametrize("function", [double, asynchronous])
@pytest.mark.parametrize("executor", ["thread", "inline"])
async def test_inline_needs_no_start(function: Any, executor: Any) -> None:
    """One item, many in order, and the same in a thread; in batches of `batch_size`, flat.

    Statements 18, 20 and 21, decision 1.
    """
    serving: Serving[int, int] = Serving(function, batch_size=2, executor=executor)

    assert await serving.inline(1) == 2
    assert await serving.inline_many(range(5)) == [0, 2, 4, 6, 8]
    assert await asyncio.to_thread(serving.inline_sync, 1) == 2
    assert await asyncio.to_thread(serving.inline_many_sync, range(5)) == [0, 2, 4, 6, 8]
    assert serving.stats().batches == 8


async def test_an_inline_call_has_its_runs_and_events() -> None:
    """A Serving run of its own, told of its events where the caller is, and a Batch run that nobody's scope sees.

    Statements 28 and 29.
    """
    serving = Serving(progress, hooks=("progress",), batch_size=2)
    with watched() as recorder:
        await serving.inline_many([1, 2, 3])

    run = recorder.run()
    assert run.component is Component.SERVING
    assert recorder.events("progress") == [
        [("first", 1), ("first", 2)], [("second", 1), ("second", 2)], [("first", 3)], [("second", 3)],
    ]  # fmt: skip
    assert {record.thread for record in recorder} == {threading.get_ident()}


async def test_a_failing_batch_ends_an_inline_call() -> None:
    """The exception is the caller's, and the batches behind are not executed. Statement 27."""
    batches: list[list[int]] = []

    def failing(batch: Batch[int]) -> list[int]:
        batches.append(list(batch))
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await Serving(failing, batch_size=1).inline_many([1, 2])
    assert batches == [[1]]


async def test_an_inline_model_is_set_up_once_where_it_is_used() -> None:
    """A coroutine's setup is awaited on the caller's loop; concurrent callers wait for it. Statement 15."""
    loops: list[Any] = []

    class Model:
        async def setup(self, partition: int) -> None:
            await turns()
            loops.append(asyncio.get_running_loop())

        async def handle_batch(self, batch: Batch[int]) -> list[int]:
            return list(batch)

    serving: Serving[int, int] = Serving(Model)

    assert await asyncio.gather(*[serving.inline(number) for number in range(5)]) == [0, 1, 2, 3, 4]
    assert loops == [asyncio.get_running_loop()]


async def test_a_setup_that_raises_is_tried_again_at_the_next_call() -> None:
    """The caller gets its error."""
    errors = [OSError("not yet")]

    class Model:
        def setup(self, partition: int) -> None:
            if errors:
                raise errors.pop()

        def handle_batch(self, batch: Batch[int]) -> list[int]:
            return list(batch)

    serving: Serving[int, int] = Serving(Model)
    with pytest.raises(OSError, match="not yet"):
        await serving.inline(1)
    assert await serving.inline(1) == 1


async def test_a_coroutine_function_cannot_be_called_synchronously_on_a_loop() -> None:
    """The error says which method to await."""
    serving: Serving[int, int] = Serving(asynchronous)

    with pytest.raises(WrongThreadError, match="await the method without _sync"):
        serving.inline_sync(1)
