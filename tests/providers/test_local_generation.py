"""The embedded model through the official SDKs: real HTTP, real server-sent events, real tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import pytest

from sideband.components import ChatModelOutput, Message, ToolDefinition
from sideband.generation import (
    AuthenticationError,
    ContextTooLongError,
    Options,
    ProviderConnectionError,
    Request,
    Runtime,
    join_frames,
)
from sideband.providers import LocalModel, load
from sideband.providers._sdk import SdkProvider
from sideband.providers.anthropic import Anthropic
from sideband.providers.openai import OpenAI, OpenAIResponses

WEATHER = ToolDefinition(
    "get_weather",
    "Tell the weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
QUESTION = Message.user("How is the weather in Rome today?")
SURE = Options(temperature=0, max_tokens=24)


@pytest.fixture(params=["openai", "openai-responses", "anthropic"])
async def provider(request: pytest.FixtureRequest, local_model: LocalModel) -> AsyncIterator[SdkProvider]:
    """Give each adapter whose protocol the embedded model speaks."""
    base_url = local_model.anthropic_url if request.param == "anthropic" else local_model.openai_url
    made = await asyncio.to_thread(
        load, request.param, local_model.model, base_url=base_url, api_key=local_model.api_key
    )
    async with cast("SdkProvider", made) as provider:
        yield provider


async def answer(provider: Any, *messages: Message, **more: Any) -> ChatModelOutput:
    """Ask and return the whole answer."""
    given: dict[str, Any] = {"options": SURE, **more}
    request = Request(messages, **given)
    return join_frames([frame async for frame in provider.generate(request)])


async def test_the_same_question_gets_the_same_answer(provider: SdkProvider) -> None:
    """At temperature 0, in pieces whose number is that of the tokens written, or fewer."""
    request = Request((Message.user("Name three colours."),), options=SURE)
    first = [frame async for frame in provider.generate(request)]
    second = [frame async for frame in provider.generate(request)]
    output = join_frames(first)

    assert output.message == join_frames(second).message
    assert output.message.text
    assert output.usage is not None
    assert 1 < sum(frame.kind == "text" for frame in first) <= output.usage.output_tokens <= 24
    assert output.usage.input_tokens > 0
    assert output.model == provider.model


async def test_all_protocols_give_one_answer(local_model: LocalModel) -> None:
    """The text, the usage and the finish reason do not depend on the protocol."""
    key, model = local_model.api_key, local_model.model
    chat = await asyncio.to_thread(OpenAI, model, base_url=local_model.openai_url, api_key=key)
    responses = await asyncio.to_thread(OpenAIResponses, model, base_url=local_model.openai_url, api_key=key)
    messages = await asyncio.to_thread(Anthropic, model, base_url=local_model.anthropic_url, api_key=key)
    outputs = []
    for provider in (chat, responses, messages):
        async with provider:
            outputs.append(
                await answer(provider, Message.system("Be brief."), Message.user("What is the sea?"))
            )

    assert len({output.message.text for output in outputs}) == 1
    assert len({output.usage.output_tokens for output in outputs if output.usage}) == 1


async def test_an_answer_that_is_cut_off_says_so(provider: SdkProvider) -> None:
    """The finish reason is "length", whatever the protocol calls it."""
    output = await answer(
        provider, Message.user("Tell me a story."), options=Options(temperature=0, max_tokens=5)
    )

    if not isinstance(provider, OpenAIResponses):  # this server says "completed" there
        assert output.finish_reason == "length"
    assert output.usage is not None
    assert output.usage.output_tokens == 5


async def test_a_tool_is_called(provider: SdkProvider) -> None:
    """Real fragments of a real call, in each protocol's own events."""
    called = await answer(provider, QUESTION, tools=(WEATHER,), options=Options(temperature=0, max_tokens=60))
    (call,) = called.message.tool_calls

    assert called.finish_reason == "tool_calls"
    assert (call.name, call.parsed) == ("get_weather", {"city": "Rome"})


