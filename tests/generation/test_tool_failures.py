"""Tools that fail, are unknown, denied, too slow, aborted or cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sideband import Abort, Handler, Run, component
from sideband.components import ToolCall, ToolInput
from sideband.generation import Runtime, Tool
from sideband.testing import Recorder, check_lifecycle

from .helpers import Noting
from .toolkit import Model, add, call, results_of


def failing() -> None:
    raise LookupError("not there")


async def hanging() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("made", "asked", "expected"),
    [
        (failing, call("failing"), "LookupError: not there"),
        (failing, call("other"), "UnknownToolError: there is no tool 'other'; there are: 'failing'"),
        (add, call("add", "{"), "ToolArgumentsError"),
        (
            Tool(hanging, timeout=0.001),
            call("hanging"),
            "ToolTimeoutError: the tool 'hanging' gave no result within 0.001 s",
        ),
    ],
)
async def test_what_fails_is_a_result_that_the_model_sees_and_a_run_that_ended_in_error(
    made: Any, asked: ToolCall, expected: str
) -> None:
    """Niro, statement 78: the generation goes on; an unknown tool is a run, too (statement 85)."""
    recorder = Recorder()

    (result,) = await results_of(Runtime(Model([asked]), tools=[made], hooks=[recorder]))

    assert result.is_error
    assert str(result.content).startswith(expected)
    check_lifecycle(recorder)
    run = recorder.run(component="Tool")
    assert (run.name, run.outcome, run.input) == (
        asked.name,
        "error",
        ToolInput(asked.name, asked.arguments, asked.id),
    )


@pytest.mark.parametrize("observed", [False, True])
async def test_what_has_no_form_for_a_model_is_a_failure_of_its_tool(observed: bool) -> None:
    """Niro, statement 86: hooks are told of the result all the same, the model reads what is wrong, and goes on."""
    recorder, hook = Recorder(), Noting()

    def odd() -> object:
        return {"sum": object()}

    made = component("Tool")(odd) if observed else odd
    stream = Runtime(Model([call("odd", id="c1")]), tools=[made], hooks=[recorder, hook]).generate("go")

    assert "SerialisationError: <object" in await stream.text()
    (result,) = stream.tool_results
    assert (result.call_id, result.is_error) == ("c1", True)
    assert [told[1] for told in hook.calls if told[0] == "result"] == [result]
    assert hook.ended.outcome == "ok"
    check_lifecycle(recorder)
    assert recorder.run(component="Tool").outcome == ("ok" if observed else "error")


async def test_a_tools_own_timeout_is_its_own_error() -> None:
    """Not that of its limit."""

    def slow() -> None:
        raise TimeoutError("upstream")

    (result,) = await results_of(Runtime(Model([call("slow")]), tools=[slow]))

    assert result.content == "TimeoutError: upstream"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (lambda call: True, "None"),
        (lambda call: False, "ToolDeniedError: the call of 'act' was not approved"),
        (lambda call: "too dear", "ToolDeniedError: the call of 'act' was not approved: too dear"),
    ],
)
async def test_calls_are_approved_before_they_are_executed(
    verdict: Callable[[ToolCall], Any], expected: str
) -> None:
    """By a plain or a coroutine function; what is not approved is told to the model, with or without a reason.

    Niro, statement 79.
    """
    called: list[int] = []

    async def approve(asked: ToolCall) -> bool | str:
        await asyncio.sleep(0)
        answer: bool | str = verdict(asked)
        return answer

    for one in (verdict, approve):
        runtime = Runtime(
            Model([call("act")]), tools=[Tool(lambda: called.append(1), name="act")], approve=one
        )
        (result,) = await results_of(runtime)
        assert str(result.content) == expected

    assert len(called) == (2 if expected == "None" else 0)


async def test_nobody_is_asked_to_approve_what_cannot_be_called() -> None:
    """Unknown tools and arguments that do not fit come back without."""
    asked: list[ToolCall] = []

    def approve(one: ToolCall) -> bool:
        asked.append(one)
        return True

    await results_of(Runtime(Model([call("nope"), call("add", "{")]), tools=[add], approve=approve))

    assert asked == []


async def test_an_abort_in_a_tools_run_ends_the_generation() -> None:
    """And cancels the other tools."""
    recorder = Recorder()

    class Guard(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            if run.name == "add":
                raise Abort("no adding")

    with pytest.raises(Abort, match="no adding"):
        await (
            Runtime(
                Model([call("hanging", id="1"), call("add", '{"a": 1}', "2")]),
                tools=[add, hanging],
                hooks=[recorder, Guard()],
            )
            .generate("go")
            .collect()
        )

    check_lifecycle(recorder)
    assert recorder.run("hanging").outcome == "cancelled"


async def test_cancelling_a_generation_cancels_its_tools() -> None:
    """They end before it does."""
    recorder, begun = Recorder(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(
        Runtime(Model([call("hang")]), tools=[hang], hooks=[recorder]).generate("go").text()
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    check_lifecycle(recorder)
    assert recorder.run("hang").outcome == "cancelled"
