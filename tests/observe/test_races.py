"""Two who end one run at the same moment: whoever comes first tells its handlers, once, and nothing after it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from sideband import callbacks, component, propagate
from sideband.testing import Recorder, check_lifecycle

from .helpers import AsyncLog, On, collected, until, watched

ROUNDS = 150


@pytest.fixture(autouse=True)
def busy_threads() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(*actions: Callable[[], Any]) -> list[BaseException]:
    """Do things in threads at the same moment, and return what they raised."""
    barrier = threading.Barrier(len(actions))
    raised: list[BaseException] = []

    def do(action: Callable[[], Any]) -> None:
        barrier.wait(20)
        try:
            action()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=propagate(do), args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return raised


@component("ChatModel")
def chunks(count: int = 3) -> Generator[int]:
    """Give some chunks."""
    yield from range(count)


@component("ChatModel")
async def chunks_async(count: int = 3) -> AsyncGenerator[int]:
    """Give some chunks, and let others have their turns."""
    for number in range(count):
        await asyncio.sleep(0)
        yield number


@component("Lambda")
def leaving(kept: list[Any]) -> Generator[int]:
    """Open a stream inside of a stream, and leave it to others."""
    kept.append(chunks())
    yield next(kept[0])


@component("Lambda")
async def leaving_async(kept: list[Any]) -> AsyncGenerator[int]:
    """Open a stream inside of a stream, and leave it to others."""
    kept.append(chunks_async())
    yield await anext(kept[0])


@pytest.mark.parametrize("how", ["close", "read", "drop"])
def test_a_stream_is_read_in_one_thread_while_the_one_around_it_ends_in_another(how: str) -> None:
    """The reader gets its chunks; each run ends once, and nothing is told of it after that."""

    def once() -> None:
        kept: list[Any] = []
        around = [leaving(kept)]
        read: list[int] = []
        next(around[0])
        ways = {"close": around[0].close, "read": lambda: list(around[0]), "drop": around.clear}
        end = ways.pop(how)
        ways.clear()

        assert at_once(end, lambda: read.extend(kept[0])) == []
        assert read == [1, 2]

    for _ in range(ROUNDS):
        with watched(On("on_chunk", lambda *_: None)):
            once()


def test_a_stream_is_read_on_a_loop_while_the_one_around_it_ends_in_a_thread() -> None:
    """Each run ends once, and nothing is told of it after that."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reading: list[Any] = []

        @component("Lambda")
        def starting() -> Generator[int]:
            begun = threading.Event()

            async def read() -> list[int]:
                stream = chunks_async(5)
                first = await anext(stream)
                loop.call_soon(begun.set)
                return [first, *await collected(stream)]

            reading.append(asyncio.run_coroutine_threadsafe(read(), loop))
            assert begun.wait(20)
            yield 0

        await asyncio.to_thread(lambda: list(starting()))
        assert await asyncio.wrap_future(reading[0]) == [0, 1, 2, 3, 4]

    for _ in range(ROUNDS // 3):
        with watched(On("on_chunk", lambda *_: None)):
            asyncio.run(main())


def test_a_generator_is_closed_in_one_thread_while_another_one_reads_it() -> None:
    """Python refuses one of the two if they meet; the run ends once, however they do."""

    def once() -> None:
        read: list[int] = []
        stream = chunks()
        next(stream)
        raised = at_once(stream.close, lambda: read.extend(stream))
        stream.close()

        assert all(isinstance(error, ValueError) for error in raised)
        assert read in ([], [1], [1, 2])

    for _ in range(ROUNDS):
        with watched():
            once()


def test_a_generator_is_exhausted_by_two_threads() -> None:
    """As by one: no chunk is told twice, and the run ends once."""

    def once() -> list[int]:
        read: list[int] = []
        stream = chunks()
        raised = at_once(lambda: read.extend(stream), lambda: read.extend(stream))
        read.extend(stream)

        assert all(isinstance(error, ValueError) for error in raised)
        return sorted(read)

    for _ in range(ROUNDS):
        with watched() as recorder:
            assert once() == sorted(recorder.chunks()) == [0, 1, 2]


async def test_an_asynchronous_generator_is_closed_on_another_loop_while_it_is_read() -> None:
    """Which is no way to use it: Python refuses it, or it is closed; the run ends once."""

    async def once() -> None:
        stream = chunks_async()
        await anext(stream)
        closing = asyncio.to_thread(lambda: asyncio.run(closed(stream)))
        reading, _ = await asyncio.gather(collected(stream), closing, return_exceptions=True)
        await stream.aclose()

        assert reading in ([], [1], [1, 2]) or isinstance(reading, RuntimeError)

    for _ in range(ROUNDS // 3):
        with watched():
            await once()


async def closed(stream: Any) -> None:
    """Close a stream."""
    await stream.aclose()


async def test_a_stream_that_ends_while_a_chunk_inside_of_it_is_told_ends_that_run_after_the_chunk() -> None:
    """Every handler is told of the chunk before any is told of the end."""
    kept: list[Any] = []
    calls: list[str] = []
    telling, told = asyncio.Event(), asyncio.Event()

    async def wait(run: Any, chunk: int) -> None:
        if chunk == 1 and run.name == "chunks_async":
            telling.set()
            await told.wait()

    with watched(AsyncLog("A", calls), On("on_chunk", wait)) as recorder:
        around = leaving_async(kept)
        await anext(around)
        reading = asyncio.create_task(collected(kept[0]))
        await telling.wait()
        await around.aclose()
        told.set()
        assert await reading == [1, 2]

    assert recorder.run("chunks_async").outcome == "closed"
    assert recorder.chunks("chunks_async") == [0, 1]


async def test_a_stream_that_ends_while_one_inside_of_it_starts_leaves_that_one_alone() -> None:
    """It has not opened yet: it is a stream of its own from then on."""
    starting, started = asyncio.Event(), asyncio.Event()

    async def wait(run: Any, value: Any) -> None:
        if run.name == "chunks_async":
            starting.set()
            await started.wait()

    tasks: list[asyncio.Task[list[int]]] = []

    @component("Lambda")
    async def spawning() -> AsyncGenerator[int]:
        tasks.append(asyncio.create_task(collected(chunks_async())))
        yield 0

    with watched(On("on_start", wait)) as recorder:
        around = spawning()
        await anext(around)
        await starting.wait()
        await around.aclose()
        started.set()
        assert await tasks[0] == [0, 1, 2]

    assert recorder.run("chunks_async").outcome == "ok"


async def test_a_stream_that_ends_while_a_call_inside_of_it_is_to_return_one_leaves_that_alone() -> None:
    """Which gives its stream as it would unwatched."""
    returning = asyncio.Event()
    tasks: list[asyncio.Task[list[int]]] = []

    @component("ChatModel", stream=True)
    async def create() -> AsyncGenerator[int]:
        await returning.wait()
        return chunks_async()

    async def read() -> list[int]:
        return await collected(await create())

    @component("Lambda")
    async def spawning() -> AsyncGenerator[int]:
        tasks.append(asyncio.create_task(read()))
        yield 0

    with watched() as recorder:
        around = spawning()
        await anext(around)
        await until(lambda: bool(recorder.runs("create")))
        await around.aclose()
        returning.set()
        assert await tasks[0] == [0, 1, 2]

    assert recorder.run("create").outcome == "ok"


async def test_two_tasks_close_one_stream_while_its_handlers_wait() -> None:
    """The second one waits for the first, as it would find it closed unwatched."""
    calls: list[str] = []
    recorder = Recorder()

    with callbacks(AsyncLog("A", calls), recorder):
        async with aclosing(chunks_async()) as stream:
            await anext(stream)
            await asyncio.gather(stream.aclose(), stream.aclose(), stream.aclose())
            assert calls[-1] == "A end"

    check_lifecycle(recorder)
    assert recorder.run().outcome == "closed"
