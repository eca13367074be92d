"""Handlers that note what they are told, and calls of graphs with them: what `test_statements` plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

from sideband import Handler, Run, add_global_handler, at, callbacks, current_run, detached, observe
from sideband.components import Message, ToolCall
from sideband.errors import Interrupted
from sideband.generation import Tool, ToolsNode
from sideband.graph import (
    END,
    START,
    Graph,
    MemoryCheckpoints,
    Runnable,
    graph_state,
    interrupt,
)

from .test_runs import call, invokable, one


class Log:
    """What happened, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, *words: object) -> None:
        self.seen.append(" ".join(str(word) for word in words if word != ""))


Play = Callable[[Log], Awaitable[Any]]


class Plain(Handler):
    """Notes starts and endings of every kind."""

    def __init__(self, log: Log, name: str = "") -> None:
        self.log = log
        self.name = name

    def on_start(self, run: Run, input: Any) -> Awaitable[None] | None:  # noqa: A002
        self.log(self.name, run.name, "start")
        return None

    def on_end(self, run: Run, output: Any) -> None:
        self.log(self.name, run.name, "end" if run.outcome == "ok" else run.outcome)

    def on_error(self, run: Run, error: BaseException) -> None:
        self.log(self.name, run.name, "error")


class Five(Plain):
    """Notes the timings of streams, too; lets its copies be."""

    def on_start_with_stream_input(self, run: Run, stream: Any) -> None:
        self.log(self.name, run.name, "start stream")

    def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
        self.log(self.name, run.name, "end stream")


class Every(Plain):
    """Notes chunks and named events, too."""

    def on_chunk(self, run: Run, chunk: Any) -> None:
        self.log(self.name, run.name, "chunk")

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        self.log(self.name, run.name, type(payload).__name__)


class Values(Plain):
    """Notes what the runs were given, and gave."""

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.log(run.name, "start", input)

    def on_end(self, run: Run, output: Any) -> None:
        self.log(run.name, "end", output)


class Ends(Handler):
    """Wants to know of endings alone."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def on_end(self, run: Run, output: Any) -> None:
        self.log(run.name, "end")


class Changing(Plain):
    """Returns something else from its start."""

    def on_start(self, run: Run, input: Any) -> Any:  # noqa: A002
        self.log(run.name, "start")
        return "something else"


class Slow(Plain):
    """Takes its time before it has noted a start."""

    async def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        await asyncio.sleep(0)
        self.log(run.name, "start")


class Failing(Plain):
    """Fails at each start."""

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        raise LookupError


class Looking(Handler):
    """Reads the graph's state at starts."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.log(run.name, "start", graph_state())


def row(**nodes: Any) -> Runnable[Any, Any]:
    """Make a graph "graph" of nodes in a row."""
    graph = Graph[Any, Any]("graph")
    for key, node in nodes.items():
        graph.add_node(key, node)
    for source, target in zip([START, *nodes], [*nodes, END], strict=True):
        graph.add_edge(source, target)
    return graph.compile()


def watched(
    graph: Runnable[Any, Any],
    kind: Callable[[Log, str], Handler] = Plain,
    names: str = "-",
    shape: str = "invoke",
) -> Play:
    """Play a call with one handler for each name; "-" is one that needs none."""

    async def play(log: Log) -> None:
        await call(graph, shape, callbacks=[kind(log, name.strip("-")) for name in names.split()])

    return play


def placed(graph: Runnable[Any, Any], path: str) -> Play:
    """Play a call with the handler A for all runs, and D at a path."""

    async def play(log: Log) -> None:
        await graph.invoke(1, callbacks=[Plain(log, "A"), at(*path.split("/"), Plain(log, "D"))])

    return play


def raising(error: type[Exception], play: Play) -> Play:
    """Play what is to raise an error."""

    async def raised(log: Log) -> None:
        with pytest.raises(error):
            await play(log)

    return raised


def fail(_: Any) -> Any:
    raise LookupError


async def counted(_: Any) -> AsyncIterator[int]:
    for chunk in (1, 2):
        yield chunk


def ask(value: Any) -> Any:
    return [value, interrupt("well?")]


async def taken_in_part(log: Log) -> None:
    """Read one of two chunks."""
    async with aclosing(one(counted).stream(1, callbacks=[Every(log)])) as stream:
        await anext(stream)


async def read_aloud(log: Log) -> None:
    """Note each chunk as it is read."""
    async for chunk in one(counted).stream(1, callbacks=[Five(log)]):
        log("read", chunk)


async def closed_twice(log: Log) -> None:
    """Close a stream again."""
    stream = one(counted).stream(1, callbacks=[Plain(log)])
    await anext(stream)
    await stream.aclose()
    await stream.aclose()


async def never_read(log: Log) -> None:
    """Close a stream of which nothing was read."""
    await one(counted).stream(1, callbacks=[Plain(log)]).aclose()


async def unwatched(log: Log) -> None:
    """Run by hand and by a graph what nobody watches; note the values."""
    with observe("by hand") as run:
        run.output = "untouched"
    log(run.output)
    log(await one(invokable).invoke(1))


def in_node(kind: Callable[[Log], Handler]) -> Play:
    """Play a node that notes what it was given, and whose the current run is."""

    async def play(log: Log) -> None:
        async def node(x: Any) -> None:
            await asyncio.sleep(0)
            run = current_run()
            log("given", x, "in", run and run.name)

        await one(node).invoke(1, callbacks=[kind(log)])

    return play


async def one_failing(log: Log) -> None:
    """Have a handler that fails beside one that does not."""
    await one(invokable).invoke(1, callbacks=[Plain(log), Failing(log, "failing")])


