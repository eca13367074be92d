"""Facts of generations that hold over several modules.

The numbers are those of the statements about Niro's hooks that this keeps, or decides anew.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from typing import Any

import pytest

from sideband import Handler, Run, callbacks, current_run, metadata, observe, only
from sideband.components import Message, ToolCall, ToolDefinition, ToolResult, Usage
from sideband.generation import (
    RESTART,
    Frame,
    GenerationHook,
    ProviderError,
    Request,
    ResponseMeta,
    Runtime,
    Tool,
    fan,
    join_frames,
    map_frames,
    race,
    retry,
    sequence,
    tap_frames,
    text_only,
)
from sideband.handlers import HandlerLike
from sideband.streams import Pipe, Stream, from_iterable, pipe
from sideband.testing import Recorder

from .helpers import TEXT, USED, WHOLE, Noting, Source, read
from .toolkit import Model, add, call, results_of


class Told:
    """A provider that tells of its steps."""

    name = "told"

    def __init__(self, steps: list[str], frames: list[Frame]) -> None:
        self.steps = steps
        self.source = Source(frames)

    def generate(self, request: Request) -> AsyncIterator[Frame]:
        self.steps.append("asked")
        return self.source.stream


async def test_messages_are_counted_as_the_request_has_them() -> None:
    """Statement 9, decided anew: instructions are a message as any other."""
    hook = Noting()
    request = Request((Message.system("Be brief."), Message.user("Why?")))

    await Runtime(Told([], WHOLE), hooks=[hook]).generate(request).text()

    assert hook.started.messages == 2


async def test_a_generation_goes_from_the_request_to_the_consumer_in_one_order() -> None:
    """Statement 41: what is no request is refused before any of it."""
    steps: list[str] = []

    class Stepping(Noting):
        def note(self, *call: Any) -> None:
            steps.append(f"hook: {call[0]}")

    runtime = Runtime(
        Told(steps, TEXT[:1]), hooks=[Stepping()], pipeline=[tap_frames(lambda frame: steps.append("stage"))]
    )
    with pytest.raises(TypeError, match="a request is a text"):
        runtime.generate(3)  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
    assert steps == []

    async for _ in runtime.generate("a"):
        steps.append("consumer")

    assert steps == ["hook: start", "asked", "hook: frame", "stage", "consumer", "hook: end"]


FIRST = ResponseMeta("m-0", "length", "r-0", Usage(input_tokens=5))
AGAIN = Frame.control(RESTART)


@pytest.mark.parametrize(
    ("frames", "said", "tokens"),
    [
        ([Frame.response(FIRST), *WHOLE], ("m-1", "stop", "r-1"), 3),
        ([Frame.response(FIRST), Frame.response(ResponseMeta("m-1"))], ("m-1", None, None), 0),
        ([Frame.response(FIRST), Frame.usage(USED)], ("m-0", "length", "r-0"), 3),
        ([TEXT[0], Frame.response(FIRST), AGAIN, TEXT[1]], (None, None, None), 5),
        ([Frame.response(FIRST), AGAIN, *WHOLE], ("m-1", "stop", "r-1"), 8),
        ([Frame.response(FIRST), AGAIN, Frame.response(FIRST)], ("m-0", "length", "r-0"), 10),
    ],
)
async def test_of_several_responses_the_last_one_counts(
    frames: list[Frame], said: tuple[str | None, ...], tokens: int
) -> None:
    """Statement 63: wherever among the frames it comes, for hooks and for the consumer; with its usage, unless the
    answer began anew in between: that was consumed as well.
    """
    hook = Noting()
    stream = Runtime(Told([], frames), hooks=[hook]).generate(Request.of("a"))
    await stream.collect()

    for output in (stream.output, join_frames(frames)):
        assert (output.model, output.finish_reason, output.id) == said
        assert (output.usage or Usage()).input_tokens == tokens
    ended = hook.ended
    assert (ended.model, ended.finish_reason, ended.response_id) == (said[0] or "(default)", *said[1:])
    assert ended.usage.input_tokens == tokens


async def test_a_generation_knows_what_it_belongs_to() -> None:
    """Statements 99 and 100, decided anew: ids are made where none are given, and are the same in every event, in the
    provider, and below retry; what a block says of user and session is there, too.
    """
    hook = Noting()
    seen: list[Run | None] = []

    class Looking(Told):
        def generate(self, request: Request) -> AsyncIterator[Frame]:
            seen.append(current_run())
            return super().generate(request)

    with callbacks(Recorder()), metadata(user="Ada", session="s-1"), observe("agent") as agent:
        await Runtime(retry(Looking([], WHOLE)), hooks=[hook]).generate("a").text()

    (attempt,) = seen
    assert attempt is not None
    generation = attempt.parent
    assert generation is not None
    assert (generation.parent, attempt.trace_id) == (agent, agent.trace_id)
    assert hook.started.request_id == hook.ended.request_id == generation.id
    assert (
        hook.started.metadata == hook.ended.metadata == attempt.metadata == {"user": "Ada", "session": "s-1"}
    )


@pytest.mark.parametrize("combine", [fan, race, sequence])
async def test_each_of_several_is_told_as_one_generation(combine: Callable[..., Any]) -> None:
    """Statement 122: one start and one end, whatever its tools took, for its own hooks; a loser of a race has its end, too."""
    hooks = [Noting(), Noting()]
    members: list[Runtime] = []
    for hook, name in zip(hooks, "ab", strict=True):
        model = Model([call("add", '{"a": 1}')])
        model.name = name
        members.append(Runtime(model, tools=[add], hooks=[hook]))

    await read(combine(*members).generate(Request.of("go")))

    for hook in hooks:
        assert (hook.names[0], hook.names[-1]) == ("start", "end")
        assert (hook.names.count("start"), hook.names.count("end")) == (1, 1)
        assert hook.ended.outcome in {"ok", "closed", "cancelled"}
    assert "ok" in {hook.ended.outcome for hook in hooks}


async def test_what_is_sent_on_says_all_that_it_said() -> None:
    """Statement 65, decided anew: usage and response are frames, so whoever sends frames on loses neither."""
    ends: Pipe[Frame] = pipe(len(WHOLE))
    async with ends.writer:
        async for frame in from_iterable(WHOLE):
            await ends.writer.send(frame)

    sent = await ends.reader.collect()
    assert join_frames(sent) == join_frames(WHOLE)
    mixed = [Frame.reasoning("hm"), *sent, Frame.tool_call(ToolCall("c", "look"))]
    assert await Runtime(Told([], mixed)).generate("a").text() == "ab"


def test_the_defaults_need_no_tuning() -> None:
    """Statement 67: eight rounds, eight tools at a time, half a minute for each; nothing below 1 stands for a default."""
    defaults = {
        name: one.default
        for made in (Runtime, Tool)
        for name, one in inspect.signature(made).parameters.items()
    }
    expected = {"max_rounds": 8, "max_parallel_tools": 8, "timeout": 30.0}

    assert {name: defaults[name] for name in expected} == expected
    with pytest.raises(ValueError, match="max_rounds must be 1 or more, got 0"):
        Runtime(Model(), max_rounds=0)
    with pytest.raises(ValueError, match="max_parallel_tools must be 1 or more, got 0"):
        Runtime(Model(), max_parallel_tools=0)


@pytest.mark.parametrize("good", [0, 1])
async def test_an_error_of_the_provider_comes_out_of_the_stream_in_any_round(good: int) -> None:
    """Statement 68: also in the first one; no request at all is refused at once."""
    hook, error = Noting(), ProviderError("gone")

    class Failing(Model):
        async def generate(self, request: Request) -> AsyncIterator[Frame]:
            if len(self.asked) == good:
                raise error
            async for frame in super().generate(request):
                yield frame

    runtime = Runtime(Failing([call("add", '{"a": 1}')]), tools=[add], hooks=[hook])
    with pytest.raises(TypeError, match="got None"):
        runtime.generate(None)  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
    stream = runtime.generate("go")
    with pytest.raises(ProviderError) as caught:
        await stream.collect()

    assert caught.value is error
    assert hook.ended.error is error
    assert len(stream.tool_results) == good


async def test_tools_can_be_executed_one_at_a_time_in_the_order_of_their_calls() -> None:
    """Statement 71: with a limit of one, each begins when the one before has ended."""
    steps: list[str] = []

    async def step(name: str) -> None:
        steps.append(f"{name} begins")
        await asyncio.sleep(0)
        steps.append(f"{name} ends")

    calls = [call("step", f'{{"name": "{name}"}}', name) for name in "ab"]
    await results_of(Runtime(Model(calls), tools=[step], max_parallel_tools=1))

    assert steps == ["a begins", "a ends", "b begins", "b ends"]


async def test_hooks_are_told_of_results_that_the_consumer_does_not_get() -> None:
    """Statement 77, decided anew: what the consumer gets is up to the pipeline, which hooks stand before."""
    hook = Noting()

    stream = Runtime(
        Model([call("add", '{"a": 1}', "c")]), tools=[add], hooks=[hook], pipeline=[text_only]
    ).generate("go")

    assert {frame.kind async for frame in stream} == {"text"}
    assert [told[1] for told in hook.calls if told[0] == "result"] == [ToolResult("c", "add", 2)]
    assert hook.names.count("call") == 1


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (call("add", '{"a": 1}'), ["call", "start", "approve", "add", "end", "result"]),
        (call("add", '{"a": 3}'), ["call", "start", "approve", "error", "result"]),
        (call("add", "{}"), ["call", "start", "error", "result"]),
        (call("nope"), ["call", "start", "error", "result"]),
    ],
)
async def test_a_call_is_executed_in_one_order(asked: ToolCall, expected: list[str]) -> None:
    """Statements 84, 85 and 86, decided anew: hooks hear of every call and its result, whatever keeps it from execution."""
    steps: list[str] = []

    class Calls(GenerationHook):
        def on_tool_call(self, call: ToolCall) -> None:
            steps.append("call")

        def on_tool_result(self, result: ToolResult, elapsed: float) -> None:
            steps.append("result")

    class Runs(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            steps.append("start")

        def on_error(self, run: Run, error: BaseException) -> None:
            steps.append("error")

        def on_end(self, run: Run, output: Any) -> None:
            steps.append("end")

    def approve(asked: ToolCall) -> bool:
        steps.append("approve")
        return bool(asked.parsed["a"] == 1)

    async def adding(a: int) -> int:
        steps.append("add")
        return a

    hooks: list[HandlerLike] = [Calls(), only(Runs(), component="Tool")]
    await results_of(Runtime(Model([asked]), tools=[Tool(adding, name="add")], hooks=hooks, approve=approve))

    assert steps == expected


async def test_tools_of_a_runtime_are_offered_behind_those_of_the_request() -> None:
    """Statement 91, decided anew: in the order given, and a request's own description of one of them counts."""
    model = Model()

    def zero() -> None: ...

    mine = (ToolDefinition("own"), ToolDefinition("add", "as the request describes it"))
    await Runtime(model, tools=[zero, add]).generate(Request((Message.user("go"),), tools=mine)).collect()

    assert model.asked[0].tools == (*mine, Tool(zero).definition)


