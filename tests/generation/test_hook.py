"""Generation hooks: which of their methods are called for what, and how several are one.

The numbers are those of the statements about Niro's hooks that this keeps, or mends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from sideband import (
    Abort,
    Handler,
    Outcome,
    Run,
    add_global_handler,
    by_component,
    callbacks,
    component,
    current_run,
    observe,
)
from sideband.components import (
    ChatModelInput,
    ChatModelOutput,
    Message,
    ToolCall,
    ToolDefinition,
    ToolResult,
    Usage,
)
from sideband.errors import HandlerRefusedError
from sideband.generation import (
    TOOL_CALL,
    TOOL_RESULT,
    Frame,
    GenerateEndInfo,
    GenerateStartInfo,
    GenerationHook,
    ToolFinished,
    compose,
    wrap_stream,
)
from sideband.handlers import Plan, entries

from .helpers import TEXT, WHOLE, Noting, Source, read

ADD = ToolCall("1", "add", "{}")
SUM = ToolResult("1", "add", 3)


async def test_a_hook_overrides_what_it_needs_and_no_more() -> None:
    """Statements 6 and 18, the latter mended: the methods that do nothing are not even called."""

    class Ends(GenerationHook):
        def __init__(self) -> None:
            self.seen = 0

        def on_generate_end(self, info: GenerateEndInfo) -> None:
            self.seen += 1

    hook = Ends()
    plan = Plan([entry.handler for entry in entries(hook)])

    assert (plan.starts, plan.chunks, plan.events, plan.keeps_output) == ((), (), (), False)
    await read(wrap_stream(Source(WHOLE).stream, hook, model="m"))
    assert hook.seen == 1


async def test_a_hook_that_overrides_nothing_is_harmless() -> None:
    """Statement 6: the base class is the hook that does nothing."""
    assert await read(wrap_stream(Source(WHOLE).stream, GenerationHook(), model="m")) == WHOLE


async def test_a_hook_is_accepted_wherever_a_handler_is() -> None:
    """In the scope of a block, globally, by kind."""
    hook = Noting()

    with callbacks(hook):
        await read(wrap_stream(Source(TEXT).stream, model="m"))
    with add_global_handler(hook):
        await read(wrap_stream(Source(TEXT).stream, model="m"))
    with callbacks(by_component(chat_model=hook)):
        await read(wrap_stream(Source(TEXT).stream, model="m"))

    assert hook.names == ["start", "frame", "frame", "end"] * 3


async def test_runs_of_other_kinds_are_not_for_it() -> None:
    """A hook is for generations."""
    hook = Noting()

    with callbacks(hook):
        async with observe("search", component="Retriever"):
            pass

    assert hook.calls == []


async def test_a_generation_right_inside_of_another_is_a_part_of_it() -> None:
    """A round of a tool loop, an instrumented SDK below an adapter: a hook counts the outer one, once.

    With a tool or an agent in between it is one of its own, inside of the first in time, too: statement 119, without
    a handoff.
    """
    hook = Noting()

    async def rounds() -> AsyncIterator[Frame]:
        async for frame in wrap_stream(Source(TEXT[:1]).stream, model="round"):
            yield frame
        async with observe("ask", component="Tool"):
            await read(wrap_stream(Source([]).stream, model="expert"))

    with callbacks(hook):
        await read(wrap_stream(rounds(), model="whole"))

    models = [(call[0], call[1].model) for call in hook.calls if call[0] in ("start", "end")]
    assert models == [("start", "whole"), ("start", "expert"), ("end", "expert"), ("end", "whole")]
    assert hook.frames == TEXT[:1]


@pytest.mark.parametrize("stream", [False, True])
async def test_any_chat_model_is_a_generation(stream: bool) -> None:
    """Also one that takes messages and gives text, or a message: counts, usage, calls are read from it."""
    hook = Noting()

    @component("ChatModel", name="tiny", type="Local")
    async def streaming(messages: list[Message]) -> AsyncIterator[str]:
        yield "a"

    @component("ChatModel", name="tiny", type="Local")
    async def answering(asked: ChatModelInput) -> ChatModelOutput:
        return ChatModelOutput(
            Message.assistant("a", tool_calls=[ADD]), Usage(output_tokens=1), "tool_calls", "tiny-1", "r"
        )

    with callbacks(hook):
        if stream:
            await read(streaming([Message.user("?"), Message.user("!")]))
        else:
            await answering(ChatModelInput((Message.user("?"),), (ToolDefinition("add"),)))

    assert (hook.started.provider, hook.started.model) == ("Local", "tiny")
    ended = hook.ended
    if stream:
        assert (hook.started.messages, hook.frames) == (2, [Frame.text("a")])
        assert (ended.time_to_first_frame or 0) > 0
    else:
        assert (hook.started.messages, hook.started.tools) == (1, 1)
        assert hook.names == ["start", "call", "end"]
        assert (ended.usage, ended.finish_reason) == (Usage(output_tokens=1), "tool_calls")
        assert (ended.model, ended.requested_model, ended.response_id) == ("tiny-1", "tiny", "r")


async def test_without_an_executor_calls_and_results_come_from_their_frames() -> None:
    """Statement 20: after their frame; a result's time counts from its call."""
    frames = [Frame.tool_call(ADD), Frame.tool_result(SUM), Frame.tool_result(ToolResult("2"))]
    hook = Noting()

    start = time.perf_counter() - 100
    await read(wrap_stream(Source(frames).stream, hook, model="m", start=start))

    assert hook.names == ["start", "frame", "call", "frame", "result", "frame", "result", "end"]
    known, unknown = [call for call in hook.calls if call[0] == "result"]
    assert known[1] == SUM
    assert 0 <= known[2] < 60 < unknown[2]


