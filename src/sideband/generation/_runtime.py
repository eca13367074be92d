"""The runtime: a provider with hooks, tools and a pipeline. May import observe, scope, streams and components.

1. Hooks stand at the provider's boundary, the pipeline between them and the consumer.
2. What the whole comes to (usage, response, message) is taken at that boundary too, whatever the pipeline leaves out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, final, overload

from sideband.generation._asking import Answer, told_of
from sideband.generation._fit import Fitted, fit
from sideband.generation._frames import Frame
from sideband.generation._generation_stream import GenerationStream, ValueStream
from sideband.generation._join import FrameJoiner
from sideband.generation._pipeline import Stage
from sideband.generation._provider import Provider, makes_runs, provider_name
from sideband.generation._request import Askable, Request
from sideband.generation._rounds import rounds
from sideband.generation._structured import Wanted
from sideband.generation._toolbox import Approve, Toolbox
from sideband.generation._tools import Tool
from sideband.generation._wrap import WatchedFrames, for_this_run, watch_frames
from sideband.handlers import Entry, HandlerLike, entries

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["Runtime"]

T = TypeVar("T")


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

    makes_runs = True
    __sideband_component__ = True

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
            hooks: generation hooks or any other handlers, of its generations, their tools, and what happens in a
                provider that `makes_runs`, inside of those of the scope.
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
        self.name: str = provider_name(provider)

    @overload
    def generate(self, request: Askable, /, *, hooks: Iterable[HandlerLike] = ()) -> GenerationStream: ...
    @overload
    def generate(
        self,
        request: Askable,
        /,
        *,
        output: type[T] | TypeAdapter[T],
        repairs: int = 0,
        hooks: Iterable[HandlerLike] = (),
    ) -> ValueStream[T]: ...
    @overload
    def generate(
        self, request: Askable, /, *, output: Any, repairs: int = 0, hooks: Iterable[HandlerLike] = ()
    ) -> ValueStream[Any]: ...
    def generate(
        self, request: Askable, /, *, output: Any = None, repairs: int = 0, hooks: Iterable[HandlerLike] = ()
    ) -> Any:
        """Return the answer as a stream; nothing is asked before its first pull.

        With `output` the answer is to be a value: the type's JSON schema goes with the request, and the stream
        has `value()` and `values()`. An answer that is not such a value fails the generation.

        Args:
            request: a text, a message, several, or a `Request`.
            output: what the answer is to be: a model of pydantic, a dataclass, a TypedDict, `list[int]`, a
                Literal, … or a `pydantic.TypeAdapter`.
            repairs: how often the model is told what is wrong with its answer, and asked again.
            hooks: of this generation, inside of those of the runtime.

        Raises:
            TypeError: it cannot be made a request, or the type has no JSON schema.
            ValueError: the request has a schema of its own, or `repairs` is negative.
            HandlerRefusedError: one of the hooks is none.
            MissingExtraError: pydantic, which `output` needs, is not installed.
        """
        if repairs < 0:
            raise ValueError(f"repairs must be 0 or more, got {repairs!r}")
        asked = self._with_tools(Request.of(request))
        own = (*entries(*hooks), *self._own)
        joined = FrameJoiner()
        if output is None:
            frames = self._frames(asked)
            watched = self._watched(frames, own, asked, joined.add)
            return GenerationStream(watched, joined, self._pipeline)
        if asked.response_schema is not None:
            raise ValueError("the request has a response_schema: leave it out, or `output`")
        fitted: Fitted[Any] = Fitted(Wanted(output))
        asked = replace(asked, response_schema=fitted.wanted.schema)
        answers = fit(asked, partial(self._frames, several=repairs > 0), fitted, repairs)
        return ValueStream(self._watched(answers, own, asked, joined.add), joined, self._pipeline, fitted)

    def __call__(self, request: Askable, /) -> GenerationStream:
        """Do as `generate`, so that a runtime stands wherever a function of one argument does, in a graph for instance."""
        return self.generate(request)

    def _frames(self, asked: Request, *, several: bool = False) -> AsyncIterator[Frame]:
        """Return the frames of an answer; one of `several` is a run of its own, as a round with tools is."""
        if asked.tools and self._toolbox.tools:
            return rounds(asked, self._round, self._toolbox, self._max_rounds)
        return self._round(asked) if several else Answer(self._provider, asked)

    def _round(self, request: Request) -> WatchedFrames:
        return self._watched(Answer(self._provider, request), (), request)

    def _watched(
        self,
        frames: AsyncIterator[Frame],
        own: tuple[Entry, ...],
        request: Request,
        record: Callable[[Frame], None] | None = None,
    ) -> WatchedFrames:
        # Where nothing can happen inside that makes runs, there is no need to pay for a scope at each token.
        inside = () if isinstance(frames, Answer) and not makes_runs(self._provider) else own
        return watch_frames(
            frames,
            tuple(map(for_this_run, own)),
            *told_of(self.name, request),
            record=record,
            inside=inside,
        )

    def _with_tools(self, request: Request) -> Request:
        there = {definition.name for definition in request.tools}
        more = [definition for definition in self._toolbox.definitions if definition.name not in there]
        return replace(request, tools=(*request.tools, *more)) if more else request

    def __repr__(self) -> str:
        """Show who is asked."""
        return f"<Runtime {self.name!r}>"
