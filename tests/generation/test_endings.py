"""However a generation ends, its hooks learn of it once, last, and before the consumer does.

The numbers are those of the statements about Niro's hooks that this keeps, or mends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import Abort, Outcome, callbacks
from sideband.generation import Frame, GenerateStartInfo, TruncatedStream, wrap_stream
from sideband.testing import Recorder, check_lifecycle

from .helpers import RESPONSE, TEXT, USED, WHOLE, Noting, Source, read


def wrapped(source: Source, hook: Noting) -> AsyncGenerator[Frame, None]:
    """Return the stream, which is known to be a generator here."""
    return cast("AsyncGenerator[Frame, None]", wrap_stream(source.stream, hook, model="m"))


class Aborting(Noting):
    """Stops the generation at the second frame."""

    problem = Abort("enough")

    def on_frame(self, frame: Frame, elapsed: float) -> None:
        super().on_frame(frame, elapsed)
        if frame == TEXT[1]:
            raise self.problem


async def test_an_abort_closes_the_provider_and_reaches_the_consumer() -> None:
    """Statements 33 and 34, mended: there is an end, once, and nothing upstream is left open.

    The frame at which it came is not delivered, and its call of a tool not told; those before it are (16).
    """
    hook, source = Aborting(), Source(WHOLE)

    got = []
    with pytest.raises(Abort) as caught:
        async for frame in wrapped(source, hook):
            got.append(frame)

    assert caught.value is hook.problem
    assert got == TEXT[:1]
    assert (source.closed, source.pulled) == (True, 2)
    assert hook.names == ["start", "frame", "frame", "error", "end"]
    assert (hook.ended.error, hook.ended.outcome) == (hook.problem, Outcome.ERROR)


async def test_an_abort_at_the_start_keeps_the_provider_from_being_asked() -> None:
    """The hooks outside of it, which have started, are told; it has not, and is not."""

    class Refusing(Noting):
        def on_generate_start(self, info: GenerateStartInfo) -> None:
            raise Abort("not this one")

    outer, hook, source = Noting(), Refusing(), Source(WHOLE)

    with callbacks(outer), pytest.raises(Abort):
        await read(wrapped(source, hook))

    assert source.pulled == 0
    assert hook.names == []
    assert outer.names == ["start", "error", "end"]


async def test_a_consumer_that_stops_early_ends_it_as_closed() -> None:
    """Statement 38, mended: the end comes with the close, without an error, with the usage so far."""
    hook, source = Noting(), Source([Frame.usage(USED), *TEXT])

    async with contextlib.aclosing(wrapped(source, hook)) as stream:
        async for frame in stream:
            if frame == TEXT[0]:
                break

    assert source.closed
    assert hook.names == ["start", "frame", "end"]
    assert (hook.ended.outcome, hook.ended.error, hook.ended.usage) == (Outcome.CLOSED, None, USED)


async def test_a_cancelled_consumer_ends_it_as_cancelled() -> None:
    """Statement 37, mended: always so, and always with the cancellation."""
    hook = Noting()
    waiting = asyncio.Event()

    async def provider() -> AsyncIterator[Frame]:
        yield TEXT[0]
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(read(wrap_stream(provider(), hook, model="m")))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert hook.names == ["start", "frame", "error", "end"]
    assert hook.ended.outcome is Outcome.CANCELLED
    assert isinstance(hook.ended.error, asyncio.CancelledError)


async def test_a_stream_that_is_dropped_half_read_ends_on_the_spot() -> None:
    """The last resort: its finalizer ends it and warns."""
    hook = Noting()
    stream = wrapped(Source(TEXT), hook)
    await anext(stream)

    with pytest.warns(ResourceWarning, match="dropped half-read"):
        del stream
        gc.collect()

    assert hook.names == ["start", "frame", "end"]
    assert hook.ended.outcome is Outcome.CLOSED
    await asyncio.sleep(0)


async def test_a_stream_that_is_never_pulled_was_no_generation() -> None:
    """Closed unread it closes its source, and no hook hears of it."""
    hook, source = Noting(), Source(TEXT)

    await wrapped(source, hook).aclose()

    assert await read(source.stream) == []
    assert (hook.calls, source.pulled) == ([], 0)


async def test_a_truncated_answer_is_an_error_with_what_came() -> None:
    """A provider that breaks off says so, and the hook learns of it."""
    hook = Noting()

    with pytest.raises(TruncatedStream) as caught:
        await read(wrapped(Source(TEXT, TruncatedStream(TEXT)), hook))

    assert caught.value.output.message.text == "ab"
    assert hook.ended.error is caught.value


async def test_closing_twice_and_reading_on_tell_nothing_more() -> None:
    """Statement 40, mended: the end comes exactly once."""
    hook = Noting()
    stream = wrapped(Source(WHOLE), hook)

    await read(stream)
    await stream.aclose()
    await stream.aclose()
    assert await read(stream) == []

    assert hook.names.count("end") == 1


async def test_a_hook_that_fails_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Statements 17 and 35, mended: in every method, once a generation; the other hooks are told all the same."""

    class Failing(Noting):
        def note(self, *call: Any) -> None:
            super().note(*call)
            raise LookupError

    failing, hook = Failing(), Noting()

    with caplog.at_level(logging.ERROR, "sideband"), callbacks(hook):
        assert await read(wrapped(Source(WHOLE), failing)) == WHOLE

    assert failing.names == hook.names == ["start", "frame", "frame", "end"]
    assert len(caplog.records) == 1


