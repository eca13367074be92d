"""Nodes that fail, and graphs that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sideband import callbacks
from sideband.graph import (
    END,
    START,
    Graph,
    Runnable,
)
from sideband.testing import Recorder, check_lifecycle

from .helpers import double, total


def failing(error: BaseException) -> Callable[[Any], Any]:
    """Make a node that raises an exception after others have begun."""

    async def fail(_: Any) -> None:
        await asyncio.sleep(0)
        raise error

    return fail


def beside(*functions: Callable[..., Any]) -> Runnable[Any, Any]:
    """Make a graph of functions side by side."""
    graph = Graph[Any, Any]("beside")
    for place, function in enumerate(functions):
        graph.add_node(f"n{place}", function).add_edge(START, f"n{place}").add_edge(f"n{place}", END)
    return graph.compile()


async def test_one_failing_node_raises_its_own_exception_and_cancels_the_others() -> None:
    """The same object; all nodes end before the graph does."""
    error = LookupError("mine")
    recorder = Recorder()

    with callbacks(recorder), pytest.raises(LookupError) as raised:
        await beside(failing(error), lambda _: asyncio.Event().wait()).invoke(1)

    assert raised.value is error
    check_lifecycle(recorder)
    assert recorder.timings()[-1] == "on_error"
    assert list(recorder)[-1].run.name == "beside"


async def test_several_failing_nodes_raise_a_group() -> None:
    """Of their own exceptions."""
    errors = [LookupError("one"), ValueError("two")]

    with pytest.raises(ExceptionGroup) as raised:
        await beside(*map(failing, errors)).invoke(1)

    assert list(raised.value.exceptions) == errors


async def test_a_group_that_one_node_raises_is_not_taken_apart() -> None:
    """It is that node's exception."""
    error = ExceptionGroup("mine", [LookupError()])

    with pytest.raises(ExceptionGroup) as raised:
        await beside(failing(error), double).invoke(1)

    assert raised.value is error


async def test_a_stream_that_fails_fails_the_node_that_reads_it_and_the_graph() -> None:
    """With the same exception, which several readers raise as one."""
    error = LookupError("in the middle")

    async def breaking(x: int) -> AsyncIterator[int]:
        yield x
        raise error

    graph = (
        Graph[int, Any]("streams").add_node("breaking", breaking).add_node("a", total).add_node("b", total)
    )
    graph.add_edge(START, "breaking")
    for key in ("a", "b"):
        graph.add_edge("breaking", key).add_edge(key, END)
    recorder = Recorder()

    with callbacks(recorder), pytest.raises(LookupError) as raised:
        await graph.compile().invoke(1)

    assert raised.value is error
    check_lifecycle(recorder)
    assert {run.name: run.outcome for run in recorder.runs()}["breaking"] == "error"


async def test_cancelling_a_graph_cancels_its_nodes() -> None:
    """They end before it does."""
    recorder = Recorder()

    async def wait(_: int) -> None:
        await asyncio.Event().wait()

    with callbacks(recorder):
        task = asyncio.create_task(beside(wait, wait).invoke(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    check_lifecycle(recorder)
    assert {run.outcome for run in recorder.runs()} == {"cancelled"}
