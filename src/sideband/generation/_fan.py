"""Several providers asked at the same time, all of whose frames are given. May import observe and components."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, final

from sideband.components import ChatModelOutput, Usage
from sideband.errors import Abort
from sideband.generation._asking import ask
from sideband.generation._frames import Frame
from sideband.generation._join import FrameJoiner
from sideband.generation._members import labelled
from sideband.generation._provider import Provider
from sideband.generation._request import Askable, Request
from sideband.observe._streamed import ObservedAsyncGenerator
from sideband.runs import Component, RunInfo
from sideband.scope._scope import current_run
from sideband.streams import NamedChunk, merge_named
from sideband.streams._sources import close_source

__all__ = ["Fan", "FanStream", "fan"]

OnError: TypeAlias = Literal["stop", "continue"]


def fan(*providers: Provider, on_error: OnError = "stop", **named: Provider) -> Fan:
    """Ask several providers at the same time, and get all of their frames.

    ```python
    async with fan(small, large).generate("Why is the sky blue?") as stream:
        async for source, frame in stream:
            ...
    ```

    Args:
        providers: those that are asked, labelled with their names.
        on_error: "stop" to close the others when one fails, and raise its error; "continue" to let them end
            first, and then raise the error, or an ExceptionGroup of several.
        named: further ones, with labels of the caller's.

    Raises:
        ValueError: there is no provider, or `on_error` is no such word.
        TypeError: what is given is no provider.
    """
    if on_error not in {"stop", "continue"}:
        raise ValueError(f"on_error is 'stop' or 'continue', got {on_error!r}")
    return Fan(labelled("fan", providers, named), on_error)


@final
class Fan:
    """Several providers that are asked at the same time; made by `fan`."""

    def __init__(self, members: Mapping[str, Provider], on_error: OnError) -> None:
        """Take providers by label."""
        self.name: str = f"fan({', '.join(members)})"
        self._members = members
        self._on_error: OnError = on_error

    def __repr__(self) -> str:
        """Show who is asked."""
        return self.name

    def generate(self, request: Askable | Mapping[str, Askable], /) -> FanStream:
        """Return the frames of all; nothing is asked before the first pull.

        Args:
            request: one for all, or one for each by label.

        Raises:
            ValueError: the labels are not those of the providers.
            TypeError: it cannot be made a request.
        """
        if isinstance(request, Mapping):
            asked = {label: Request.of(one) for label, one in request.items()}
        else:
            asked = dict.fromkeys(self._members, Request.of(request))
        if asked.keys() != self._members.keys():
            raise ValueError(
                f"there are requests for {[*asked]}, but the providers are labelled {[*self._members]}"
            )
        members = {label: (member, asked[label]) for label, member in self._members.items()}
        return FanStream(self.name, members, self._on_error)


@final
class FanStream(AsyncIterator[NamedChunk[Frame]]):
    """The frames of several providers, each with the label of its source.

    It is a run of kind Workflow, with the usage of all; each provider's answer is a generation inside.

    Order: of arrival; of one source, its own.
    Cancellation: goes to all.
    Closing: closes all; no task is left.
    Threads: read it in one task at a time. Each source is pulled in a task of its own, one frame ahead at most.
    """

    __slots__ = ("_errors", "_joined", "_members", "_stream")

    def __init__(self, name: str, members: Mapping[str, tuple[Provider, Request]], on_error: OnError) -> None:
        """Ask nothing yet."""
        self._errors: list[Exception] = []
        self._joined = {label: FrameJoiner() for label in members}
        self._members = members
        value = {label: request for label, (_, request) in members.items()}
        info = RunInfo(Component.WORKFLOW, name, "fan")
        self._stream: ObservedAsyncGenerator[NamedChunk[Frame], None] = ObservedAsyncGenerator(
            info, value, self._chunks(on_error)
        )

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __anext__(self) -> Any:
        """Wait for the next frame: a pair of the source's label and the frame.

        Raises:
            Exception: what a provider failed with; see `fan`.
        """
        return self._stream.__anext__()

    async def aclose(self) -> None:
        """Close all requests; harmless if done before."""
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        """Return the stream; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.aclose()

    @property
    def outputs(self) -> dict[str, ChatModelOutput]:
        """What each answer comes to so far, by label."""
        return {label: joined.output for label, joined in self._joined.items()}

    @property
    def usage(self) -> Usage:
        """What all consumed so far."""
        return sum((joined.usage or Usage() for joined in self._joined.values()), Usage())

    async def collect(self) -> dict[str, ChatModelOutput]:
        """Read what is left, close the stream, and return the answers by label.

        Raises:
            Exception: what a provider failed with; see `fan`.
        """
        async with self:
            async for _ in self:
                pass
        return self.outputs

    async def _chunks(self, on_error: OnError) -> AsyncGenerator[NamedChunk[Frame], None]:
        run = current_run()
        sources = {label: ask(member, request) for label, (member, request) in self._members.items()}
        if on_error == "continue":
            sources = {label: self._lasting(source) for label, source in sources.items()}
        async with merge_named(**sources) as merged:
            async for chunk in merged:
                if isinstance(chunk, NamedChunk):
                    self._joined[chunk.source].add(chunk.chunk)
                    if run is not None and chunk.chunk.kind in {"usage", "response"}:
                        run.usage = self.usage
                    yield chunk
        if self._errors:
            raise (
                self._errors[0] if len(self._errors) == 1 else ExceptionGroup("several failed", self._errors)
            )

    async def _lasting(self, source: AsyncIterator[Frame]) -> AsyncGenerator[Frame]:
        try:
            async for frame in source:
                yield frame
        except Abort:
            raise
        except Exception as error:  # noqa: BLE001 - raised when the others have ended
            self._errors.append(error)
        finally:
            await close_source(source)