async def test_who_executes_a_call_asks_for_approval_once() -> None:
    """Statement 92, decided anew: of two runtimes with the same tool the inner one does, and asks its own approver."""
    asked: list[str] = []

    def approver(name: str) -> Callable[[ToolCall], bool]:
        def approve(call: ToolCall) -> bool:
            asked.append(f"{name}: {call.id}")
            return True

        return approve

    inner = Runtime(Model([call("add", '{"a": 1}', "c")]), tools=[add], approve=approver("inner"))
    results = await results_of(Runtime(inner, tools=[add], approve=approver("outer")))

    assert asked == ["inner: c"]
    assert results == [ToolResult("c", "add", 2)]


async def test_stages_read_nothing_ahead_and_have_no_task() -> None:
    """Statement 105, decided anew: three of them are as far as the consumer is."""
    provider = Told([], TEXT)
    tasks = len(asyncio.all_tasks())
    stages = [map_frames(lambda frame: frame), text_only, tap_frames(lambda frame: None)]

    async with Runtime(provider, pipeline=stages).generate("a") as stream:
        assert await anext(stream) is TEXT[0]
        assert (provider.source.pulled, len(asyncio.all_tasks())) == (1, tasks)


async def test_without_stages_the_frames_are_the_providers_own() -> None:
    """Statement 105: the same objects."""
    frames = await Runtime(Told([], WHOLE)).generate("a").collect()

    assert all(got is given for got, given in zip(frames, WHOLE, strict=True))