async def test_a_runtime_executes_the_tools_that_the_model_asks_for(local_model: LocalModel) -> None:
    """The whole loop with a real model: its call, our function, its answer."""
    cities: list[str] = []

    def get_weather(city: str) -> str:
        """Tell the weather in a city."""
        cities.append(city)
        return "Rain all day, 12 degrees."

    runtime = Runtime(local_model, tools=[get_weather])
    text = await runtime.generate(Request((QUESTION,), options=Options(temperature=0, max_tokens=40))).text()

    assert cities == ["Rome"]
    assert "rain" in text.lower()


async def test_an_answer_fits_its_schema(local_model: LocalModel) -> None:
    """The server holds the model to the schema, token by token; in OpenAI's older protocol only."""
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}, "count": {"type": "integer", "maximum": 9}},
        "required": ["colour", "count"],
        "additionalProperties": False,
    }
    output = await answer(local_model, Message.user("Pick a colour."), response_schema=schema)

    picked = json.loads(output.message.text)
    assert picked["colour"] in {"red", "blue"}
    assert isinstance(picked["count"], int)


async def test_a_conversation_that_is_too_long_is_refused(provider: SdkProvider) -> None:
    """The error is of its own kind, with the server's as cause."""
    with pytest.raises(ContextTooLongError) as caught:
        await answer(provider, Message.user("word " * 3_000))

    assert caught.value.status == 400
    assert caught.value.__cause__ is not None


async def test_a_stream_closed_early_frees_the_model(provider: SdkProvider) -> None:
    """A long answer that nobody wants any more holds up no other."""
    long = Request(
        (Message.user("Tell a very long story."),), options=Options(temperature=0, max_tokens=1_500)
    )
    async with aclosing(provider.generate(long)) as frames:
        async for frame in frames:
            if frame.kind == "text":
                break

    output = await asyncio.wait_for(answer(provider, Message.user("Say hello.")), 15)
    assert output.message.text


async def test_a_wrong_key_is_refused(local_model: LocalModel) -> None:
    """The server knows its own key only."""
    provider = await asyncio.to_thread(OpenAI, "any", base_url=local_model.openai_url, api_key="wrong")
    async with provider:
        with pytest.raises(AuthenticationError):
            await answer(provider, Message.user("Say hello."))


async def test_the_model_itself_is_a_provider() -> None:
    """It starts at the first pull, goes by its own name in errors, and ends with the block."""
    async with LocalModel(context=256) as model:
        output = await answer(model, Message.user("Say hello."))
        with pytest.raises(ContextTooLongError, match=r"^local: "):
            await answer(model, Message.user("word " * 300))
    unstarted = load("local", context=256)
    assert unstarted.model == "smollm2-135m-instruct"
    try:
        assert (await answer(unstarted, Message.user("Say hello."))).message.text == output.message.text
    finally:
        await unstarted.aclose()

    assert output.message.text
    assert "not running" in repr(unstarted)


async def test_a_model_that_dies_while_it_answers_is_a_lost_connection() -> None:
    """The next question starts it again."""
    async with LocalModel(context=512) as model:
        request = Request(
            (Message.user("Tell a very long story."),), options=Options(temperature=0, max_tokens=400)
        )
        with pytest.raises((EOFError, ProviderConnectionError)):
            async for frame in model.generate(request):
                if frame.kind == "text":
                    assert model._process is not None
                    model._process._popen.kill()
                    await asyncio.to_thread(model._process._popen.wait)

        assert (await answer(model, Message.user("Say hello."))).message.text


def test_a_model_may_be_asked_on_one_loop_after_another() -> None:
    """Its connections are those of the loop that runs."""

    async def ask(model: LocalModel) -> str:
        return (await answer(model, Message.user("Say hello."))).message.text

    with LocalModel(context=256, prompt_cache=False) as model:
        assert asyncio.run(ask(model)) == asyncio.run(ask(model)) != ""
