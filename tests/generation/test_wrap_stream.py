"""A stream of frames as a generation: what hooks see of it, when, and that nothing is changed by it.

The numbers are those of the statements about Niro's hooks that this keeps, or mends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest

from sideband import Outcome, callbacks, handler, metadata
from sideband.components import ToolCall, ToolResult, Usage
from sideband.generation import Frame, GenerateStartInfo, GenerationHook, ResponseMeta, wrap_stream

from .helpers import RESPONSE, TEXT, USED, WHOLE, Noting, Source, read


async def test_without_anybody_listening_it_is_the_source_itself() -> None:
    """Statement 7: no hook costs nothing, not even an object."""
    source = Source(WHOLE)

    assert wrap_stream(source.stream, model="m") is source.stream
    await source.stream.aclose()  # type: ignore[attr-defined]


async def test_each_frame_is_told_to_the_hook_before_the_consumer_has_it() -> None:
    """Statements 20 and 25: frame, then its call of a tool, then the consumer; nothing runs ahead."""
    calls: list[tuple[object, ...]] = []
    call = ToolCall("1", "add", "{}")
    frames = [Frame.text("a"), Frame.tool_call(call), Frame.text("b")]

    async for frame in wrap_stream(Source(frames).stream, Noting("hook", calls), model="m"):
        calls.append(("consumer", frame))

    assert calls[1:-1] == [
        ("hook", "frame", frames[0]),
        ("consumer", frames[0]),
        ("hook", "frame", frames[1]),
        ("hook", "call", call),
        ("consumer", frames[1]),
        ("hook", "frame", frames[2]),
        ("consumer", frames[2]),
    ]


async def test_there_is_no_task_and_nothing_is_read_ahead() -> None:
    """Statement 19, mended: the tap is in the consumer's own pull, so elapsed times have no queue in them (24)."""
    source = Source(TEXT)
    before = asyncio.all_tasks()
    stream = wrap_stream(source.stream, Noting(), model="m")
    pulled = [source.pulled]

    async for _ in stream:
        pulled.append(source.pulled)
        assert asyncio.all_tasks() == before

    assert pulled == [0, 1, 2]


async def test_frames_of_every_kind_are_told() -> None:
    """Statement 21: text, audio, image, video, calls, results, custom, control; reasoning, too."""
    frames = [
        Frame.text("a"),
        Frame.reasoning("hm"),
        Frame.audio(b"1"),
        Frame.image(b"1"),
        Frame.video(b"1"),
        Frame.tool_call(ToolCall("1", "add")),
        Frame.tool_result(ToolResult("1", "add", 3)),
        Frame.custom("mood", 3),
        Frame.control("flush"),
    ]
    hook = Noting()

    assert await read(wrap_stream(Source(frames).stream, hook, model="m")) == frames
    assert hook.frames == frames


async def test_usage_is_for_the_totals_and_the_consumer_and_no_frame_for_hooks() -> None:
    """Statements 22 and 23, the latter mended: hooks see no usage frames, the consumer sees all of them."""
    frames = [Frame.usage(Usage(input_tokens=3)), *TEXT, Frame.usage(Usage(output_tokens=2)), RESPONSE]
    hook = Noting()

    assert await read(wrap_stream(Source(frames).stream, hook, model="m")) == frames
    assert hook.frames == TEXT
    assert hook.ended.usage == USED


async def test_a_usage_frame_without_usage_is_a_frame_like_any() -> None:
    """Statement 22."""
    nothing = Frame("usage", None)
    hook = Noting()

    assert await read(wrap_stream(Source([nothing]).stream, hook, model="m")) == [nothing]
    assert hook.frames == [nothing]
    assert hook.ended.usage == Usage()


async def test_what_the_response_says_of_usage_fills_gaps_and_is_not_added() -> None:
    """Statement 29: fields that are still 0, and details that are not there."""
    told = Usage(input_tokens=3, output_tokens=9, details={"audio": 1, "image": 2})
    frames = [
        Frame.usage(Usage(input_tokens=1, details={"audio": 1})),
        Frame.usage(Usage(input_tokens=2)),
        Frame.response(ResponseMeta(usage=told)),
    ]
    hook = Noting()

    await read(wrap_stream(Source(frames).stream, hook, model="m"))

    usage = hook.ended.usage
    assert (usage.input_tokens, usage.output_tokens) == (3, 9)
    assert usage.details == {"audio": 1, "image": 2}


