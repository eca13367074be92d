"""Chains, and graphs that are called without an event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sideband import callbacks
from sideband.graph import (
    Chain,
)
from sideband.testing import Recorder, check_lifecycle

from .helpers import count, double, increase, line, squares, total


async def test_a_chain_is_a_graph_in_a_row() -> None:
    """Its keys are the names of its functions, numbered where they come again."""
    chain = (
        Chain[int, int]("sums").append(double).append(increase).append(double).append(lambda x: x).compile()
    )

    assert await chain.invoke(1) == 6
    assert chain.nodes == (("double",), ("increase",), ("double_2",), ("node",))


async def test_a_chain_may_do_things_side_by_side_and_by_choice() -> None:
    """What is side by side gives a mapping; what is chosen gives its own value."""
    chain = (
        Chain[int, str]()
        .parallel({"a": double, "b": increase})
        .branch(lambda given: given["a"] > 10, {True: lambda given: "large", False: lambda given: "small"})
        .append(str.upper)
        .compile()
    )

    assert [await chain.invoke(x) for x in (1, 10)] == ["SMALL", "LARGE"]


@pytest.mark.parametrize("build", [lambda c: c.parallel({"a": double}), lambda c: c.branch(bool, {})])
def test_a_chain_says_what_is_too_little(build: Callable[[Chain[Any, Any]], Any]) -> None:
    """Side by side takes two, a branch one."""
    with pytest.raises(ValueError, match="or more, got"):
        build(Chain())


async def test_an_empty_chain_gives_its_input() -> None:
    """As a graph from START to END."""
    assert await Chain[int, int]().compile().invoke(3) == 3


def test_a_graph_is_called_without_an_event_loop() -> None:
    """All four shapes, with the caller's handlers."""
    graph = line(total, count, squares)
    recorder = Recorder()

    with callbacks(recorder):
        assert graph.invoke_sync(3) == 4
        assert list(graph.stream_sync(3)) == [0, 1, 4]
        assert graph.collect_sync([1, 2]) == 4
        assert list(graph.transform_sync(iter([1, 2]))) == [0, 1, 4]

    check_lifecycle(recorder)
    assert len(recorder.runs("line")) == 4


def test_a_synchronous_stream_that_is_left_closes_the_nodes() -> None:
    """The run ends as closed."""
    recorder = Recorder()

    with callbacks(recorder):
        stream = line(count).stream_sync(100)
        assert next(stream) == 0
        stream.close()

    check_lifecycle(recorder)
    assert recorder.run("line").outcome == "closed"


async def test_a_synchronous_twin_on_an_event_loop_says_what_to_use() -> None:
    """It would wait for itself."""
    with pytest.raises(
        RuntimeError, match=r"invoke_sync was called in a thread that runs an event loop.*await"
    ):
        line(double).invoke_sync(1)
    with pytest.raises(RuntimeError, match="stream_sync"):
        next(line(double).stream_sync(1))
