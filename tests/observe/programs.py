"""Random programs: trees of components of every sort, with failures, cancellations and early ends.

A program is a value (`Node`); `execute` interprets it. It behaves the same however often it is run, so
that what it does unwatched can be compared with what it does with any handlers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

import sideband
from sideband import component, observe

SORTS = ("function", "coroutine", "generator", "async_generator", "block", "async_block")
FAILURES = ("none", "none", "none", "raise", "raise_first", "cancel", "interrupt")
READINGS = ("all", "all", "some", "close_at_once", "throw", "drop")

variable: ContextVar[str] = ContextVar("variable", default="unset")
"""A variable that programs set and look at."""


class Failure(Exception):  # noqa: N818
    """What a program raises."""


class Interrupt(BaseException):
    """What a program raises that is no `Exception`."""


@dataclass(frozen=True)
class Node:
    """One component of a program, and what it does."""

    name: str
    sort: str
    failure: str
    reading: str
    """How its consumer reads it, if it is a stream."""
    sets: bool
    """Whether its body sets the variable."""
    together: bool
    """Whether its children run at the same time, where it can wait."""
    chunks: int
    children: tuple[Node, ...]

    @property
    def waits(self) -> bool:
        """Whether its body can wait."""
        return self.sort in ("coroutine", "async_generator", "async_block")


def programs() -> st.SearchStrategy[Node]:
    """Draw programs of up to a few levels."""

    def node(children: st.SearchStrategy[tuple[Node, ...]]) -> st.SearchStrategy[Node]:
        return st.builds(
            Node,
            name=st.sampled_from("abcdef"),
            sort=st.sampled_from(SORTS),
            failure=st.sampled_from(FAILURES),
            reading=st.sampled_from(READINGS),
            sets=st.booleans(),
            together=st.booleans(),
            chunks=st.integers(0, 3),
            children=children,
        )

    return st.recursive(
        node(st.just(())), lambda inner: node(st.lists(inner, max_size=3).map(tuple)), max_leaves=8
    )


class Execution:
    """One execution of a program: what could be seen of it from inside."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.errors: list[BaseException] = []

    def note(self, node: Node, what: str) -> None:
        """Write down what the program itself can see at this moment."""
        self.seen.append((node.name, what, variable.get()))

    def fail(self, node: Node) -> None:
        """Raise as the node says."""
        errors = {
            "raise": Failure,
            "raise_first": Failure,
            "cancel": asyncio.CancelledError,
            "interrupt": Interrupt,
        }
        error = errors[node.failure](node.name)
        self.errors.append(error)
        raise error

    def body(self, node: Node, *, first: bool) -> None:
        """Do what every body does before and after its children."""
        self.note(node, "first" if first else "last")
        if first and node.sets:
            variable.set(node.name)
        sideband.emit("progress", node.name)
        if node.failure != "none" and first == (node.failure == "raise_first"):
            self.fail(node)

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
        await asyncio.sleep(0)
        results = await self.gather(node)
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
            for child in node.children:
                yield await self.acall(child)
            self.body(node, first=False)
        finally:
            self.note(node, "finally")

    # Calls ---------------------------------------------------------------------------------------

    async def gather(self, node: Node) -> list[Any]:
        """Run the children as the node says; failures are results."""
        if node.together:
            tasks = [asyncio.ensure_future(self.acall(child)) for child in node.children]
            return [await task for task in tasks]
        return [await self.acall(child) for child in node.children]

    def call(self, node: Node) -> Any:
        """Call a component from a body that cannot wait; what needs waiting is called as a function."""
        sort = {"async_generator": "generator"}.get(node.sort, node.sort)
        try:
            if sort == "generator":
                return self.read(node, component("ChatModel", name=node.name)(self.generator)(node))
            if sort == "block":
                with observe(node.name, input=node) as run:
                    run.output = self.function(node)
                return run.output
            return component("Lambda", name=node.name)(self.function)(node)
        except BaseException as error:
            return self.caught(error)

    async def acall(self, node: Node) -> Any:
        """Call a component of any sort."""
        if not node.waits:
            return self.call(node)
        try:
            if node.sort == "async_generator":
                stream = component("ChatModel", name=node.name)(self.async_generator)(node)
                return await self.aread(node, stream)
            if node.sort == "async_block":
                async with observe(node.name, input=node) as run:
                    run.output = await self.coroutine(node)
                return run.output
            return await component("Lambda", name=node.name)(self.coroutine)(node)
        except BaseException as error:
            return self.caught(error)

    def caught(self, error: BaseException) -> Any:
        """Turn a program's own failure into a result, by identity; let others through."""
        if any(known is error for known in self.errors):
            return f"{type(error).__name__} {error}"
        raise error

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
            if node.reading in ("some", "drop"):
                stream.close()
                break
        return seen

    async def aread(self, node: Node, stream: AsyncGenerator[Any, Any]) -> list[Any]:
        """Read a stream as the node says."""
        seen: list[Any] = []
        async with aclosing(stream):
            if node.reading == "close_at_once":
                return seen
            async for chunk in stream:
                seen.append((chunk, variable.get()))
                if node.reading == "throw" and len(seen) == 1:
                    try:
                        seen.append(await stream.athrow(self.thrown(node)))
                    except StopAsyncIteration:
                        return seen
                if node.reading in ("some", "drop"):
                    break
        return seen

    def thrown(self, node: Node) -> Failure:
        """Make an error to throw into a stream."""
        error = Failure(f"thrown into {node.name}")
        self.errors.append(error)
        return error


async def execute(program: Node) -> tuple[Any, list[Any], str]:
    """Run a program, and return its result, what it saw of itself, and the variable it left behind."""
    execution = Execution()
    result = await execution.acall(program)
    # Handlers that wait let tasks have their turns in another order.
    return result, sorted(execution.seen), variable.get()
