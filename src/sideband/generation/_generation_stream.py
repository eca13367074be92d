"""What a runtime gives: frames as they come, what they come to, and the value that they are read as.

May import components and streams, and this package's values.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, final

from sideband.components import ChatModelOutput, Message, ToolResult, Usage
from sideband.generation._fit import Fitted
from sideband.generation._frames import Frame, ResponseMeta
from sideband.generation._join import FrameJoiner
from sideband.generation._pipeline import Stage
from sideband.generation._structured import NOTHING
from sideband.generation._wrap import WatchedFrames
from sideband.streams import Stream

__all__ = ["GenerationStream", "ValueStream"]

T = TypeVar("T")


class GenerationStream(AsyncIterator[Frame]):
    """An answer as it comes: frames, and what they come to.

    Closing: `aclose`, or the end of `async with`, closes the request to the provider.
    Threads: read it in one task at a time.
    """

    __slots__ = ("_joined", "_open", "_pull")

    def __init__(self, frames: WatchedFrames, joined: FrameJoiner, pipeline: Iterable[Stage]) -> None:
        """Stand at the end of a pipeline; `joined` is given the frames before it."""
        self._joined = joined
        last: WatchedFrames | Stream[Frame] = frames
        self._open: list[WatchedFrames | Stream[Frame]] = [last]
        for stage in pipeline:
            last = Stream(stage(Stream(last)))
            self._open.append(last)
        self._pull: Callable[[], Awaitable[Frame]] = last.__anext__

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __anext__(self) -> Any:
        """Wait for the next frame.

        Raises:
            ProviderError: the provider gave no answer, or no whole one.
            RoundLimitError: the model still asks for tools after `max_rounds` answers.
            Abort: a hook stopped the generation.
        """
        return self._pull()

    async def aclose(self) -> None:
        """Close the request to the provider; harmless if done before."""
        for stream in reversed(self._open):
            await stream.aclose()

    async def __aenter__(self) -> Self:
        """Return the stream; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.aclose()

    @property
    def usage(self) -> Usage:
        """What was consumed so far; complete at the end of the stream."""
        return self._joined.usage or Usage()

    @property
    def response(self) -> ResponseMeta | None:
        """What the provider said of its answer as a whole; None before it did."""
        return self._joined.response

    @property
    def message(self) -> Message:
        """The provider's message so far; with tools, that of the last round."""
        return self._joined.value

    @property
    def output(self) -> ChatModelOutput:
        """Message, usage and response so far."""
        return self._joined.output

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        """What tools gave so far, of all rounds."""
        return tuple(self._joined.tool_results)

    async def text(self) -> str:
        """Read what is left, close the stream, and return the text that came out of the pipeline."""
        async with self:
            return "".join([frame.content async for frame in self if frame.kind == "text"])

    async def collect(self) -> list[Frame]:
        """Read what is left, close the stream, and return the frames that came out of the pipeline."""
        async with self:
            return [frame async for frame in self]


@final
class ValueStream(GenerationStream, Generic[T]):
    """An answer that is to be a value: its frames, the value as far as it has come, and the value.

    The value is read out of what the model says, whatever a pipeline leaves out.

    Closing, threads: as `GenerationStream`.
    """

    __slots__ = ("_fitted",)

    def __init__(
        self, frames: WatchedFrames, joined: FrameJoiner, pipeline: Iterable[Stage], fitted: Fitted[T]
    ) -> None:
        """Stand at the end of a pipeline; `fitted` gets the value when the answer has ended."""
        super().__init__(frames, joined, pipeline)
        self._fitted = fitted

    async def value(self) -> T:
        """Read what is left, close the stream, and return the value.

        Raises:
            OutputError: the answer is not such a value.
            NoOutputError: (an OutputError) there is none: the model said nothing or refused, or the stream was
                closed before its end.
            ProviderError: the provider gave no answer, or no whole one.
            Abort: a hook stopped the generation.
        """
        async with self:
            async for _ in self:
                pass
        return self._fitted.result(self._joined.value.text)

    async def values(self) -> AsyncGenerator[Any]:
        """Give the value as far as it has come, each time that there is more, and at last the value itself.

        What comes before the end is plain data (mappings, lists, texts, numbers), not of the type that was
        asked for: a half-read object would lack fields that its type promises. Texts come as far as they go;
        a number comes when it is whole.

        Cost: what came is read anew for each frame of text.

        Raises:
            OutputError: the answer is not such a value; as `value`, after what could be read of it.
        """
        seen: Any = NOTHING
        async with self:
            async for frame in self:
                if frame.kind == "text":
                    partial = self._fitted.wanted.partial(self._joined.value.text)
                    if partial is not NOTHING and partial != seen:
                        yield partial
                        seen = partial
        yield self._fitted.result(self._joined.value.text)
