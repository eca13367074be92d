"""Several providers asked for the same, of which the first one answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.generation.helpers import USED, Noting

from sideband import Abort, Handler, Run, callbacks
from sideband.components import Usage
from sideband.generation import Frame, Provider, Request, Runtime, race, retry
from sideband.testing import Recorder, check_lifecycle

from .scripts import ANSWER, DONE, FlakyError, Script, now, read

ASKED = Request.of("go")
SPENT = Usage(input_tokens=9)


def saying(text: str) -> list[Any]:
    return [Frame.text(text), DONE]


async def test_the_first_whole_answer_wins() -> None:
    """Niro, statement 111: of those without an error; the others are cancelled at once, and all usage counts."""
    recorder, hook = Recorder(), Noting()
    quick = Script([1, FlakyError("no")], name="quick")
    slow = Script([2, Frame.usage(SPENT), 2, *saying("slow")], name="slow")
    right = Script([3, *ANSWER], name="right")
    stream = Runtime(race(quick, slow, right), hooks=[recorder, hook]).generate(ASKED)

    assert await stream.collect() == [Frame.usage(SPENT), *ANSWER]
    assert stream.usage == SPENT + USED
    assert now() == 3.0
    assert [provider.open for provider in (quick, slow, right)] == [0, 0, 0]
    outcomes = {run.type: run.outcome for run in recorder.runs() if run.type in {"quick", "slow", "right"}}
    assert outcomes == {"quick": "error", "slow": "cancelled", "right": "ok"}
    (whole,) = [run for run in recorder.runs() if run.type.startswith("race")][1:]
    assert whole.attributes["winner"] == "right"
    assert whole.usage == SPENT + USED
    assert len(recorder.children(whole)) == 3
    assert hook.names == ["start", "frame", "frame", "end"]
    check_lifecycle(recorder)


async def test_the_first_frame_wins_where_that_is_asked_for() -> None:
    """Usage is none; the winner's answer is given as it comes."""
    recorder = Recorder()
    early = Script([1, Frame.text("a"), 5, Frame.text("b"), DONE], name="early")
    whole = Script([0.5, Frame.usage(SPENT), 1.5, *saying("whole")], name="whole")
    with callbacks(recorder):
        stream = race(early, whole, first="frame").generate(ASKED)
        assert [await anext(stream), await anext(stream)] == [Frame.usage(SPENT), Frame.text("a")]
        assert (now(), whole.open) == (1.0, 0)
        got, error = await read(stream)

    assert (got[0].content, error) == ("b", None)
    assert [run.outcome for run in recorder.runs()] == ["ok", "ok", "cancelled"]
    check_lifecycle(recorder)


@pytest.mark.parametrize("first", ["answer", "frame"])
async def test_of_several_at_once_the_one_that_was_named_first_wins(first: Any) -> None:
    """And the others are closed."""
    one, other = Script(saying("one")), Script(saying("other"))
    got, _ = await read(race(one, other, first=first).generate(ASKED))

    assert got == saying("one")
    assert (one.open, other.open) == (0, 0)


async def test_where_all_fail_all_errors_are_raised() -> None:
    """Niro, statement 111: not the last one alone; in the order of the providers, after what was spent."""
    late, soon = FlakyError("late"), FlakyError("soon")
    providers = [Script([2, late]), Script([Frame.usage(SPENT), 1, soon])]
    got, error = await read(race(*providers).generate(ASKED))

    assert got == [Frame.usage(SPENT)]
    assert isinstance(error, ExceptionGroup)
    assert error.exceptions == (late, soon)
    assert await read(race(Script([late])).generate(ASKED)) == ([], late)


async def test_a_race_that_failed_can_be_asked_again() -> None:
    """It is a provider as any other."""
    provider = retry(race(Script([FlakyError("a")], ANSWER), Script([FlakyError("b")], [9])))

    assert await read(provider.generate(ASKED)) == (ANSWER, None)
    assert isinstance(race(Script()), Provider)


def test_a_race_without_entrants_is_refused() -> None:
    """Niro, statement 111: it has no empty answer."""
    with pytest.raises(ValueError, match="at least one provider"):
        race()
    with pytest.raises(TypeError, match="got 3"):
        race(3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="got 'last'"):
        race(Script(), first="last")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("first", ["answer", "frame"])
async def test_cancelling_a_race_cancels_all(first: Any) -> None:
    """Their runs end as cancelled."""
    recorder = Recorder()
    providers = [Script([5, *ANSWER]) for _ in range(3)]
    runtime = Runtime(race(*providers, first=first), hooks=[recorder])
    task = asyncio.create_task(runtime.generate(ASKED).collect())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [provider.open for provider in providers] == [0, 0, 0]
    assert {run.outcome for run in recorder.runs()} == {"cancelled"}
    check_lifecycle(recorder)


@pytest.mark.parametrize("first", ["answer", "frame"])
async def test_closing_a_race_closes_the_winner(first: Any) -> None:
    """In the middle of its answer."""
    provider = Script([ANSWER[0], 5, *ANSWER[1:]])
    async with Runtime(race(provider, Script([9]), first=first)).generate(ASKED) as stream:
        await anext(stream)

    assert provider.open == 0


async def test_an_abort_stops_all() -> None:
    """It is no failure of one entrant."""

    class Stop(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            if run.type == "b":
                raise Abort

    providers = [Script([5, *ANSWER], name="a"), Script([1, *ANSWER], name="b")]
    with callbacks(Stop()):
        got, error = await read(race(*providers).generate(ASKED))

    assert (got, type(error), now()) == ([], Abort, 0.0)
    assert [provider.open for provider in providers] == [0, 0]