async def test_elapsed_counts_from_the_start_that_the_caller_gives() -> None:
    """Statement 24: seconds since then, in frames, at the end and for the first frame."""
    times: list[float] = []
    began: list[float] = []

    class Timing(Noting):
        def on_frame(self, frame: Frame, elapsed: float) -> None:
            times.append(elapsed)

    hook = Timing()
    watching = handler(on_start=lambda run, _: began.append(run.started_at))
    with callbacks(watching):
        await read(wrap_stream(Source(WHOLE).stream, hook, model="m", start=time.perf_counter() - 100))

    assert [100 <= one < 160 for one in times] == [True, True]
    assert times == sorted(times)
    assert 100 <= (hook.ended.time_to_first_frame or 0) <= times[0] <= hook.ended.duration
    assert 100 <= time.time() - began[0] < 160


async def test_the_first_frame_is_the_first_that_is_no_usage() -> None:
    """Some providers tell the input's usage before anything is generated."""
    hook, only_usage = Noting(), Noting()
    frames = [Frame.usage(USED), Frame.text("a")]

    await read(wrap_stream(Source(frames).stream, hook, model="m"))
    await read(wrap_stream(Source([Frame.usage(USED)]).stream, only_usage, model="m"))

    assert hook.ended.time_to_first_frame is not None
    assert only_usage.ended.time_to_first_frame is None


async def test_a_start_in_the_future_is_refused() -> None:
    """It is a reading of another clock, most likely, and the error says which is meant."""
    with pytest.raises(ValueError, match=r"start=.* is later than now; .* time\.perf_counter\(\)"):
        wrap_stream(Source([]).stream, Noting(), model="m", start=time.time() + 1e6)


async def test_an_empty_source_starts_and_ends() -> None:
    """Statement 26: no frame is told, no error, and the consumer gets a clean end."""
    hook = Noting()

    assert await read(wrap_stream(Source([]).stream, hook, model="m")) == []
    assert hook.names == ["start", "end"]
    assert (hook.ended.error, hook.ended.outcome) == (None, Outcome.OK)


async def test_the_end_is_told_before_the_consumer_learns_of_it() -> None:
    """Statement 27: also where the hook takes its time, here asynchronously."""
    calls: list[str] = []

    class Slow(GenerationHook):
        async def on_generate_end(self, info: object) -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            calls.append("end")

    await read(wrap_stream(Source(WHOLE).stream, Slow(), model="m"))
    calls.append("consumer")

    assert calls == ["end", "consumer"]


async def test_a_failure_is_told_before_the_consumer_learns_of_it() -> None:
    """Statement 32, mended: the order is that of a clean end."""
    calls: list[str] = []

    class Slow(GenerationHook):
        async def on_error(self, error: BaseException) -> None:
            await asyncio.sleep(0)
            calls.append("error")

        async def on_generate_end(self, info: object) -> None:
            await asyncio.sleep(0)
            calls.append("end")

    with pytest.raises(LookupError):
        await read(wrap_stream(Source(TEXT, LookupError()).stream, Slow(), model="m"))
    calls.append("consumer")

    assert calls == ["error", "end", "consumer"]


async def test_the_start_has_all_that_is_known() -> None:
    """Statements 2 and 3, the latter mended: every field is filled."""
    hook = Noting()

    stream = wrap_stream(
        Source(WHOLE).stream,
        hook,
        model="m",
        provider="openai",
        messages=2,
        tools=1,
        request_id="q-1",
        function_id="f-1",
        metadata={"user": "Ada"},
    )
    await read(stream)

    assert hook.started == GenerateStartInfo(
        provider="openai",
        model="m",
        messages=2,
        tools=1,
        request_id="q-1",
        function_id="f-1",
        metadata={"user": "Ada"},
    )


