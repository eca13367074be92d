"""Nodes that are executed again when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import Abort, Handler, Run
from sideband.graph import END, START, Chain, Graph, NodeRetried, Retry, Workflow
from sideband.testing import Recorder, VirtualLoop, check_lifecycle

NOW = Retry(delay=0)


def failing(
    times: int, error: type[Exception] = ConnectionError, *, waits: bool = True
) -> Callable[[Any], Any]:
    """Make a function that fails so many times."""
    left = [times]

    def plain(value: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise error(left[0])
        return value

    async def coroutine(value: Any) -> Any:
        await asyncio.sleep(0)
        return plain(value)

    return coroutine if waits else plain


def one(node: Any, retry: Retry) -> Any:
    """Make a graph of one node."""
    graph = Graph[Any, Any]("g").add_node("n", node, retry=retry).add_edge(START, "n").add_edge("n", END)
    return graph.compile()


@pytest.mark.parametrize("waits", [True, False])
async def test_each_attempt_is_a_run_and_the_graph_tells_of_each_failure(waits: bool) -> None:
    """With its number and its error, the very object."""
    recorder = Recorder()

    assert await one(failing(2, waits=waits), NOW).invoke(7, callbacks=[recorder]) == 7

    check_lifecycle(recorder)
    graph, *attempts = recorder.runs()
    assert [(run.path, run.input, str(run.outcome)) for run in attempts] == [
        (("n",), 7, "error"),
        (("n",), 7, "error"),
        (("n",), 7, "ok"),
    ]
    events = [
        (record.run, record.event, record.payload) for record in recorder if record.timing == "on_event"
    ]
    assert events == [(graph, "retry", NodeRetried("n", n + 1, attempts[n].error, 0)) for n in range(2)]  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def test_the_last_error_is_raised_as_it_is() -> None:
    """When the attempts are used up."""
    with pytest.raises(ConnectionError) as raised:
        await one(failing(9), NOW).invoke(0)

    assert raised.value.args == (6,)


@pytest.mark.parametrize(("error", "retry"), [(KeyError, Retry(delay=0, errors=(OSError,))), (Abort, NOW)])
async def test_what_is_not_worth_another_attempt_is_raised_at_once(
    error: type[Exception], retry: Retry
) -> None:
    """Other errors than those that were named; an `Abort` in any case."""
    recorder = Recorder()

    with pytest.raises(error):
        await one(failing(1, error), retry).invoke(0, callbacks=[recorder])

    assert len(recorder.runs()) == 2


async def test_a_handler_can_stop_the_attempts() -> None:
    """By an `Abort` at the start of one."""

    class Twice(Handler):
        seen = 0

        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            self.seen += run.path == ("n",)
            if self.seen == 2:
                raise Abort("enough")

    with pytest.raises(Abort, match="enough"):
        await one(failing(9), NOW).invoke(0, callbacks=[Twice()])


def test_waits_grow_up_to_a_bound() -> None:
    """Measured in virtual time."""

    async def take() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await one(failing(4), Retry(attempts=5, delay=1, backoff=3, max_delay=5)).invoke(0)
        return loop.time() - started

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(take()) == pytest.approx(1 + 3 + 5 + 5)


@given(st.integers(1, 10**6), st.floats(0, 1e9), st.floats(1, 1e9), st.floats(0, 1e9))
def test_no_wait_exceeds_the_bound(attempt: int, delay: float, backoff: float, most: float) -> None:
    """However late, and however fast they grow."""
    assert 0 <= Retry(delay=delay, backoff=backoff, max_delay=most).wait(attempt) <= most


@pytest.mark.parametrize("options", [{"attempts": 0}, {"delay": -1}, {"backoff": 0.5}, {"max_delay": -1}])
def test_numbers_out_of_their_bounds_are_refused(options: Any) -> None:
    """Where they are written."""
    with pytest.raises(ValueError, match="must be"):
        Retry(**options)


async def stream(_: Any) -> AsyncIterator[int]:
    yield 1


def test_a_stream_cannot_be_retried() -> None:
    """Part of it would have been read."""
    with pytest.raises(TypeError, match="'n' takes or gives a stream"):
        Graph[Any, Any]().add_node("n", stream, retry=NOW)


async def test_chains_workflows_and_graphs_inside_are_retried_too() -> None:
    """A graph that is a node is executed anew, as a whole."""
    recorder = Recorder()
    inner = Chain[Any, Any]("inner").append(str, key="first").append(failing(1), key="second").compile()
    workflow = Workflow[Any, Any]("w").add_node("inner", inner, inputs=START, retry=NOW).output("inner")
    chain = Chain[Any, Any]("c").append(workflow.compile(), key="w").append(failing(1), key="n", retry=NOW)

    assert await chain.compile().invoke(3, callbacks=[recorder]) == "3"

    check_lifecycle(recorder)
    assert [run.path for run in recorder.runs()] == [
        (),
        ("w",),
        *[("w", "inner"), ("w", "inner", "first"), ("w", "inner", "second")] * 2,
        ("n",),
        ("n",),
    ]
    assert [record.payload.node for record in recorder if record.event == "retry"] == ["inner", "n"]


async def test_cancelling_ends_the_wait() -> None:
    """Nothing is executed afterwards."""
    recorder = Recorder()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await one(failing(9), Retry(delay=60, max_delay=60)).invoke(0, callbacks=[recorder])

    check_lifecycle(recorder)
    assert [str(run.outcome) for run in recorder.runs()] == ["cancelled", "error"]
