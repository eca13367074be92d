"""LangGraph: a graph of functions over a state, with LangChain's callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from benchmarks.cases.hooks import NODES
from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers._gauges import importing
from benchmarks.peers._langchain import Calls, config
from langgraph.graph import END, START, StateGraph

TITLE = "LangGraph"
DISTRIBUTION = "langgraph"


class State(TypedDict):
    """What the nodes pass on."""

    value: int


async def _node(state: State) -> State:
    return {"value": state["value"]}


def _node_sync(state: State) -> State:
    return {"value": state["value"]}


async def _bare(count: int) -> None:
    for number in range(count // NODES):
        state: State = {"value": number}
        for _ in range(NODES):
            state = await _node(state)


def _bare_sync(count: int) -> None:
    for number in range(count // NODES):
        state: State = {"value": number}
        for _ in range(NODES):
            state = _node_sync(state)


def _linear(node: Any) -> Any:
    graph = StateGraph(State)
    keys = [f"n{place}" for place in range(NODES)]
    for key in keys:
        graph.add_node(key, node)
    for source, target in zip([START, *keys], [*keys, END], strict=True):
        graph.add_edge(source, target)
    return graph.compile()


def _chain_events(handlers: int) -> Callable[[int], int]:
    return lambda count: 2 * handlers * (NODES + 1) * (count // NODES)


def chain(handlers: int) -> Work:
    """A compiled `StateGraph` of coroutine functions, by `ainvoke`; handlers run inline; no checkpointer."""
    graph, counter = _linear(_node), Counter()
    options = config([Calls(counter) for _ in range(handlers)])

    async def run(count: int) -> None:
        for number in range(count // NODES):
            await graph.ainvoke({"value": number}, options)

    return Work(run, _bare, counter, events=_chain_events(handlers))


def chain_sync(handlers: int) -> Work:
    """A compiled `StateGraph` of functions, by `invoke`; no checkpointer."""
    graph, counter = _linear(_node_sync), Counter()
    options = config([Calls(counter) for _ in range(handlers)])

    def run(count: int) -> None:
        for number in range(count // NODES):
            graph.invoke({"value": number}, options)

    return Work(run, _bare_sync, counter, events=_chain_events(handlers))


def import_time(_level: int) -> Gauge:
    """`StateGraph` and `BaseCallbackHandler`."""
    return importing(
        "from langchain_core.callbacks import BaseCallbackHandler\nfrom langgraph.graph import StateGraph"
    )