async def test_the_metadata_of_the_scope_are_seen_under_the_caller_s_own() -> None:
    """What a block says of all its runs, hooks read, too."""
    hook = Noting()

    with metadata(user="Ada", plan="free"):
        await read(wrap_stream(Source([]).stream, hook, model="m", metadata={"plan": "paid"}))

    assert hook.started.metadata == hook.ended.metadata == {"user": "Ada", "plan": "paid"}


async def test_the_end_has_all_that_is_known() -> None:
    """Statements 2 and 28: the model is the one that answered; reason and id are the response's."""
    hook = Noting()

    stream = wrap_stream(
        Source(WHOLE).stream, hook, model="m", provider="openai", messages=2, request_id="q-1"
    )
    await read(stream)

    ended = hook.ended
    assert (ended.provider, ended.model, ended.requested_model) == ("openai", "m-1", "m")
    assert (ended.messages, ended.tools, ended.request_id) == (2, 0, "q-1")
    assert (ended.finish_reason, ended.response_id, ended.usage) == ("stop", "r-1", USED)
    assert (ended.outcome, ended.error) == (Outcome.OK, None)
    assert 0 <= (ended.time_to_first_frame or -1) <= ended.duration


async def test_what_is_not_given_has_a_default_that_says_so() -> None:
    """Statement 11: an empty model reads "(default)"; the request is named by its run, in every event."""
    hook = Noting()
    ids: list[str] = []

    with callbacks(handler(on_start=lambda run, _: ids.extend([run.id, run.name]))):
        await read(wrap_stream(Source([]).stream, hook, model=""))

    assert ids.pop() == "(default)"
    assert hook.started.model == hook.ended.model == "(default)"
    assert [hook.started.request_id] == [hook.ended.request_id] == ids
    assert (hook.ended.provider, hook.ended.function_id, dict(hook.ended.metadata)) == ("", None, {})


async def test_a_failing_source_is_an_error_and_then_an_end() -> None:
    """Statement 30: the consumer gets the very error; the end has it, and what was used so far."""
    error = LookupError("gone")
    frames = [Frame.text("a"), Frame.usage(USED)]
    hook = Noting()
    source = Source(frames, error)

    got = []
    with pytest.raises(LookupError) as caught:
        async for frame in wrap_stream(source.stream, hook, model="m"):
            got.append(frame)

    assert caught.value is error
    assert got == frames
    assert hook.names == ["start", "frame", "error", "end"]
    assert (hook.ended.error, hook.ended.outcome, hook.ended.usage) == (error, Outcome.ERROR, USED)


async def test_what_the_response_said_is_known_also_where_the_source_fails_after_it() -> None:
    """Statement 31, mended."""
    hook = Noting()

    with pytest.raises(LookupError):
        await read(wrap_stream(Source(WHOLE, LookupError()).stream, hook, model="m"))

    assert (hook.ended.model, hook.ended.finish_reason, hook.ended.response_id) == ("m-1", "stop", "r-1")


async def test_a_call_that_fails_at_once_is_an_error_and_then_an_end() -> None:
    """Statement 43: the provider is called at the first pull, inside of the generation."""
    hook = Noting()

    with pytest.raises(LookupError):
        await read(wrap_stream(Source([], LookupError()).stream, hook, model="m"))

    assert hook.names == ["start", "error", "end"]


async def test_a_variable_that_the_start_sets_is_seen_by_the_provider_and_all_hooks() -> None:
    """Statements 1, 4 and 14: and by the consumer never."""
    trace: ContextVar[str] = ContextVar("trace", default="none")
    seen: list[str] = []

    class Setting(GenerationHook):
        def on_generate_start(self, info: GenerateStartInfo) -> None:
            trace.set("set")

        def on_generate_end(self, info: object) -> None:
            seen.append(f"end {trace.get()}")

    async def provider() -> AsyncIterator[Frame]:
        seen.append(f"provider {trace.get()}")
        yield Frame.text("a")
        seen.append(f"provider {trace.get()}")

    async for _ in wrap_stream(provider(), Setting(), model="m"):
        seen.append(f"consumer {trace.get()}")

    assert seen == ["provider set", "consumer none", "provider set", "end set"]