async def test_an_executor_tells_of_its_calls_itself() -> None:
    """By events, when they happen and how long they took; the frames of the same calls do not tell again."""
    hook = Noting()

    async def loop() -> AsyncIterator[Frame]:
        run = current_run()
        assert run is not None
        run.attributes["executes_tools"] = True
        yield Frame.tool_call(ADD)
        run.emit(TOOL_CALL, ADD)
        run.emit(TOOL_RESULT, ToolFinished(SUM, 0.25))
        run.emit("progress", 1)
        yield Frame.tool_result(SUM)

    await read(wrap_stream(loop(), hook, model="m"))

    assert hook.names == ["start", "frame", "call", "result", "frame", "end"]
    assert ("result", SUM, 0.25) in hook.calls


async def test_a_hook_for_tools_alone_sees_them() -> None:
    """Without wanting frames."""
    seen: list[Any] = []

    class Tools(GenerationHook):
        def on_tool_call(self, call: ToolCall) -> None:
            seen.append(call)

        def on_tool_result(self, result: ToolResult, elapsed: float) -> None:
            seen.append(result)

    frames = [*TEXT, Frame.tool_call(ADD), Frame.tool_result(SUM)]
    await read(wrap_stream(Source(frames).stream, Tools(), model="m"))

    assert seen == [ADD, SUM]


async def test_asynchronous_methods_are_awaited_in_order() -> None:
    """Each before the next, and before the consumer has the frame."""
    calls: list[str] = []

    class Waiting(GenerationHook):
        async def note(self, what: str) -> None:
            await asyncio.sleep(0)
            calls.append(what)

        async def on_generate_start(self, info: GenerateStartInfo) -> None:
            await self.note("start")

        async def on_frame(self, frame: Frame, elapsed: float) -> None:
            await self.note("frame")

        async def on_tool_call(self, call: ToolCall) -> None:
            await self.note("call")

        async def on_error(self, error: BaseException) -> None:
            await self.note("error")
            raise LookupError

        async def on_generate_end(self, info: GenerateEndInfo) -> None:
            await self.note("end")

    source = Source([Frame.tool_call(ADD), *TEXT[:1]], KeyError())
    with pytest.raises(KeyError):
        async for _ in wrap_stream(source.stream, Waiting(), model="m"):
            calls.append("consumer")

    assert calls == ["start", "frame", "call", "consumer", "frame", "consumer", "error", "end"]


async def test_an_abort_of_an_asynchronous_hook_stops_the_generation() -> None:
    """As that of a plain one; the call in the same frame is not told (33)."""
    calls: list[str] = []

    class Stopping(Noting):
        async def on_frame(self, frame: Frame, elapsed: float) -> None:  # type: ignore[override]
            await asyncio.sleep(0)
            raise Abort

        def on_tool_call(self, call: ToolCall) -> None:
            calls.append("call")

    with pytest.raises(Abort):
        await read(wrap_stream(Source([Frame.tool_call(ADD)]).stream, Stopping(), model="m"))

    assert calls == []


def test_composing_drops_what_is_none() -> None:
    """Statement 12: none is None, one is that very hook."""
    hook = Noting()

    assert compose() is None
    assert compose(None, None) is None
    assert compose(None, hook) is hook


def test_composing_refuses_what_is_no_hook() -> None:
    """Statement 8, mended: a hook is told from what only looks like one, and the error says what else there is."""
    with pytest.raises(HandlerRefusedError, match=r"no GenerationHook; sideband\.compose takes any"):
        compose(Noting(), Handler())  # type: ignore[arg-type]


