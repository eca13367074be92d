"""What a request is as a run, and how providers that stand on others ask them. May import observe and components."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import fields
from typing import Any, final

from sideband.components import ChatModelInput
from sideband.generation._frames import Frame
from sideband.generation._info import DEFAULT_MODEL, GenerateStartInfo
from sideband.generation._provider import Provider, provider_name
from sideband.generation._request import Options, Request
from sideband.generation._wrap import watch_frames
from sideband.observe import is_component
from sideband.streams._sources import close_source

__all__ = ["Answer", "ask", "told_of"]

_UNSAID = Options()


def ask(provider: Provider, request: Request, told: Mapping[str, Any] | None = None) -> AsyncIterator[Frame]:
    """Return a provider's answer as a run of its own, which those have anyway that observe themselves.

    Args:
        provider: who is asked, at the first pull.
        request: for what.
        told: what handlers are told besides, in the run's `metadata` attribute.
    """
    if is_component(provider):
        return aiter(provider.generate(request))
    info, value = told_of(provider_name(provider), request, told)
    return watch_frames(Answer(provider, request), (), info, value)


def told_of(
    name: str, request: Request, told: Mapping[str, Any] | None = None
) -> tuple[GenerateStartInfo, ChatModelInput]:
    """Return what hooks are told of a generation at its start, and the input of its run."""
    info = GenerateStartInfo(
        provider=name,
        model=request.model or DEFAULT_MODEL,
        messages=len(request.messages),
        tools=len(request.tools),
        request_id=request.request_id or "",
        function_id=request.function_id,
        metadata={**request.metadata, **told} if told else request.metadata,
    )
    return info, ChatModelInput(request.messages, request.tools, request.tool_choice, _options(request))


def _options(request: Request) -> dict[str, Any]:
    said = {"model": request.model} if request.model else {}
    for option in fields(request.options):
        value = getattr(request.options, option.name)
        if value != getattr(_UNSAID, option.name):
            said[option.name] = value
    return said


@final
class Answer(AsyncIterator[Frame]):
    """A provider's stream, which is asked for at its first pull: inside of the generation's run."""

    __slots__ = ("_provider", "_request", "_source")

    def __init__(self, provider: Provider, request: Request) -> None:
        """Ask nothing yet."""
        self._provider = provider
        self._request = request
        self._source: AsyncIterator[Frame] | None = None

    def __anext__(self) -> Any:
        """Return the next frame."""
        source = self._source
        if source is None:
            self._source = source = aiter(self._provider.generate(self._request))
        return anext(source)

    @property
    def ag_running(self) -> bool:
        """Whether the generator is being read, as generators tell it."""
        return bool(getattr(self._source, "ag_running", False))

    async def aclose(self) -> None:
        """Close the provider's stream, if it was asked for."""
        if self._source is not None:
            await close_source(self._source)
