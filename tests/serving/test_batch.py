from __future__ import annotations

import asyncio
import threading
from array import array
from collections import UserDict, deque
from collections.abc import Callable
from typing import Any

import pytest

from sideband.errors import LateEmitError, LengthMismatchError, UnknownHookError
from sideband.serving import Batch, BatchOutput, HookEvent, Serving

from .helpers import until, watched


class Array:
    """What numpy's and torch's arrays have of a sequence: a length, and entries by place."""

    def __init__(self, *entries: Any) -> None:
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Any:
        return self.entries[index]


def test_a_batch_is_a_sequence_of_its_items() -> None:
    """It has a length, is iterated over and indexed, and shows nothing of its items. Statement 13."""
    batch = Batch(["secret", "b"], serving="s", partition=1)

    assert (len(batch), batch.size, list(batch), batch[0], batch[1:]) == (
        2,
        2,
        ["secret", "b"],
        "secret",
        ["b"],
    )
    assert repr(batch) == "<Batch of 2 in partition 1 of 's'>"


@pytest.mark.parametrize(
    "results", [[1, 2, 3], (1, 2, 3), Array(1, 2, 3), array("i", [1, 2, 3]), deque([1, 2, 3]), range(1, 4)]
)
async def test_results_may_be_any_sequence(results: Any) -> None:
    """A list, a tuple, an array of any library: one entry an item."""
    served: Serving[str, int] = Serving(lambda _: results, batch_size=3)
    async with served as serving:
        assert await serving.dispatch_many(["a", "b", "c"]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("results", "name"),
    [
        ("abc", "str"),
        (b"abc", "bytes"),
        ({"a": 1, "b": 2, "c": 3}, "dict"),
        (UserDict(a=1, b=2, c=3), "UserDict"),
        ({1, 2, 3}, "set"),
        ((number for number in range(3)), "generator"),
        ({1: 1, 2: 2, 3: 3}.values(), "dict_values"),
        (None, "NoneType"),
        (3, "int"),
    ],
)
async def test_results_that_are_no_sequence_of_entries_are_refused(results: Any, name: str) -> None:
    """The error names the type, and the serving goes on. Statement 70."""
    answers = [results, [1, 2, 3]]
    served: Serving[int, int] = Serving(lambda _: answers.pop(0), batch_size=3, name="model")
    async with served as serving:
        with pytest.raises(
            TypeError, match=f"serving 'model': the results of the batch function must be.*got {name}"
        ):
            await serving.dispatch_many([1, 2, 3])
        assert await serving.dispatch_many([1, 2, 3]) == [1, 2, 3]


@pytest.mark.parametrize("results", [[], [1], [1, 2, 3, 4]])
async def test_results_of_another_length_fail_the_batch(results: list[int]) -> None:
    """The error names both lengths, and nobody gets another one's result. Statements 26 and 69, decision 2."""
    served: Serving[int, int] = Serving(lambda _: results, batch_size=3)
    async with served as serving:
        with pytest.raises(LengthMismatchError, match=f"expected 3, got {len(results)}") as caught:
            await serving.dispatch_many([1, 2, 3])

    assert (caught.value.expected, caught.value.got) == (3, len(results))


async def test_a_coroutine_from_a_plain_function_is_refused() -> None:
    """The error says how to define the function."""

    async def asynchronous(batch: Batch[int]) -> list[int]:
        return list(batch)

    def hidden(batch: Batch[int]) -> Any:
        return asynchronous(batch)

    served: Serving[int, int] = Serving(hidden)
    async with served as serving:
        with pytest.raises(TypeError, match="without being a coroutine function; define it with `async def`"):
            await serving.dispatch(1)


async def test_each_caller_gets_its_slice_of_a_payload() -> None:
    """Two callers' items in one batch: each stream has the entries of its own items, before its results.

    Statements 9 and 76.
    """

    def model(batch: Batch[str]) -> list[str]:
        batch.emit("tokens", tuple(len(text) for text in batch))
        return [text.upper() for text in batch]

    async with Serving(model, batch_size=8, batch_timeout=0.0, hooks=("tokens",)) as serving:

        async def events(texts: list[str]) -> list[Any]:
            return [event async for event in serving.stream_many(texts)]

        first, second = await asyncio.gather(events(["a", "bb"]), events(["ccc"]))

    assert serving.stats().batches == 1
    assert first == [
        HookEvent(name="tokens", payload=[1, 2], offset=0),
        BatchOutput(output=["A", "BB"], offset=0),
    ]
    assert second == [HookEvent(name="tokens", payload=[3], offset=0), BatchOutput(output=["CCC"], offset=0)]


