"""Several providers asked one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from tests.generation.helpers import USED, Noting

from sideband.components import Message, Usage
from sideband.generation import Frame, Request, ResponseMeta, Runtime, sequence
from sideband.testing import Recorder, check_lifecycle

from .scripts import ANSWER, DONE, FlakyError, Script, now, read

ASKED = Request((Message.system("be brief"), Message.user("go")), response_schema={"type": "object"})
DRAFT: list[Any] = [1, Frame.text("dra"), Frame.text("ft"), Frame.response(ResponseMeta("d", usage=USED))]


async def test_each_is_asked_with_the_text_of_the_one_before() -> None:
    """Niro, statement 112: the last one's frames are given live, and what the others consumed is not lost."""
    recorder, hook = Recorder(), Noting()
    first, last = Script(DRAFT, name="first"), Script([1, ANSWER[0], 1, *ANSWER[1:]], name="last")
    stream = Runtime(sequence(first, last), hooks=[recorder, hook]).generate(ASKED)

    assert await anext(stream) == Frame.usage(USED)
    assert (await anext(stream), now()) == (ANSWER[0], 2.0)
    assert await stream.collect() == ANSWER[1:]
    assert stream.message.text == "ab"
    assert stream.usage == USED + USED
    assert first.asked[0].messages == ASKED.messages
    assert first.asked[0].response_schema is None
    assert last.asked[0].messages == (Message.system("be brief"), Message.user("draft"))
    assert last.asked[0].response_schema == {"type": "object"}
    whole = recorder.runs()[1]
    assert [run.type for run in recorder.children(whole)] == ["first", "last"]
    assert whole.usage == USED + USED
    assert hook.names == ["start", "frame", "frame", "end"]
    check_lifecycle(recorder)


async def test_the_next_request_is_the_callers_to_make() -> None:
    """Of the first request and the text."""
    first, last = Script(DRAFT), Script(ANSWER)
    made = sequence(first, last, following=lambda request, text: f"{request.messages[-1].text}: {text}")
    await read(made.generate(ASKED))

    assert last.asked == [Request.of("go: draft")]


async def test_one_that_fails_fails_the_whole() -> None:
    """Nobody after it is asked, and what it had consumed counts."""
    error = FlakyError("no")
    told = Frame.usage(Usage(input_tokens=1))
    first, last = Script([told, error]), Script(ANSWER)

    assert await read(sequence(first, last).generate(ASKED)) == ([told], error)
    assert last.asked == []


async def test_a_sequence_of_one_is_that_one() -> None:
    """As it is asked."""
    provider = Script(ANSWER)

    assert await read(sequence(provider).generate(ASKED)) == (ANSWER, None)
    assert provider.asked == [ASKED]


@pytest.mark.parametrize("pulls", [1, 2])
async def test_closing_a_sequence_closes_the_one_that_is_asked(pulls: int) -> None:
    """The first or the last."""
    first, last = Script([Frame.usage(USED), *DRAFT]), Script([ANSWER[0], 5, DONE])
    recorder = Recorder()
    async with Runtime(sequence(first, last), hooks=[recorder]).generate(ASKED) as stream:
        for _ in range(pulls):
            await anext(stream)

    assert (first.open, last.open) == (0, 0)
    check_lifecycle(recorder)


def test_a_sequence_of_none_is_refused() -> None:
    """Niro, statement 112: it has no empty stream."""
    with pytest.raises(ValueError, match="at least one provider"):
        sequence()
