"""`check_stream` lets sound streams pass, and tells what is wrong with the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

import pytest

from sideband.testing._check_stream import check_stream, check_stream_sync


async def sound() -> AsyncIterator[int]:
    """Give three chunks."""
    for i in range(3):
        await asyncio.sleep(0)
        yield i


class Manual(AsyncIterator[int]):
    """A stream by hand, with one flaw if it is told so."""

    tasks: ClassVar[list[asyncio.Task[Any]]] = []
    made: ClassVar[int] = 0

    def __init__(self, flaw: str = "") -> None:
        Manual.made += 1
        self.flaw = flaw
        self.next = 0
        self.n = Manual.made if flaw == "differs" else 3
        self.closed = False

    async def __anext__(self) -> int:
        if self.flaw == "leaves a task":
            Manual.tasks.append(asyncio.create_task(asyncio.Event().wait()))
        if self.closed and self.flaw != "ignores close":
            raise StopAsyncIteration
        if self.next == self.n:
            self.closed = self.flaw != "comes back"
            self.next = 0 if self.flaw == "comes back" else self.next
            raise StopAsyncIteration
        chunk = self.next
        if self.flaw == "loses":
            self.next += 1
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if self.flaw != "swallows":
                raise
        if self.flaw == "hangs":
            await asyncio.Event().wait()
        if self.flaw != "loses":
            self.next = chunk + 1
        return chunk

    async def aclose(self) -> None:
        if self.closed and self.flaw == "closes once":
            raise OSError("closed twice")
        self.closed = True


async def test_sound_streams_pass() -> None:
    """Generators, iterators and coroutines that return one, with an error at the end or none."""

    async def opened() -> AsyncIterator[int]:
        await asyncio.sleep(0)
        return sound()

    async def failing() -> AsyncIterator[int]:
        yield 1
        raise ValueError("broken")

    await check_stream(sound, expected=[0, 1, 2])
    await check_stream(opened, expected=[0, 1, 2])
    await check_stream(failing, expected=[1], error=ValueError)
    await check_stream(lambda: [1, 2], expected=[1, 2])


def test_sound_synchronous_streams_pass() -> None:
    """Generators and failing ones."""

    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    check_stream_sync(lambda: (i for i in range(3)), expected=[0, 1, 2])
    check_stream_sync(failing, expected=[1], error=ValueError)


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ("differs", "read again: expected"),
        ("comes back", "read to the end: expected the end, got 0"),
        ("ignores close", "closed after 0 chunks: expected the end"),
        ("loses", "cancelled after 0 chunks: expected"),
        ("swallows", "cancellation was swallowed"),
        ("leaves a task", "tasks are left"),
        ("hangs", "not done after"),
    ],
)
async def test_a_flaw_is_found(flaw: str, message: str) -> None:
    """The error names the scenario and what was wrong."""
    with pytest.raises(AssertionError, match=message):
        await check_stream(lambda: Manual(flaw), timeout=0.2 if flaw == "hangs" else 5.0)
    for task in Manual.tasks:
        task.cancel()
    Manual.tasks.clear()


async def test_an_error_of_closing_twice_comes_through() -> None:
    """It is the stream's own, with its traceback."""
    with pytest.raises(OSError, match="closed twice"):
        await check_stream(lambda: Manual("closes once"))


async def test_expectations_are_compared() -> None:
    """Chunks, the error, resumption and what is still open."""
    checks: list[Callable[[], Any]] = [
        lambda: check_stream(sound, expected=[0]),
        lambda: check_stream(sound, error=ValueError),
        lambda: check_stream(sound, resumable=True),
        lambda: check_stream(sound, still_open=lambda: "a connection"),
    ]
    for check in checks:
        with pytest.raises(AssertionError):
            await check()