def onion(node: Any, *names: str, designated: bool = False) -> Play:
    """Play a call with the global handlers G1 and G2, and others."""

    async def play(log: Log) -> None:
        given = [Plain(log, name) for name in names]
        there = [at("node", Plain(log, "D"))] if designated else []
        with add_global_handler(Plain(log, "G1")), add_global_handler(Plain(log, "G2")):
            await one(node).invoke(1, callbacks=[*given, *there])

    return play


def nesting(*, apart: bool = False, again: bool = False, more: str = "") -> Play:
    """Play a graph "node" that is called in the node "caller", maybe with handlers, maybe detached."""

    async def play(log: Log) -> None:
        handler = Plain(log, "A")
        inner = [handler] * again + [Plain(log, name) for name in more.split()]

        async def caller(x: Any) -> Any:
            if not apart:
                return await GRAPH.invoke(x, callbacks=inner)
            with detached():
                return await GRAPH.invoke(x, callbacks=inner)

        await row(caller=caller).invoke(1, callbacks=[handler])

    return play


GRAPH: Runnable[Any, Any] = (
    Graph[Any, Any]("inner").add_node("x", invokable).add_edge(START, "x").add_edge("x", END).compile()
)


async def given_twice(log: Log) -> None:
    """Give one handler around the call, to the call, and at the node."""
    handler = Plain(log)
    with callbacks(handler):
        await one(invokable).invoke(1, callbacks=[handler, at("node", handler)])


async def blocks(log: Log) -> None:
    """Attach handlers in blocks, at a node in between, and to the call."""
    with callbacks(Plain(log, "A")), callbacks(at("node", Plain(log, "D"))):
        await one(invokable).invoke(1, callbacks=[Plain(log, "B")])


def with_state(node: Any, kind: Callable[[Log], Handler], **options: Any) -> Play:
    """Play a graph that has a state."""

    async def play(log: Log) -> None:
        graph = Graph[Any, Any]("graph", state=lambda: {"made": 1}).add_node("node", node, **options)
        await graph.add_edge(START, "node").add_edge("node", END).compile().invoke(1, callbacks=[kind(log)])

    return play


async def merging(log: Log) -> None:
    """Stream from a node that notes what it makes to one that cannot stream."""

    async def making(_: Any) -> AsyncIterator[int]:
        for chunk in (1, 2):
            log("made", chunk)
            yield chunk

    await call(row(making=making, node=invokable), "stream", callbacks=[Plain(log)])


async def between(log: Log) -> None:
    """Have a branch, a passthrough and a merge between nodes."""
    graph = Graph[Any, Any]("graph").add_node("a", invokable).add_node("b", invokable)
    graph.add_passthrough("p").add_edge(START, "p").add_branch("p", lambda _: "a", ["a", "b"])
    graph.add_edge("a", END).add_edge("b", END).add_edge("p", END)
    await graph.compile().invoke(1, callbacks=[Every(log)])


async def tell(**words: Any) -> Any:
    await asyncio.sleep(0)
    return words


async def ask_back() -> Any:
    return ask(1)


def tools(*calls: str, approved: object = True, path: str = "") -> Play:
    """Play a tools node that is given calls, one at a time; where it waits it is resumed."""

    async def play(log: Log) -> None:
        node = ToolsNode(
            [Tool(tell, parameters={}), Tool(ask_back, parameters={})],
            approve=lambda _: approved if isinstance(approved, str) else bool(approved),
            max_parallel=1,
        )
        graph = Graph[Any, Any]("graph").add_node("node", node).add_edge(START, "node").add_edge("node", END)
        runnable, handler = graph.compile(checkpoints=MemoryCheckpoints()), Plain(log)
        message = Message.assistant(tool_calls=tuple(ToolCall(name, name, "{}") for name in calls))
        with callbacks(at(path, handler) if path else handler):
            try:
                await runnable.invoke(message)
            except Interrupted as waiting:
                log("resumed")
                await runnable.resume(waiting.id, "yes")

    return play


async def alternatives(log: Log) -> None:
    """Attach one handler at two nodes, and at one of them again."""
    handler = Plain(log)
    paths = ("a", "b", "a")
    await row(a=invokable, b=invokable, c=invokable).invoke(
        1, callbacks=[at(path, handler) for path in paths]
    )


async def called_otherwise(log: Log) -> None:
    """Attach a handler at the key of a node that has another name."""
    graph = Graph[Any, Any]("graph").add_node("key", invokable, name="name")
    await (
        graph.add_edge(START, "key")
        .add_edge("key", END)
        .compile()
        .invoke(1, callbacks=[at("key", Plain(log))])
    )


async def endless(log: Log) -> None:
    """Let a node lead to itself for ever, two steps of which are allowed."""
    graph = Graph[Any, Any]("graph", cycles=True).add_node("node", invokable).add_edge(START, "node")
    graph.add_branch("node", lambda _: "node", ["node", END])
    await graph.compile(max_steps=2).invoke(1, callbacks=[Plain(log)])


def waiting(*, anew: bool) -> Play:
    """Play a call that waits for an answer, then a new call or its resumption."""

    async def play(log: Log) -> None:
        graph = Graph[Any, Any]("graph").add_node("done", invokable).add_node("asking", ask)
        graph.add_edge(START, "done").add_edge("done", "asking").add_edge("asking", END)
        runnable = graph.compile(checkpoints=MemoryCheckpoints())
        with callbacks(Plain(log)):
            with pytest.raises(Interrupted) as raised:
                await runnable.invoke(1)
            log("then")
            if not anew:
                await runnable.resume(raised.value.id, "yes")
                return
            with pytest.raises(Interrupted):
                await runnable.invoke(1)

    return play
