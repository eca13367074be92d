"""What the tests of runs share: handlers, and components that do not matter by themselves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

from sideband import Handler, Run, callbacks
from sideband.testing import Recorder, check_lifecycle


class Log(Handler):
    """Writes which timing of which handler was called into a list that several share."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self.calls = calls

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.calls.append(f"{self.name} start")

    def on_end(self, run: Run, output: Any) -> None:
        self.calls.append(f"{self.name} end")

    def on_error(self, run: Run, error: BaseException) -> None:
        self.calls.append(f"{self.name} error")

    def on_chunk(self, run: Run, chunk: Any) -> None:
        self.calls.append(f"{self.name} chunk")

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        self.calls.append(f"{self.name} event")


class AsyncLog(Handler):
    """As `Log`, with timings that wait."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self.calls = calls

    async def _note(self, what: str) -> None:
        self.calls.append(f"{self.name} {what}…")
        await asyncio.sleep(0)
        self.calls.append(f"{self.name} {what}")

    async def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        await self._note("start")

    async def on_end(self, run: Run, output: Any) -> None:
        await self._note("end")

    async def on_error(self, run: Run, error: BaseException) -> None:
        await self._note("error")

    async def on_chunk(self, run: Run, chunk: Any) -> None:
        await self._note("chunk")


class On(Handler):
    """Calls what it is given at one timing."""

    def __init__(self, timing: str, function: Callable[..., Any]) -> None:
        setattr(self, timing, function)


def raising(timing: str, error: BaseException) -> Handler:
    """Make a handler that raises the error at one timing."""

    def fail(*_: Any) -> None:
        raise error

    return On(timing, fail)


@contextmanager
def watched(*handlers: Handler) -> Generator[Recorder]:
    """Record a block outermost, so that it sees what other handlers do to runs; check all runs after it."""
    recorder = Recorder()
    with callbacks(*handlers, recorder):
        yield recorder
    check_lifecycle(recorder)


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until a condition holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    msg = "the condition never held"
    raise AssertionError(msg)


async def collected(chunks: AsyncIterator[Any]) -> list[Any]:
    """Read a stream to its end."""
    return [chunk async for chunk in chunks]


async def drive_to_its_own_wait(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Drive a coroutine without a task, past the handlers that it waits for, to the future that its body waits for."""
    while isinstance(waiting := coroutine.send(None), asyncio.Task):
        await until(waiting.done)


def errors(caplog: Any) -> list[str]:
    """Return the messages that Sideband logged as errors."""
    records = [record for record in caplog.records if record.name == "sideband"]
    return [record.getMessage() for record in records if record.levelno >= logging.ERROR]


class Five(Handler):
    """Written for the five timings, reading its copies in tasks."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.calls.append("start")

    def on_end(self, run: Run, output: Any) -> None:
        self.calls.append(("end", output))

    def on_error(self, run: Run, error: BaseException) -> None:
        self.calls.append(("error", error))

    async def on_start_with_stream_input(self, run: Run, stream: Any) -> None:
        await self.read("in", stream)

    async def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
        await self.read("out", stream)

    async def read(self, what: str, stream: Any) -> None:
        try:
            self.calls.append((what, [chunk async for chunk in stream]))
        except Exception as error:
            self.calls.append((what, error))
            raise


class Keep(Handler):
    """Keeps its copies for later, on any sort of run."""

    def __init__(self) -> None:
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def on_start_with_stream_input(self, run: Run, stream: Any) -> None:
        self.inputs.append(stream)

    def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
        self.outputs.append(stream)
