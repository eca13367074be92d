"""Several providers asked at the same time, all of whose frames are given."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.generation.helpers import USED, Noting

from sideband import Abort, callbacks
from sideband.components import Message
from sideband.generation import Askable, Request, Runtime, fan
from sideband.streams import NamedChunk
from sideband.testing import Recorder, check_lifecycle

from .scripts import ANSWER, FlakyError, Script, now, read

ASKED = Request.of("go")
A, B, TOLD, DONE = ANSWER


def slow(*steps: Any, name: str = "slow") -> Script:
    return Script([1, *steps], name=name)


async def test_frames_come_as_they_arrive_with_their_source() -> None:
    """Niro, statement 110: all are asked at once, and every frame says whose it is; usage and response are not dropped.

    Hooks see each generation, which they did not at all (statement 123).
    """
    recorder, hook = Recorder(), Noting()
    one = Script([1, A, 2, B, TOLD, DONE], name="one")
    other = Script([2, A, TOLD, DONE], name="other")
    with callbacks(recorder, hook):
        stream = fan(one, other).generate(ASKED)
        got = [(source, frame.kind, now()) async for source, frame in stream]

    assert got[:2] == [("one", "text", 1.0), ("other", "text", 2.0)]
    assert [source for source, _, at in got if at == 3.0] == ["one", "one", "one"]
    assert {label: output.message.text for label, output in stream.outputs.items()} == {
        "one": "ab",
        "other": "a",
    }
    assert stream.usage == USED + USED
    whole = recorder.run(component="Workflow")
    assert (whole.usage, len(recorder.children(whole))) == (USED + USED, 2)
    assert hook.names.count("start") == hook.names.count("end") == 2
    check_lifecycle(recorder)


async def test_an_error_stops_the_others() -> None:
    """It is raised as it is, and what had come is given before it."""
    error = FlakyError("no")
    recorder = Recorder()
    failing, other = Script([A, 1, error], name="failing"), Script([5, A], name="other")
    with callbacks(recorder):
        got, raised = await read(fan(failing, other).generate(ASKED))

    assert (got, raised, now()) == ([NamedChunk("failing", A)], error, 1.0)
    assert other.open == 0
    assert recorder.run(component="Workflow").outcome == "error"
    check_lifecycle(recorder)


async def test_an_error_lets_the_others_go_on_where_that_is_asked_for() -> None:
    """Niro, statement 110: it is raised after all have ended; of several, all are."""
    first, second = FlakyError("1"), FlakyError("2")
    failing, other = Script([1, first], name="failing"), Script([2, A, DONE], name="other")
    got, raised = await read(fan(failing, other, on_error="continue").generate(ASKED))
    assert ([chunk.source for chunk in got], raised) == (["other", "other"], first)

    both = fan(Script([2, first]), Script([1, second]), on_error="continue")
    _, raised = await read(both.generate(ASKED))
    assert isinstance(raised, ExceptionGroup)
    assert set(raised.exceptions) == {first, second}


async def test_an_abort_stops_all_in_any_case() -> None:
    """It is no failure of one of them."""
    abort = Abort("stop")
    other = Script([5, A])

    _, raised = await read(fan(Script([1, abort]), other, on_error="continue").generate(ASKED))
    assert (raised, other.open, now()) == (abort, 0, 1.0)


async def test_providers_of_one_name_have_labels_of_their_own() -> None:
    """A number, or the caller's word; each may be asked for something else."""
    providers = [Script(ANSWER) for _ in range(3)]
    many = fan(*providers[:2], check=providers[2])
    outputs = await many.generate(ASKED).collect()
    assert set(outputs) == {"script", "script-2", "check"}

    questions: dict[str, Askable] = {"script": "a", "script-2": Message.user("b"), "check": Request.of("c")}
    await many.generate(questions).collect()
    assert [provider.asked[-1].messages[0].text for provider in providers] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="requests for"):
        many.generate({"script": "a"})


async def test_a_runtime_in_a_fan_is_observed_once() -> None:
    """It makes its own run."""
    recorder = Recorder()
    with callbacks(recorder):
        await fan(Runtime(Script(ANSWER))).generate(ASKED).collect()

    assert [run.component for run in recorder.runs()] == ["Workflow", "ChatModel"]


@pytest.mark.parametrize("cancel", [False, True])
async def test_ending_a_fan_early_ends_all(cancel: bool) -> None:
    """By closing it, or by cancelling who reads it."""
    recorder = Recorder()
    providers = [slow(A, 5, B, name=str(number)) for number in range(3)]
    with callbacks(recorder):
        stream = fan(*providers).generate(ASKED)
        await anext(stream)
        if cancel:
            task = asyncio.create_task(stream.collect())
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await stream.aclose()

    assert [provider.open for provider in providers] == [0, 0, 0]
    assert recorder.run(component="Workflow").outcome == ("cancelled" if cancel else "closed")
    check_lifecycle(recorder)


def test_a_fan_of_none_is_refused() -> None:
    """And what is no word of `on_error`."""
    with pytest.raises(ValueError, match="at least one provider"):
        fan()
    with pytest.raises(ValueError, match="got 'retry'"):
        fan(Script(), on_error="retry")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
