"""The runtime: a provider with hooks and a pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest

from sideband import Abort, callbacks, component, current_run
from sideband.components import ChatModelInput, Message, ToolCall, Usage
from sideband.errors import HandlerRefusedError
from sideband.generation import (
    Frame,
    GenerateStartInfo,
    GenerationHook,
    Options,
    Provider,
    ProviderError,
    Request,
    Runtime,
    accumulate_text,
    filter_frames,
    map_frames,
    tap_frames,
    text_only,
)
from sideband.testing import Recorder, check_lifecycle

from .helpers import RESPONSE, TEXT, USED, WHOLE, Noting
from .toolkit import add

CALL = Frame.tool_call(ToolCall("c", "look"))


class Scripted:
    """A provider that gives what it is told to, and remembers what it was asked."""

    name = "scripted"

    def __init__(self, *answer: Frame | BaseException) -> None:
        self.answer = answer or WHOLE
        self.asked: list[Request] = []
        self.closed = 0

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        self.asked.append(request)
        try:
            for frame in self.answer:
                if isinstance(frame, BaseException):
                    raise frame
                yield frame
        finally:
            self.closed += 1


async def test_an_answer_is_frames_and_what_they_come_to() -> None:
    """Complete at the end, whoever watches: Niro, statement 57."""
    stream = Runtime(Scripted()).generate("hello")

    assert [frame async for frame in stream] == WHOLE
    assert stream.usage == USED
    assert stream.response == RESPONSE.content
    assert stream.message == Message.assistant("ab")
    assert (stream.output.finish_reason, stream.output.usage) == ("stop", USED)


async def test_the_text_of_an_answer_is_had_at_once() -> None:
    """Which reads and closes the stream."""
    provider = Scripted()

    assert await Runtime(provider).generate("hello").text() == "ab"
    assert provider.asked == [Request((Message.user("hello"),))]
    assert provider.closed == 1


async def test_nothing_is_asked_before_the_first_pull() -> None:
    """Closing an unread stream asks nothing either."""
    provider = Scripted()

    async with Runtime(provider).generate("hello"):
        pass

    assert provider.asked == []


async def test_hooks_are_told_who_was_asked_for_what() -> None:
    """Niro, statement 3: every field is filled, who asks among them, statement 109.

    Statement 10: with the tools that the runtime adds.
    """
    hook = Noting()

    def look() -> None: ...

    request = Request((Message.user("a"),), "m", request_id="q", function_id="f", metadata={"user": "u"})
    await Runtime(Scripted(), hooks=[hook], tools=[look]).generate(request).text()

    assert hook.started == GenerateStartInfo(
        provider="scripted",
        model="m",
        messages=1,
        tools=1,
        request_id="q",
        function_id="f",
        metadata={"user": "u"},
    )
    assert hook.names == ["start", "frame", "frame", "end"]


async def test_hooks_of_a_call_are_inside_of_those_of_the_runtime_and_the_scope() -> None:
    """Each sees the generation once."""
    calls: list[tuple[Any, ...]] = []
    mine, its, scopes = (Noting(name, calls) for name in ("call", "runtime", "scope"))

    with callbacks(scopes):
        await Runtime(Scripted(), hooks=[its]).generate("a", hooks=[mine]).text()

    assert [name for name, what, *_ in calls if what == "start"] == ["scope", "runtime", "call"]
    assert [name for name, what, *_ in calls if what == "end"] == ["call", "runtime", "scope"]


async def test_what_is_no_hook_is_refused_before_anything_is_asked() -> None:
    """With the runtime, and with the call."""
    with pytest.raises(HandlerRefusedError):
        Runtime(Scripted(), hooks=[3])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    with pytest.raises(HandlerRefusedError):
        Runtime(Scripted()).generate("a", hooks=[3])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]


async def test_a_variable_that_a_hook_sets_at_the_start_is_seen_by_the_providers_call() -> None:
    """Also where the provider does its work in the call itself, not in the stream."""
    trace: ContextVar[str] = ContextVar("trace", default="")
    seen: list[str] = []

    class Setting(GenerationHook):
        def on_generate_start(self, info: GenerateStartInfo) -> None:
            trace.set("t-1")

    class Eager:
        def generate(self, request: Request) -> AsyncIterator[Frame]:
            seen.append(trace.get())
            return Scripted().generate(request)

    await Runtime(Eager(), hooks=[Setting()]).generate("a").text()

    assert seen == ["t-1"]
    assert trace.get() == ""


async def test_a_provider_that_fails_in_its_call_fails_the_generation() -> None:
    """Niro, statement 43: the start, the error, the end, and the exception for the consumer."""
    error = ProviderError("refused")

    class Failing:
        def generate(self, request: Request) -> AsyncIterator[Frame]:
            raise error

    hook = Noting()
    with pytest.raises(ProviderError) as raised:
        await Runtime(Failing(), hooks=[hook]).generate("a").text()

    assert raised.value is error
    assert hook.names == ["start", "error", "end"]


async def test_an_answer_that_fails_in_the_middle_keeps_what_came() -> None:
    """Its usage so far, and its message."""
    stream = Runtime(Scripted(TEXT[0], Frame.usage(USED), ProviderError("cut"))).generate("a")

    with pytest.raises(ProviderError):
        await stream.collect()

    assert stream.usage == USED
    assert stream.message.text == "a"
    assert stream.response is None


async def test_an_abort_closes_the_provider_and_reaches_the_consumer() -> None:
    """The frame does not."""
    provider = Scripted()

    class Stop(GenerationHook):
        def on_frame(self, frame: Frame, elapsed: float) -> None:
            if frame.content == "b":
                raise Abort

    stream = Runtime(provider, hooks=[Stop()]).generate("a")

    assert await anext(stream) == TEXT[0]
    with pytest.raises(Abort):
        await anext(stream)
    assert provider.closed == 1


@pytest.mark.parametrize("watch", [False, True])
async def test_a_stream_closed_early_closes_the_provider(watch: bool) -> None:
    """Through all stages of a pipeline."""
    provider, recorder = Scripted(), Recorder()
    stages = [map_frames(lambda frame: frame), accumulate_text, text_only]

    async with Runtime(provider, hooks=[recorder] if watch else [], pipeline=stages[:1]).generate(
        "a"
    ) as stream:
        await anext(stream)

    assert provider.closed == 1
    check_lifecycle(recorder)
    assert [run.outcome for run in recorder.runs()] == ["closed"] * watch


async def test_a_cancelled_consumer_cancels_the_provider() -> None:
    """The run ends as cancelled."""
    recorder, begun = Recorder(), asyncio.Event()

    class Hanging:
        async def generate(self, request: Request) -> AsyncIterator[Frame]:
            begun.set()
            await asyncio.Event().wait()
            yield Frame.text("never")

    task = asyncio.create_task(Runtime(Hanging(), hooks=[recorder]).generate("a").text())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    check_lifecycle(recorder)
    assert recorder.run().outcome == "cancelled"


async def test_a_run_has_the_request_as_its_input() -> None:
    """As the values of its kind; the consumer is outside of the run."""
    recorder = Recorder()

    request = Request((Message.user("a"),), "m", options=Options(temperature=0.5, stop=("x",)))
    stream = Runtime(Scripted(), hooks=[recorder]).generate(request)
    await anext(stream)
    assert current_run() is None
    await stream.aclose()

    said = {"model": "m", "temperature": 0.5, "stop": ("x",)}
    assert recorder.run().input == ChatModelInput((Message.user("a"),), options=said)


async def test_a_runtime_stands_wherever_a_provider_can() -> None:
    """Niro, statement 46: the inner generation is a part of the outer runtime's, with the same name."""
    hook = Noting()
    inner = Runtime(Scripted())
    assert isinstance(inner, Provider)

    with callbacks(hook):
        assert await Runtime(inner).generate("a").text() == "ab"

    assert hook.names == ["start", "frame", "frame", "end"]
    assert hook.started.provider == "scripted"