@pytest.mark.parametrize(
    ("emit", "error", "message"),
    [
        (
            lambda batch: batch.emit("progress", [1]),
            LengthMismatchError,
            "hook 'progress' must.*expected 2, got 1",
        ),
        (lambda batch: batch.emit("progress", [1, 2, 3]), LengthMismatchError, "expected 2, got 3"),
        (
            lambda batch: batch.emit("progress", "ab"),
            TypeError,
            "hook 'progress' must be a sequence.*got str",
        ),
        (lambda batch: batch.emit("progress", {1: 1, 2: 2}), TypeError, "got dict"),
        (
            lambda batch: batch.emit("other", [1, 2]),
            UnknownHookError,
            "'other' is not declared; declared are: 'progress'",
        ),
        (lambda batch: batch.wants("other"), UnknownHookError, "'other' is not declared"),
    ],
)
@pytest.mark.parametrize("listening", [True, False])
async def test_a_wrong_event_fails_the_batch(
    emit: Callable[[Batch[int]], None], error: type[Exception], message: str, listening: bool
) -> None:
    """Whether anybody listens or not, so that the mistake shows at once. Statements 75 and 76, decision 2."""

    def model(batch: Batch[int]) -> list[int]:
        emit(batch)
        return list(batch)

    async with Serving(model, hooks=("progress",)) as serving:
        with pytest.raises(error, match=message):
            if listening:
                await anext(serving.stream_many([1, 2]))
            else:
                await serving.dispatch_many([1, 2])


async def test_a_late_event_is_refused() -> None:
    """An event after the function has returned goes to nobody, and the next batch's callers see nothing of it.

    Statement 77, decision 7.
    """
    batches: list[Batch[int]] = []

    def model(batch: Batch[int]) -> list[int]:
        batches.append(batch)
        if len(batches) > 1:
            with pytest.raises(LateEmitError, match="hook 'progress' was emitted after its batch had ended"):
                batches[0].emit("progress", [0])
        return list(batch)

    async with Serving(model, hooks=("progress",)) as serving:
        assert [event async for event in serving.stream(1)] == [BatchOutput(output=[1], offset=0)]
        assert [event async for event in serving.stream(2)] == [BatchOutput(output=[2], offset=0)]
        with pytest.raises(LateEmitError):
            batches[1].emit("progress", [0])


async def test_a_batch_tells_whether_anybody_listens() -> None:
    """`wants` is false for plain calls that nobody watches, true for streams and for watched calls."""
    wanted: list[bool] = []

    def model(batch: Batch[int]) -> list[int]:
        wanted.append(batch.wants("progress"))
        return list(batch)

    async with Serving(model, hooks=("progress",)) as serving:
        await serving.dispatch(1)
        await serving.dispatch_many([1])
        async for _ in serving.stream(1):
            pass
        with watched():
            await serving.dispatch(1)

    assert wanted == [False, False, True, True]


async def test_what_a_function_does_later_with_its_lists_changes_nothing() -> None:
    """A function may reuse the lists that it emitted and returned, also for callers in other threads."""
    buffer: list[Any] = []

    def model(batch: Batch[int]) -> list[int]:
        buffer[:] = [("early", value) for value in batch]
        batch.emit("progress", buffer)
        buffer[:] = list(batch)
        return buffer

    async with Serving(model, hooks=("progress",), batch_size=2, executor="inline") as serving:

        def elsewhere() -> list[Any]:
            return list(serving.stream_many_sync(range(6)))

        events = await asyncio.to_thread(elsewhere)

    assert [event.payload for event in events if isinstance(event, HookEvent)] == [
        [("early", 0), ("early", 1)], [("early", 2), ("early", 3)], [("early", 4), ("early", 5)],
    ]  # fmt: skip
    assert [event.output for event in events if isinstance(event, BatchOutput)] == [[0, 1], [2, 3], [4, 5]]


async def test_events_from_another_thread_of_the_function_arrive() -> None:
    """A function may emit from threads of its own until it returns."""

    def model(batch: Batch[int]) -> list[int]:
        thread = threading.Thread(target=batch.emit, args=("progress", list(batch)))
        thread.start()
        thread.join()
        return list(batch)

    async with Serving(model, hooks=("progress",)) as serving:
        events = [event async for event in serving.stream_many([1, 2])]

    assert events[0] == HookEvent(name="progress", payload=[1, 2], offset=0)
    await until(lambda: not serving.stats().executing)
