"""What executes random programs, and writes down all that a program can see of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, closing
from contextvars import ContextVar
from typing import Any

import sideband
from sideband import Abort, component, observe, propagate

from .helpers import collected
from .programs import Node

variable: ContextVar[str] = ContextVar("variable", default="unset")
"""A variable that programs set and look at."""

_THREADS = ThreadPoolExecutor(64, "programs")
_END: Any = object()


class Failure(Exception):  # noqa: N818
    """What a program raises."""


class Interrupt(BaseException):
    """What a program raises that is no `Exception`."""


_ERRORS: dict[str, type[BaseException]] = {
    "raise": Failure,
    "raise_first": Failure,
    "cancel": asyncio.CancelledError,
    "interrupt": Interrupt,
}


class Execution:
    """One execution of a program: what could be seen of it from inside."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.errors: list[BaseException] = []
        self.limits: dict[int, asyncio.Timeout] = {}

    def note(self, node: Node, what: str) -> None:
        """Write down what the program itself can see at this moment."""
        self.seen.append((node.name, what, variable.get()))

    def body(self, node: Node, *, first: bool) -> None:
        """Do what every body does before and after its children."""
        self.note(node, "first" if first else "last")
        if first and node.sets:
            variable.set(node.name)
        sideband.emit("progress", node.name)
        if node.failure in _ERRORS and first == (node.failure == "raise_first"):
            error = _ERRORS[node.failure](node.name)
            self.errors.append(error)
            raise error

    async def wait(self, node: Node) -> None:
        """Let others have their turn; or wait for ever, and be cancelled, by a timeout or by hand."""
        await asyncio.sleep(0)
        if node.failure != "stuck":
            return
        loop, task, limit = (
            asyncio.get_running_loop(),
            asyncio.current_task(),
            self.limits.pop(id(node), None),
        )
        assert task is not None
        if limit is None:
            loop.call_soon(task.cancel, node.name)
        else:
            limit.reschedule(loop.time())
        try:
            await loop.create_future()
        except asyncio.CancelledError as error:
            self.errors.append(error)
            raise

    # Bodies of each sort -------------------------------------------------------------------------

    def function(self, node: Node) -> Any:
        """Call the children one after the other."""
        self.body(node, first=True)
        results = [self.call(child) for child in node.children]
        self.body(node, first=False)
        return node.name, results

    async def coroutine(self, node: Node) -> Any:
        """Await the children, one after the other or at the same time."""
        self.body(node, first=True)
        results = await self.gather(node)
        await self.wait(node)
        self.body(node, first=False)
        return node.name, results

    def generator(self, node: Node) -> Generator[Any, Any, Any]:
        """Yield chunks, then the children's results."""
        try:
            self.body(node, first=True)
            for chunk in range(node.chunks):
                try:
                    yield chunk
                except Failure as error:
                    self.note(node, f"caught {error}")
            for child in node.children:
                yield self.call(child)
            self.body(node, first=False)
        finally:
            self.note(node, "finally")
        return node.name

    async def async_generator(self, node: Node) -> AsyncGenerator[Any, Any]:
        """Yield chunks, then the children's results."""
        try:
            self.body(node, first=True)
            for chunk in range(node.chunks):
                await asyncio.sleep(0)
                try:
                    yield chunk
                except Failure as error:
                    self.note(node, f"caught {error}")
            await self.wait(node)
            for child in node.children:
                yield await self.acall(child)
            self.body(node, first=False)
        finally:
            self.note(node, "finally")

    async def returning(self, node: Node) -> AsyncIterator[Any]:
        """Return a stream that is no component itself."""
        self.note(node, "returning")
        await asyncio.sleep(0)
        return self.async_generator(node)

    def collect(self, source: Iterator[Any], node: Node) -> Any:
        """Take some chunks of a stream."""
        with closing(source):  # type: ignore[type-var]
            taken = [chunk for chunk, _ in zip(source, range(node.chunks), strict=False)]
        return taken, self.function(node)

    async def async_collect(self, source: AsyncIterator[Any], node: Node) -> Any:
        """Take some chunks of a stream."""
        taken: list[Any] = []
        async with aclosing(source):  # type: ignore[type-var]
            while len(taken) < node.chunks and (chunk := await anext(source, _END)) is not _END:
                taken.append(chunk)
        return taken, await self.coroutine(node)

    def transform(self, source: Iterator[Any], node: Node) -> Generator[Any, Any, Any]:
        """Give the chunks of a stream, then one's own."""
        with closing(source):  # type: ignore[type-var]
            for chunk in source:
                yield node.name, chunk
        return (yield from self.generator(node))

    async def async_transform(self, source: AsyncIterator[Any], node: Node) -> AsyncGenerator[Any, Any]:
        """Give the chunks of a stream, then one's own."""
        async with aclosing(source):  # type: ignore[type-var]
            async for chunk in source:
                yield node.name, chunk
        async with aclosing(self.async_generator(node)) as own:
            async for chunk in own:
                yield chunk

    # Calls ---------------------------------------------------------------------------------------

    async def gather(self, node: Node) -> list[Any]:
        """Run the children as the node says; failures are results."""
        children = node.children[1:] if node.takes else node.children
        if node.together:
            tasks = [asyncio.ensure_future(self.acall(child)) for child in children]
            return [await task for task in tasks]
        return [await self.acall(child) for child in children]

    def call(self, node: Node) -> Any:
        """Call a component from a body that cannot wait; what needs waiting is called as its like that does not."""
        if node.place == "executor" and asyncio._get_running_loop() is None:
            return _THREADS.submit(propagate(self.attempt), node).result()
        return self.attempt(node)

    def attempt(self, node: Node) -> Any:
        """Call a component on this thread; its own failure is a result."""
        try:
            if node.streams:
                return self.read(node, self.open(node))
            if node.sort in ("block", "async_block"):
                with observe(node.name, input=node) as run:
                    run.output = self.function(node)
                return run.output
            if node.takes:
                return component("Lambda", name=node.name)(self.collect)(self.source(node), node)
            return component("Lambda", name=node.name)(self.function)(node)
        except BaseException as error:
            return self.caught(error)

    def open(self, node: Node) -> Generator[Any, Any, Any]:
        """Make a stream for a body that cannot wait."""
        if node.takes:
            return component("Transformer", name=node.name)(self.transform)(self.source(node), node)
        return component("ChatModel", name=node.name)(self.generator)(node)

    def source(self, node: Node) -> Iterator[Any]:
        """Make the input of a node: a component's stream, or a bare one."""
        if node.children and node.children[0].streams:
            return self.open(node.children[0])
        return (number for number in range(2))

    async def acall(self, node: Node) -> Any:
        """Call a component of any sort, wherever it is to be called; its own failure is a result."""
        if not node.waits:
            return await self.call_elsewhere(node)
        try:
            if node.failure != "stuck" or not node.together:
                return await self.attempt_async(node)
            async with asyncio.timeout(None) as limit:
                self.limits[id(node)] = limit
                return await self.attempt_async(node)
        except TimeoutError:
            return "timeout"
        except BaseException as error:
            return self.caught(error)

    async def call_elsewhere(self, node: Node) -> Any:
        """Call what cannot wait, here or in a thread."""
        if node.place == "to_thread":
            return await asyncio.to_thread(self.attempt, node)
        if node.place == "executor":
            bound = propagate(self.attempt)
            return await asyncio.get_running_loop().run_in_executor(_THREADS, bound, node)
        if node.streams and node.reading == "a_thread_a_chunk":
            return await self.read_in_threads(node)
        return self.attempt(node)

    async def attempt_async(self, node: Node) -> Any:
        """Call what can wait, in this task."""
        async with AsyncExitStack() as inputs:
            if node.streams:
                return await self.aread(node, await self.aopen(node, inputs))
            if node.sort == "async_block":
                async with observe(node.name, input=node) as run:
                    run.output = await self.coroutine(node)
                return run.output
            if node.takes:
                collect = component("Lambda", name=node.name)(self.async_collect)
                return await collect(await self.asource(node, inputs), node)
            return await component("Lambda", name=node.name)(self.coroutine)(node)

    async def aopen(self, node: Node, inputs: AsyncExitStack) -> Any:
        """Make a stream for a body that can wait."""
        if node.sort == "returning":
            return await component("ChatModel", name=node.name, stream=True)(self.returning)(node)
        if node.takes:
            transform = component("Transformer", name=node.name)(self.async_transform)
            return transform(await self.asource(node, inputs), node)
        return component("ChatModel", name=node.name)(self.async_generator)(node)

    async def asource(self, node: Node, inputs: AsyncExitStack) -> Any:
        """Make the input of a node, a component's stream or a bare one, closed also if its body never runs."""
        made: Any = bare()
        if node.children and node.children[0].streams and node.children[0].waits:
            made = await self.aopen(node.children[0], inputs)
        inputs.push_async_callback(made.aclose)
        return made

    def caught(self, error: BaseException) -> Any:
        """Turn a program's own failure into a result, by identity, and a handler's `Abort`; let others through."""
        if isinstance(error, Abort):
            return "aborted"
        if not any(known is error for known in self.errors):
            raise error
        return f"{type(error).__name__} {error}"

    # Readings ------------------------------------------------------------------------------------

    def read(self, node: Node, stream: Generator[Any, Any, Any]) -> list[Any]:
        """Read a stream as the node says."""
        seen: list[Any] = []
        if node.reading == "close_at_once":
            stream.close()
            return seen
        for chunk in stream:
            seen.append((chunk, variable.get()))
            if node.reading == "throw" and len(seen) == 1:
                try:
                    seen.append(stream.throw(self.thrown(node)))
                except StopIteration as stop:
                    return [*seen, stop.value]
            if node.reading == "elsewhere" and asyncio._get_running_loop() is None:
                return [*seen, *_THREADS.submit(propagate(_rest), stream).result()]
            if node.reading in ("some", "drop"):
                break
        if node.reading == "some":
            stream.close()
        return seen

    async def read_in_threads(self, node: Node) -> Any:
        """Read a stream that cannot wait, each chunk in a thread."""
        seen: list[Any] = []
        stream = self.open(node)
        try:
            while (chunk := await asyncio.to_thread(next, stream, _END)) is not _END:
                seen.append((chunk, variable.get()))
        except BaseException as error:
            return self.caught(error)
        return seen

    async def aread(self, node: Node, stream: Any) -> list[Any]:
        """Read a stream as the node says."""
        if node.reading == "drop":
            return await self.drop(stream)
        seen: list[Any] = []
        async with aclosing(stream):
            if node.reading == "close_at_once":
                return seen
            while (chunk := await self.pull(node, stream)) is not _END:
                seen.append((chunk, variable.get()))
                if node.reading == "throw" and len(seen) == 1 and node.sort != "returning":
                    try:
                        seen.append(await stream.athrow(self.thrown(node)))
                    except StopAsyncIteration:
                        return seen
                if node.reading == "elsewhere":
                    return [*seen, *await asyncio.create_task(collected(stream))]
                if node.reading == "some":
                    break
        return seen

    async def pull(self, node: Node, stream: Any) -> Any:
        """Pull a chunk, in this task or one of its own."""
        if node.reading != "a_task_a_chunk":
            return await anext(stream, _END)

        async def step() -> Any:
            return await anext(stream, _END)

        return await asyncio.create_task(step())

    async def drop(self, stream: Any) -> list[Any]:
        """Read one chunk, and leave the rest to the garbage collector."""
        seen: list[Any] = []
        async for chunk in stream:
            seen.append((chunk, variable.get()))
            break
        return seen

    def thrown(self, node: Node) -> Failure:
        """Make an error to throw into a stream."""
        error = Failure(f"thrown into {node.name}")
        self.errors.append(error)
        return error


def _rest(stream: Iterator[Any]) -> list[Any]:
    return list(stream)


async def bare() -> AsyncGenerator[int]:
    """Be a stream that is no component."""
    for number in range(2):
        await asyncio.sleep(0)
        yield number


async def execute(program: Node) -> tuple[Any, list[Any], str]:
    """Run a program, and return its result, what it saw of itself, and the variable it left behind."""
    execution = Execution()
    result = await execution.acall(program)
    for _ in range(10):  # what was dropped is closed by the loop
        await asyncio.sleep(0)
    # Handlers that wait let tasks have their turns in another order.
    return result, sorted(execution.seen), variable.get()