async def test_frames_are_shown_by_kind_as_they_pass() -> None:
    """Statement 108: thoughts apart from text; usage is not lost by it, and the frames reach the consumer."""
    shown: dict[str, list[Any]] = {}
    frames = [Frame.reasoning("hm"), *WHOLE, Frame.custom("mood", 1)]

    stream = Runtime(
        Told([], frames),
        pipeline=[tap_frames(lambda frame: shown.setdefault(frame.kind, []).append(frame.content))],
    ).generate("a")

    assert await stream.collect() == frames
    assert (shown["reasoning"], shown["text"]) == (["hm"], ["a", "b"])
    assert stream.usage == USED


async def test_what_fails_where_frames_are_shown_ends_the_stream() -> None:
    """Statement 108: a stage of one's own that has work at a clean end fails it in the same way."""
    error = LookupError("full")

    async def closing(frames: Stream[Frame]) -> AsyncGenerator[Frame]:
        async for frame in frames:
            yield frame
        raise error

    def show(frame: Frame) -> None:
        raise error

    def shown(frames: Stream[Frame]) -> AsyncIterable[Frame]:
        return tap_frames(show)(frames)

    for stage, came in ((closing, WHOLE), (shown, [])):
        got: list[Frame] = []
        with pytest.raises(LookupError) as caught:
            async for frame in Runtime(Told([], WHOLE), pipeline=[stage]).generate("a"):
                got.append(frame)
        assert caught.value is error
        assert got == came
