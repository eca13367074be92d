"""Runs, streams and errors are freed at once, without the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tracemalloc
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import pytest

from sideband import Handler, Run, add_global_handler, callbacks, component, observe

from .helpers import AsyncLog, collected


class Watch(Handler):
    """Keeps nothing of the runs that it sees alive."""

    def __init__(self) -> None:
        self.runs: list[weakref.ref[Run]] = []

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.runs.append(weakref.ref(run))

    def on_end(self, run: Run, output: Any) -> None:
        pass

    def on_chunk(self, run: Run, chunk: Any) -> None:
        pass

    def alive(self) -> list[Run]:
        """Return the runs that somebody keeps."""
        return [run for ref in self.runs if (run := ref()) is not None]


class Keep(Watch):
    """Keeps its runs itself, as an exporter may."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Run] = []

    def on_end(self, run: Run, output: Any) -> None:
        self.kept.append(run)


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Let nothing be freed but by its last reference."""
    gc.disable()
    yield
    gc.enable()


@component("Lambda")
def plain(fail: bool) -> str:
    """Return or raise."""
    if fail:
        raise LookupError
    return "result"


@component("Lambda")
async def coroutine(fail: bool) -> str:
    """Return or raise."""
    await asyncio.sleep(0)
    return plain(fail)


@component("Lambda")
def generator(fail: bool) -> Generator[str]:
    """Yield and return or raise."""
    yield plain(fail=False)
    yield plain(fail)


@component("Lambda")
async def async_generator(fail: bool) -> AsyncGenerator[str]:
    """Yield and return or raise."""
    for chunk in generator(fail):
        yield chunk


async def call(sort: str, fail: bool) -> None:
    """Call one of them and forget what came of it."""
    with contextlib.suppress(LookupError):
        match sort:
            case "plain":
                plain(fail)
            case "coroutine":
                await coroutine(fail)
            case "generator":
                list(generator(fail))
            case "async_generator":
                await collected(async_generator(fail))
            case "closed":
                stream = async_generator(fail)
                await anext(stream)
                await stream.aclose()
            case _:
                for _ in generator(fail):
                    break


SORTS = ["plain", "coroutine", "generator", "async_generator", "closed", "broken off"]


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_run_dies_with_its_call(sort: str, fail: bool, asynchronous: bool) -> None:
    """Neither a context nor an error's traceback leads back to a run that is over."""
    watch = Watch()

    with callbacks(watch, *[AsyncLog("a", [])] * asynchronous):
        await call(sort, fail)

    assert watch.runs
    assert watch.alive() == []


@pytest.mark.parametrize("sort", SORTS)
async def test_a_handler_that_keeps_runs_is_in_no_cycle_with_them(sort: str) -> None:
    """A run that is over does not lead to its handlers."""
    keep = Keep()
    gone = weakref.ref(keep)

    with callbacks(keep):
        await call(sort, fail=False)
    del keep

    assert gone() is None


class WeakError(LookupError):
    """An error to which a weak reference can be had."""


def test_an_error_dies_with_its_last_holder() -> None:
    """A watched failure leaves no cycle of error, traceback and frames."""
    watch = Watch()
    gone: list[weakref.ref[BaseException]] = []

    def fail() -> None:
        raise WeakError

    def fail_streaming() -> Generator[int]:
        yield 1
        raise WeakError

    def failing(work: Callable[[], Any]) -> None:
        try:
            work()
        except WeakError as error:
            gone.append(weakref.ref(error))

    with callbacks(watch):
        failing(component("Lambda")(fail))
        failing(lambda: list(component("Lambda")(fail_streaming)()))

    assert [ref() for ref in gone] == [None, None]


async def test_a_dropped_stream_dies_at_once() -> None:
    """The stream's wrapper stands in no cycle, so its finalizer runs when it is dropped."""
    watch = Watch()

    with callbacks(watch):
        stream = async_generator(fail=False)
        await anext(stream)
        gone = weakref.ref(stream)
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            del stream

    assert gone() is None


async def test_a_long_stream_keeps_none_of_its_chunks() -> None:
    """100,000 chunks under a handler that wants chunks grow memory by less than 1 MiB."""

    class Chunks(Handler):
        seen = 0

        def on_chunk(self, run: Run, chunk: Any) -> None:
            self.seen += 1

    @component("Lambda")
    async def long() -> AsyncGenerator[bytes]:
        for _ in range(100_000):
            yield bytes(100)

    handler = Chunks()
    tracemalloc.start()
    try:
        with callbacks(handler):
            before = tracemalloc.get_traced_memory()[0]
            async for _ in long():
                pass
            grown = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()

    assert handler.seen == 100_000
    assert grown < 1 << 20


async def test_many_runs_leave_nothing_behind() -> None:
    """Scopes, registrations and runs that are over take no memory."""

    async def once() -> None:
        with add_global_handler(Watch()), callbacks(Watch()):
            for sort in SORTS:
                await call(sort, fail=True)
            with observe("block"):
                pass

    for _ in range(20):
        await once()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            await once()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert grown < 100_000
