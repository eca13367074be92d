"""Structured answers, and providers that stand on others, over the embedded model: a real one, over real HTTP."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from sideband.components import Message
from sideband.generation import (
    GenerationTimeoutError,
    Options,
    Request,
    Runtime,
    cache,
    fan,
    race,
    retry,
    sequence,
    timeout,
)
from sideband.providers import LocalModel
from sideband.testing import Recorder, check_lifecycle


class Paint(BaseModel):
    colour: Literal["red", "green", "blue"]
    litres: Annotated[int, Field(ge=1, le=9)]


def asked(text: str) -> Request:
    return Request((Message.user(text),), options=Options(temperature=0, max_tokens=40))


async def test_a_model_writes_values_of_a_type(local_model: LocalModel) -> None:
    """An object, and what is none: its schema has an object at the top."""
    runtime = Runtime(local_model)
    stream = runtime.generate(asked("Order some paint."), output=Paint)
    seen = [one async for one in stream.values()]

    assert isinstance(seen[-1], Paint)
    assert len(seen) > 2
    assert stream.usage.output_tokens > 0
    picked = await runtime.generate(asked("Pick a colour."), output=Literal["red", "blue"]).value()
    assert picked in {"red", "blue"}
    numbers = await runtime.generate(
        asked("Two numbers?"), output=Annotated[list[int], Field(min_length=2, max_length=2)]
    ).value()
    assert len(numbers) == 2


async def test_what_stands_on_a_model_gives_its_answer(local_model: LocalModel) -> None:
    """Through all of them at once, with the runs of a handler in order; the second answer is kept, not asked for."""
    request = asked("Name three colours.")
    plain = await Runtime(local_model).generate(request).text()
    recorder = Recorder()
    provider = cache(race(retry(timeout(sequence(local_model), first_frame=60))), scope=None)
    runtime = Runtime(provider, hooks=[recorder])
    first, second = runtime.generate(request), runtime.generate(request)

    assert (await first.text(), await second.text()) == (plain, plain)
    assert "replayed_output_tokens" not in first.usage.details
    assert second.usage.details["replayed_output_tokens"] == first.usage.output_tokens
    check_lifecycle(recorder)


async def test_a_model_that_takes_too_long_is_stopped(local_model: LocalModel) -> None:
    """And answers the next one."""
    with pytest.raises(GenerationTimeoutError, match="within total"):
        await Runtime(timeout(local_model, total=0.02)).generate(asked("Tell a long story.")).text()

    async with asyncio.timeout(60):
        assert await Runtime(local_model).generate(asked("Say hello.")).text()


async def test_answers_of_a_fan_are_those_of_its_requests(local_model: LocalModel) -> None:
    """Each source gets its own."""
    questions = {"one": asked("Name three colours."), "other": asked("Name three animals.")}
    outputs = await fan(one=local_model, other=local_model).generate(questions).collect()

    assert outputs["one"].message.text
    assert outputs["one"].message.text != outputs["other"].message.text