async def test_an_error_method_that_fails_does_not_keep_the_end_from_coming(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The end is promised whatever happens, an `Abort` from there included."""

    class Failing(Noting):
        def on_error(self, error: BaseException) -> None:
            super().on_error(error)
            raise Abort

    hook = Failing()

    with caplog.at_level(logging.ERROR, "sideband"), pytest.raises(LookupError):
        await read(wrapped(Source(TEXT, LookupError()), hook))

    assert hook.names == ["start", "frame", "frame", "error", "end"]
    assert len(caplog.records) == 1


async def test_generations_at_the_same_time_are_told_apart() -> None:
    """Statement 39: one hook sees many, each generation's calls one after the other, under its own id."""
    hook = Noting()

    async def provider(text: str) -> AsyncIterator[Frame]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield Frame.text(text)
        yield RESPONSE

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            name = str(number)
            group.create_task(read(wrap_stream(provider(name), hook, model="m", request_id=name)))

    ended = [call[1] for call in hook.calls if call[0] == "end"]
    assert sorted(info.request_id for info in ended) == [str(number) for number in range(10)]
    assert hook.names.count("frame") == 30


frames = st.sampled_from([*WHOLE, Frame.reasoning("hm"), Frame.custom("mood", 1)])


@given(
    st.lists(frames, max_size=6),
    st.none() | st.just("fail"),
    st.none() | st.integers(0, 6),
    st.integers(0, 3),
)
def test_watching_changes_nothing(
    given_frames: list[Frame], failure: str | None, stop: int | None, hooks: int
) -> None:
    """With no hook, one or several: the same frames, the same exception object, the source closed; one end each."""
    error = LookupError() if failure else None

    async def program(*attached: Noting) -> tuple[list[Frame], BaseException | None, bool]:
        source = Source(given_frames, error)
        got: list[Frame] = []
        caught: BaseException | None = None
        with callbacks(*attached):
            stream = cast("AsyncGenerator[Frame, None]", wrap_stream(source.stream, model="m"))
        try:
            async with contextlib.aclosing(stream):
                with callbacks(*attached):
                    async for frame in stream:
                        if stop is not None and len(got) >= stop:
                            break
                        got.append(frame)
        except LookupError as problem:
            caught = problem
        return got, caught, source.closed

    async def both() -> None:
        bare = await program()
        recorder, noting = Recorder(), [Noting() for _ in range(hooks)]
        with callbacks(recorder):
            assert await program(*noting) == bare
        check_lifecycle(recorder)
        for hook in noting:
            assert hook.names.count("start") == hook.names.count("end") == 1
            assert hook.ended.error is bare[1]

    asyncio.run(both())
