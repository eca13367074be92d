"""A wrapped stream as a run: where it stands among others, who sees it, and what it may stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sideband import Run, callbacks, current_run, detached, handler, observe
from sideband.components import ChatModelOutput, Message
from sideband.errors import HandlerRefusedError
from sideband.generation import Frame, GenerateStartInfo, wrap_stream
from sideband.streams import Stream, from_iterable
from sideband.testing import Recorder, check_lifecycle, check_stream

from .helpers import TEXT, USED, WHOLE, Noting, Source, read


async def test_a_generation_is_a_run_that_every_handler_sees() -> None:
    """Of kind ChatModel, named after its model; its output is the answer."""
    recorder = Recorder()

    with callbacks(recorder):
        async with observe("outer"):
            await read(wrap_stream(Source(WHOLE).stream, model="m", provider="openai"))
    check_lifecycle(recorder)

    run = recorder.run("m")
    assert (run.component, run.type, run.parent) == ("ChatModel", "openai", recorder.run("outer"))
    assert run.output == ChatModelOutput(Message.assistant("ab"), USED, "stop", "m-1", "r-1")
    assert run.usage == USED
    assert isinstance(run.input, GenerateStartInfo)


async def test_runs_inside_of_the_provider_are_inside_of_the_generation() -> None:
    """What the provider's code does is a child of it; the consumer is outside."""
    inside: list[Run | None] = []

    async def provider() -> AsyncIterator[Frame]:
        inside.append(current_run())
        yield Frame.text("a")

    async for _ in wrap_stream(provider(), Noting(), model="m"):
        assert current_run() is None

    assert [run.name for run in inside if run] == ["m"]


async def test_a_hook_for_one_stream_is_inside_of_those_of_the_scope() -> None:
    """An onion: starts from outside in, all else from inside out. Given twice, it is called once."""
    calls: list[tuple[object, ...]] = []
    outer, inner = Noting("outer", calls), Noting("inner", calls)

    with callbacks(outer):
        await read(wrap_stream(Source(TEXT[:1]).stream, inner, model="m"))
        names = [call[:2] for call in calls]
        calls.clear()
        await read(wrap_stream(Source(TEXT[:1]).stream, outer, model="m"))

    assert names == [
        ("outer", "start"), ("inner", "start"), ("inner", "frame"), ("outer", "frame"), ("inner", "end"), ("outer", "end"),
    ]  # fmt: skip
    assert [call[:2] for call in calls] == [("outer", "start"), ("outer", "frame"), ("outer", "end")]


async def test_a_hook_for_one_stream_sees_no_other() -> None:
    """Not even one that its provider reads."""
    hook = Noting()

    async def provider() -> AsyncIterator[Frame]:
        async for frame in wrap_stream(Source(TEXT).stream, model="inner"):
            yield frame

    with detached():
        await read(wrap_stream(provider(), hook, model="outer"))

    assert hook.names == ["start", "frame", "frame", "end"]


async def test_a_hook_for_one_stream_is_called_also_where_that_is_a_part_of_another() -> None:
    """It was given for this one: a tool loop's round, say, whose generation is the one around it."""
    whole, part = Noting(), Noting()

    async def provider() -> AsyncIterator[Frame]:
        async for frame in wrap_stream(Source(TEXT[:1]).stream, part, model="inner"):
            yield frame

    await read(wrap_stream(provider(), whole, model="outer"))

    assert (whole.started.model, part.started.model) == ("outer", "inner")
    assert whole.frames == part.frames == TEXT[:1]


async def test_any_handler_can_be_given_for_one_stream() -> None:
    """A hook is only one of the things that can be attached; what is none is refused at once."""
    chunks: list[Frame] = []

    await read(wrap_stream(Source(WHOLE).stream, handler(on_chunk=lambda _, c: chunks.append(c)), model="m"))

    assert chunks == WHOLE
    with pytest.raises(HandlerRefusedError):
        wrap_stream(Source([]).stream, 3, model="m")  # type: ignore[arg-type]


async def test_any_asynchronous_iterable_of_frames_will_do() -> None:
    """A `Stream`, for instance, which is no generator; closed unread it closes its source."""
    hook, source = Noting(), Source(WHOLE)

    assert await read(wrap_stream(from_iterable(WHOLE), hook, model="m")) == WHOLE
    assert hook.frames == TEXT
    async for _ in source.stream:
        break
    await wrap_stream(Stream(source.stream), hook, model="m").aclose()  # type: ignore[attr-defined]
    assert source.closed


async def test_an_iterator_that_cannot_be_closed_is_read_and_left_alone() -> None:
    """Whatever can be pulled is enough, also where it is closed unread."""

    class Bare:
        def __init__(self) -> None:
            self.left = list(TEXT)

        def __aiter__(self) -> AsyncIterator[Frame]:
            return self

        async def __anext__(self) -> Frame:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    hook = Noting()

    assert await read(wrap_stream(Bare(), hook, model="m")) == TEXT
    await wrap_stream(Bare(), hook, model="m").aclose()  # type: ignore[attr-defined]
    assert hook.names == ["start", "frame", "frame", "end"]


async def test_what_is_no_frame_passes_through() -> None:
    """Watching changes nothing: what a source gives, the consumer gets, and hooks read it as well as they can."""
    hook = Noting()
    chunks = ["a", Message.assistant("b"), ChatModelOutput(Message.assistant("c")), 3]
    recorder = Recorder()

    with callbacks(recorder):
        assert await read(wrap_stream(Source(chunks).stream, hook, model="m")) == chunks

    assert hook.frames == [Frame.text("a"), Frame.text("b"), Frame.text("c"), Frame.custom("int", 3)]
    assert recorder.run("m").output == chunks


async def test_it_keeps_the_contract_of_streams() -> None:
    """Read whole, from other tasks, closed early, cancelled at any place: as its source does."""

    def opened() -> AsyncIterator[Frame]:
        return wrap_stream(Source(TEXT).stream, Noting(), model="m")

    await check_stream(opened)
