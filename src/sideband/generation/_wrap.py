"""A stream of frames as a run. May import observe and what is below, and components.

1. A generation is a run of kind ChatModel, made, fired and ended by `observe`, as every other.
2. What its frames say of the whole is recorded on the run as they pass, whoever listens.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from typing import Any, cast, final

from sideband.components import Usage
from sideband.generation._adapter import is_whole
from sideband.generation._frames import CACHED, RESTART, Frame, ResponseMeta
from sideband.generation._info import DEFAULT_MODEL, GenerateStartInfo
from sideband.generation._join import Told, join_frames
from sideband.handlers import Entry, HandlerLike, Listeners, entries
from sideband.observe._stream_run import StreamedRun, join
from sideband.observe._streamed import ObservedAsyncGenerator
from sideband.runs import Component, Run, RunInfo
from sideband.scope._scope import current_scope, listeners_with
from sideband.streams._sources import close_source, iterator_of

__all__ = ["WatchedFrames", "for_this_run", "watch_frames", "wrap_stream"]


def wrap_stream(
    source: AsyncIterable[Frame],
    hook: HandlerLike | None = None,
    *,
    model: str,
    provider: str = "",
    start: float | None = None,
    messages: int = 0,
    tools: int = 0,
    request_id: str | None = None,
    function_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> AsyncIterator[Frame]:
    """Make a provider's stream of frames a generation that hooks and handlers see.

    Its run is of kind ChatModel, named after the model, of the provider's type. Usage frames are added up in
    `run.usage`, filled with what the response says; both reach the consumer.

    Args:
        source: any asynchronous iterable of frames; nothing is pulled before the consumer pulls.
        hook: a `GenerationHook`, or any handler, for this stream alone, inside of those of the scope.
        model: what is asked for; empty for the provider's default.
        provider: who is asked.
        start: when the generation started, a reading of `time.perf_counter()`; by default at the first pull.
        messages: how many the request has.
        tools: how many tools the request offers.
        request_id: the caller's name of the request; the run's id by default.
        function_id: the caller's name of what asks.
        metadata: what the caller wants hooks to see, over that of the scope.

    Returns:
        `source` itself where nobody listens when this is called; else a stream that is an asynchronous context
        manager, too, and has `aclose`. Who listens at its first pull is told.

    Order: a frame is told to hooks before the consumer has it, the end before the consumer learns of it.
    Cancellation: goes to the source, and ends the run as cancelled.
    Closing: closes the source, also if it was never pulled. A stream that is dropped half-read ends its run and
        warns (ResourceWarning).
    Threads: read it in one task at a time.
    Cost: no task, no queue, no frame read ahead; about 1 µs a frame with one hook.

    Raises:
        HandlerRefusedError: the hook is none.
        ValueError: `start` is no reading of `time.perf_counter()`, but later than now.
    """
    own = () if hook is None else tuple(map(for_this_run, entries(hook)))
    if listeners_with(own) is None:
        return cast("AsyncIterator[Frame]", source)
    asked = GenerateStartInfo(
        provider=provider,
        model=model or DEFAULT_MODEL,
        messages=messages,
        tools=tools,
        request_id=request_id or "",
        function_id=function_id,
        metadata={} if metadata is None else metadata,
    )
    return watch_frames(source, own, asked, asked, start=start)


def for_this_run(entry: Entry) -> Entry:
    """Return a handler that is called also where the generation is a part of another: it was given for this one."""
    return entry._replace(conditions=tuple(one for one in entry.conditions if one.when is not is_whole))


def watch_frames(
    source: AsyncIterable[Frame],
    own: tuple[Entry, ...],
    asked: GenerateStartInfo,
    value: Any,
    *,
    start: float | None = None,
    record: Callable[[Frame], None] | None = None,
    inside: tuple[Entry, ...] = (),
) -> WatchedFrames:
    """Return a stream of frames as a generation, for whoever knows more of it than its counts.

    Args:
        source: the frames.
        own: handlers of this generation alone.
        asked: what hooks are told at the start; an empty `request_id` stands for the run's id.
        value: the run's input.
        start: when it started, a reading of `time.perf_counter()`.
        record: given each frame as it passes, watched or not, before hooks are; it must not raise.
        inside: handlers of what happens while the frames are made.

    Raises:
        ValueError: `start` is later than now.
    """
    if start is not None and start > time.perf_counter():
        raise ValueError(
            f"start={start!r} is later than now; it has to be a reading of time.perf_counter(), in seconds"
        )
    return WatchedFrames(source, own, asked, value, start=start, record=record, inside=inside)


@final
class WatchedFrames(ObservedAsyncGenerator[Frame, None]):
    """A stream of frames that is watched if somebody listens at its first pull."""

    __slots__ = ("_asked", "_inside", "_own", "_record", "_start")

    def __init__(
        self,
        source: AsyncIterable[Frame],
        own: tuple[Entry, ...],
        asked: GenerateStartInfo,
        value: Any,
        *,
        start: float | None,
        record: Callable[[Frame], None] | None,
        inside: tuple[Entry, ...],
    ) -> None:
        """Take a source that has not been pulled."""
        info = RunInfo(Component.CHAT_MODEL, asked.model, asked.provider)
        iterator = cast("AsyncGenerator[Frame, None]", iterator_of(source))
        super().__init__(info, value, iterator, _joined)
        self._asked = asked
        self._inside = inside
        self._own = own
        self._record = record
        self._start = start

    def _found(self) -> Listeners | None:
        found = listeners_with(self._own)
        if found is None and self._record is not None:
            self._source = _recorded(self._source, self._record)
        return found

    def _begin(self, found: Listeners) -> StreamedRun:
        streamed = super()._begin(found)
        run, asked = streamed.run, self._asked
        if self._inside:
            streamed.scope = current_scope.get().with_inner(self._inside)
        if self._start is not None:
            run.started_at -= run._t0 - self._start
            run._t0 = self._start
        run.attributes.update(
            provider=asked.provider,
            model=asked.model,
            messages=asked.messages,
            tools=asked.tools,
            function_id=asked.function_id,
            metadata=asked.metadata,
            time_to_first_frame=None,
        )
        if asked.request_id:
            run.attributes["request_id"] = asked.request_id
        streamed.takers = (_Notes(run, self._record).take,)
        return streamed

    def aclose(self) -> Any:
        """Close the stream, also a source that is no generator; the run ends as closed unless it has ended."""
        return close_source(self._unpulled())


async def _recorded(
    source: AsyncIterator[Frame], record: Callable[[Frame], None]
) -> AsyncGenerator[Frame, None]:
    try:
        async for frame in source:
            record(frame)
            yield frame
    finally:
        await close_source(source)


@final
class _Notes:
    """Records on a run what its frames say of the whole."""

    __slots__ = ("_begun", "_record", "_run", "_told")

    def __init__(self, run: Run, record: Callable[[Frame], None] | None) -> None:
        self._begun = False
        self._record = record
        self._run = run
        self._told = Told()

    def take(self, frame: Any) -> None:
        # Called for each frame, whatever the source gives: it must not raise.
        kind = getattr(frame, "kind", None)
        if self._record is not None and kind is not None:
            self._record(frame)
        if kind == "text" and self._begun:
            return
        run = self._run
        if kind == "usage" and isinstance(frame.content, Usage):
            self._told.use(frame.content)
            run.usage = self._told.usage
        elif kind == "response" and isinstance(frame.content, ResponseMeta):
            self._respond(run, frame.content)
        elif not self._begun:
            self._begun = True
            run.attributes["time_to_first_frame"] = run.elapsed
        if kind == "control" and frame.content == RESTART:
            self._respond(run, None)

    def _respond(self, run: Run, response: ResponseMeta | None) -> None:
        """Record a response in place of the one before, whose answer is void if there is none."""
        told = self._told
        before, used = told.response or ResponseMeta(), told.usage
        if response is None:
            told.restart()
        told.response = response
        said = response or ResponseMeta()
        # What frames never said is not theirs to take back: a provider may have recorded it on the run itself.
        if used is not None or told.usage is not None:
            run.usage = told.usage
        for name, was, word in (
            ("response_model", before.model, said.model),
            ("finish_reason", before.finish_reason, said.finish_reason),
            ("response_id", before.id, said.id),
        ):
            if was is not None or word is not None:
                run.attributes[name] = word
        if said.metadata.get(CACHED) is True:
            run.attributes[CACHED] = True


def _joined(frames: list[Any]) -> Any:
    """Put the frames of a generation together; whatever else a source gives, as its own kind is."""
    return join(frames, join_frames) if all(isinstance(frame, Frame) for frame in frames) else join(frames)
