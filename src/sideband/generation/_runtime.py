"""The runtime: a provider with hooks, tools and a pipeline. May import observe, scope, streams and components.

1. Hooks stand at the provider's boundary, the pipeline between them and the consumer.
2. What the whole comes to (usage, response, message) is taken at that boundary too, whatever the pipeline leaves out.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import fields, replace
from types import TracebackType
from typing import Any, Self, final

from sideband.components import ChatModelInput, ChatModelOutput, Message, ToolResult, Usage
from sideband.generation._frames import Frame, ResponseMeta
from sideband.generation._info import DEFAULT_MODEL, GenerateStartInfo
from sideband.generation._join import FrameJoiner
from sideband.generation._pipeline import Stage
from sideband.generation._provider import Provider, provider_name
from sideband.generation._request import Askable, Options, Request
from sideband.generation._rounds import rounds
from sideband.generation._toolbox import Approve, Toolbox
from sideband.generation._tools import Tool
from sideband.generation._wrap import WatchedFrames, watch_frames
from sideband.handlers import Entry, HandlerLike, entries
from sideband.observe._bound import Bound
from sideband.scope._scope import current_scope
from sideband.streams import Stream
from sideband.streams._sources import close_source

__all__ = ["GenerationStream", "Runtime"]

_UNSAID = Options()


@final
class Runtime:
    """Asks a provider, lets hooks see the answer, executes the tools that it asks for.

    ```python
    runtime = Runtime(provider, hooks=[hook], tools=[weather])
    async with runtime.generate("Will it rain in Lisbon?") as stream:
        async for frame in stream:
            ...
    ```

    A runtime is a provider itself, and can stand wherever one can.

    Order: hooks see a frame before the consumer; tools are executed after their calls were seen.
    Cancellation: goes to the provider and to the tools that are being executed.
    Threads: one runtime serves any number of tasks at once.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        hooks: Iterable[HandlerLike] = (),
        tools: Iterable[Tool | Callable[..., Any]] = (),
        pipeline: Iterable[Stage] = (),
        approve: Approve | None = None,
        max_rounds: int = 8,
        max_parallel_tools: int = 8,
    ) -> None:
        """Put a runtime together.

        Args:
            provider: who answers.
            hooks: generation hooks or any other handlers, of its generations and all that happens in them, inside of
                those of the scope.
            tools: tools, or functions that are to be tools, which are offered with each request and executed.
            pipeline: stages between the provider's frames and the consumer, the first one first.
            approve: asked before a tool is executed: true, or false or a reason.
            max_rounds: how often the model may be asked for one answer.
            max_parallel_tools: how many tools are executed at the same time.

        Raises:
            HandlerRefusedError: one of the hooks is none.
            TypeError: a function cannot be a tool.
            ValueError: a number is below 1, or two tools have one name.
            MissingExtraError: a tool's schema needs pydantic, which is not installed.
        """
        if max_rounds < 1:
            raise ValueError(f"max_rounds must be 1 or more, got {max_rounds!r}")
        self._provider = provider
        self._own: tuple[Entry, ...] = entries(*hooks)
        self._toolbox = Toolbox(tools, approve=approve, max_parallel=max_parallel_tools)
        self._pipeline = tuple(pipeline)
        self._max_rounds = max_rounds
        self.name = provider_name(provider)

    def generate(self, request: Askable, /, *, hooks: Iterable[HandlerLike] = ()) -> GenerationStream:
        """Return the answer as a stream; nothing is asked before its first pull.

        Args:
            request: a text, a message, several, or a `Request`.
            hooks: of this generation, inside of those of the runtime.

        Raises:
            TypeError: it cannot be made a request.
            HandlerRefusedError: one of the hooks is none.
        """
        asked = self._with_tools(Request.of(request))
        own = (*entries(*hooks), *self._own)
        if asked.tools and self._toolbox.tools:
            scope = current_scope.get().with_inner(own)

            def ask(one: Request) -> AsyncIterable[Frame]:
                return Bound(self._watched(self._answer(one), (), one), ((current_scope, scope),))

            frames: AsyncIterator[Frame] = rounds(asked, ask, self._toolbox, scope, self._max_rounds)
        else:
            frames = self._answer(asked)
        joined = FrameJoiner()
        return GenerationStream(self._watched(frames, own, asked, joined.add), joined, self._pipeline)

    def _answer(self, request: Request) -> AsyncIterator[Frame]:
        return _Answer(self._provider, request)

    def _watched(
        self,
        frames: AsyncIterator[Frame],
        own: tuple[Entry, ...],
        request: Request,
        record: Callable[[Frame], None] | None = None,
    ) -> WatchedFrames:
        told = GenerateStartInfo(
            provider=self.name,
            model=request.model or DEFAULT_MODEL,
            messages=len(request.messages),
            tools=len(request.tools),
            request_id=request.request_id or "",
            function_id=request.function_id,
            metadata=request.metadata,
        )
        value = ChatModelInput(request.messages, request.tools, request.tool_choice, _options(request))
        return watch_frames(frames, own, told, value, record=record)

    def _with_tools(self, request: Request) -> Request:
        there = {definition.name for definition in request.tools}
        more = [definition for definition in self._toolbox.definitions if definition.name not in there]
        return replace(request, tools=(*request.tools, *more)) if more else request

    def __repr__(self) -> str:
        """Show who is asked."""
        return f"<Runtime {self.name!r}>"


def _options(request: Request) -> dict[str, Any]:
    said = {"model": request.model} if request.model else {}
    for option in fields(request.options):
        value = getattr(request.options, option.name)
        if value != getattr(_UNSAID, option.name):
            said[option.name] = value
    return said


@final
class _Answer(AsyncIterator[Frame]):
    """A provider's stream, which is asked for at its first pull: inside of the generation's run."""

    __slots__ = ("_provider", "_pull", "_request", "_source")

    def __init__(self, provider: Provider, request: Request) -> None:
        """Ask nothing yet."""
        self._provider = provider
        self._request = request
        self._source: Any = None
        self._pull: Callable[[], Awaitable[Frame]] = self._first

    def _first(self) -> Awaitable[Frame]:
        self._source = source = aiter(self._provider.generate(self._request))
        self._pull = source.__anext__
        return self._pull()

    def __anext__(self) -> Any:
        """Return the next frame."""
        return self._pull()

    @property
    def ag_running(self) -> bool:
        """Whether the generator is being read, as generators tell it."""
        return bool(getattr(self._source, "ag_running", False))

    async def aclose(self) -> None:
        """Close the provider's stream, if it was asked for."""
        if self._source is not None:
            await close_source(self._source)


@final
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