async def test_composed_hooks_are_called_in_the_order_given() -> None:
    """Statement 13: in every method, the end not reversed, the start neither."""
    calls: list[tuple[Any, ...]] = []
    frames = [Frame.tool_call(ADD), Frame.tool_result(SUM)]

    hook = compose(Noting("one", calls), Noting("two", calls))
    with pytest.raises(LookupError):
        await read(wrap_stream(Source(frames, LookupError()).stream, hook, model="m"))

    names = [call[:2] for call in calls]
    expected = ["start", "frame", "call", "frame", "result", "error", "end"]
    assert names == [(hook, name) for name in expected for hook in ("one", "two")]


async def test_composed_hooks_share_what_they_set() -> None:
    """Statement 14: the second sees the variable that the first has set, and the first then that of the second."""
    seen: list[str] = []
    variable: ContextVar[str] = ContextVar("variable", default="")

    class Adding(GenerationHook):
        def __init__(self, letter: str) -> None:
            self.letter = letter

        def on_generate_start(self, info: GenerateStartInfo) -> None:
            variable.set(variable.get() + self.letter)

        def on_generate_end(self, info: GenerateEndInfo) -> None:
            seen.append(variable.get())

    await read(wrap_stream(Source(TEXT).stream, compose(Adding("a"), Adding("b")), model="m"))

    assert seen == ["ab", "ab"]


async def test_all_composed_hooks_see_a_frame_that_one_of_them_aborts_at() -> None:
    """Statements 15 and 16: the first `Abort` wins, and all are told of the error, the one that raised it, too."""
    calls: list[tuple[Any, ...]] = []
    first, second = Abort("first"), Abort("second")

    class Stopping(Noting):
        def __init__(self, name: str, error: Exception) -> None:
            super().__init__(name, calls)
            self.error = error

        def on_frame(self, frame: Frame, elapsed: float) -> None:
            super().on_frame(frame, elapsed)
            raise self.error

    hook = compose(
        Stopping("failing", LookupError()),
        Stopping("one", first),
        Stopping("two", second),
        Noting("last", calls),
    )
    with pytest.raises(Abort) as caught:
        await read(wrap_stream(Source(TEXT).stream, hook, model="m"))

    assert caught.value is first
    hooks = ["failing", "one", "two", "last"]
    assert [call[0] for call in calls if call[1] == "frame"] == hooks
    assert [(call[0], call[2]) for call in calls if call[1] == "error"] == [(name, first) for name in hooks]


async def test_failures_of_composed_hooks_are_logged_together(caplog: pytest.LogCaptureFixture) -> None:
    """None is lost, plain or asynchronous, and the generation goes on."""

    class Failing(GenerationHook):
        def on_frame(self, frame: Frame, elapsed: float) -> None:
            raise LookupError("plain")

    class FailingLater(GenerationHook):
        async def on_frame(self, frame: Frame, elapsed: float) -> None:
            raise KeyError("later")

    hook = compose(FailingLater(), Failing())
    with caplog.at_level(logging.ERROR, "sideband"):
        assert await read(wrap_stream(Source(TEXT).stream, hook, model="m")) == TEXT

    (record,) = caplog.records
    assert record.exc_info is not None
    error = record.exc_info[1]
    assert isinstance(error, ExceptionGroup)
    assert [type(one) for one in error.exceptions] == [KeyError, LookupError]


def test_a_synchronous_generation_is_seen_as_well() -> None:
    """A model in this process, read by a `for`."""
    hook = Noting()

    @component("ChatModel")
    def model(asked: str) -> Iterator[Frame]:
        yield from TEXT

    with callbacks(hook):
        assert list(model("?")) == TEXT

    assert hook.names == ["start", "frame", "frame", "end"]
    assert (hook.started.messages, hook.ended.outcome) == (1, Outcome.OK)


def test_what_a_component_records_on_its_run_reaches_hooks() -> None:
    """Whoever makes runs of chat models by hand fills the same entries."""
    hook = Noting()

    def fill(run: Run) -> None:
        run.attributes.update(response_model="m-2", finish_reason="length", response_id="r-2")
        run.usage = Usage(input_tokens=7)

    with callbacks(hook), observe("m", component="ChatModel", type="openai", input="?") as run:
        fill(run)

    ended = hook.ended
    assert (ended.provider, ended.model, ended.finish_reason) == ("openai", "m-2", "length")
    assert (ended.response_id, ended.usage.input_tokens, ended.messages) == ("r-2", 7, 1)