@pytest.mark.parametrize("tools", [False, True])
async def test_hooks_of_a_runtime_see_what_happens_in_a_provider_that_says_so(tools: bool) -> None:
    """In a provider with `makes_runs`, at each of its steps; the consumer's scope stays its own."""

    @component("Retriever")
    def look_up() -> None: ...

    class Looking:
        makes_runs = True

        async def generate(self, request: Request) -> AsyncIterator[Frame]:
            look_up()
            yield Frame.text("a")
            look_up()
            yield RESPONSE

    recorder = Recorder()
    stream = Runtime(Looking(), hooks=[recorder], tools=[add] if tools else []).generate("a")
    async for _ in stream:
        look_up()

    assert len(recorder.runs("look_up")) == 2
    assert all(run.parent is not None for run in recorder.runs("look_up"))
    check_lifecycle(recorder)


async def test_hooks_of_an_inner_runtime_see_its_generation() -> None:
    """Niro, statement 104: each runtime's hooks see what that runtime asks."""
    outer, inner = Noting(), Noting()

    await Runtime(Runtime(Scripted(), hooks=[inner]), hooks=[outer]).generate("a").text()

    assert outer.names == inner.names == ["start", "frame", "frame", "end"]


# -- pipelines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([], [*TEXT, CALL, RESPONSE]),
        ([text_only], TEXT),
        ([accumulate_text], [CALL, RESPONSE, Frame.text("ab")]),
        ([filter_frames(lambda frame: frame.kind == "tool_call")], [CALL]),
        ([map_frames(lambda frame: Frame.text("x")), accumulate_text], [Frame.text("xxxx")]),
        ([tap_frames(lambda frame: None), text_only], TEXT),
    ],
)
async def test_a_pipeline_stands_between_hooks_and_consumer(stages: list[Any], expected: list[Frame]) -> None:
    """Niro, statements 44 and 45: hooks see the provider's frames, and usage and response are not lost."""
    hook = Noting()
    frames = [*TEXT, CALL, RESPONSE]

    stream = Runtime(Scripted(*frames), hooks=[hook], pipeline=stages).generate("a")

    assert await stream.collect() == expected
    assert hook.frames == frames[:-1]
    assert stream.response == RESPONSE.content
    assert stream.message.tool_calls == (CALL.content,)


async def test_nothing_is_accumulated_of_nothing() -> None:
    """Niro, statement 106: without text there is no frame of text."""
    assert await Runtime(Scripted(RESPONSE), pipeline=[accumulate_text]).generate("a").collect() == [RESPONSE]


async def test_a_stage_that_fails_closes_the_provider() -> None:
    """Niro, statement 107: the consumer gets its error, and nothing is left open."""
    provider = Scripted()

    def fail(frame: Frame) -> Frame:
        raise LookupError

    with pytest.raises(LookupError):
        await Runtime(provider, pipeline=[map_frames(fail)]).generate("a").collect()

    assert provider.closed == 1


async def test_usage_without_any_is_zero() -> None:
    """Where neither frames nor response say anything."""
    stream = Runtime(Scripted(TEXT[0])).generate("a")
    await stream.collect()

    assert stream.usage == Usage()
