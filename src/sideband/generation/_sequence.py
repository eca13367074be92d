"""Several providers asked one after the other, each with what the one before said. May import observe and components."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from typing import final

from sideband.components import Message
from sideband.generation._asking import ask, told_of
from sideband.generation._frames import Frame
from sideband.generation._join import FrameJoiner
from sideband.generation._members import labelled
from sideband.generation._provider import Provider
from sideband.generation._request import Askable, Request
from sideband.generation._wrap import watch_frames
from sideband.streams._sources import close_source

__all__ = ["sequence"]

Next = Callable[[Request, str], Askable]


def _with_text(request: Request, text: str) -> Request:
    instructions = [message for message in request.messages if message.role == "system"]
    return replace(request, messages=(*instructions, Message.user(text)))


def sequence(*providers: Provider, following: Next = _with_text) -> Provider:
    """Make a provider that asks several in turn, each with the text of the one before.

    It is a run of kind ChatModel; each provider's answer is a run inside. Usage is that of all: what each but the
    last one consumed comes as one frame when it has ended.

    Args:
        providers: the first is asked as the request says, the last one's frames are given as they come. Only the
            last one is held to the request's `response_schema`.
        following: makes the next request of the first one and the text that was said; by default the text
            takes the place of all messages but the instructions.

    Order: nobody is asked before the one before has ended.
    Cancellation, closing: go to the one that is being asked. One that fails fails the whole.
    Threads: as the providers.

    Raises:
        ValueError: there is no provider.
        TypeError: what is given is no provider.
    """
    return _Sequence(labelled("sequence", providers, {}), following)


@final
class _Sequence:
    """Several providers as the last one of them."""

    __sideband_component__ = True
    makes_runs = True

    def __init__(self, members: dict[str, Provider], following: Next) -> None:
        self.name = f"sequence({', '.join(members)})"
        self._members = [*members.values()]
        self._following = following

    def __repr__(self) -> str:
        return self.name

    def generate(self, request: Request, /) -> AsyncIterator[Frame]:
        info, value = told_of(self.name, request)
        return watch_frames(self._frames(request), (), info, value)

    async def _frames(self, request: Request) -> AsyncGenerator[Frame]:
        asked = request
        for member in self._members[:-1]:
            source = ask(member, replace(asked, response_schema=None))
            said = FrameJoiner()
            try:
                async for frame in source:
                    said.add(frame)
            except Exception:
                if said.usage is not None:  # it is spent
                    yield Frame.usage(said.usage)
                raise
            finally:
                await close_source(source)
            if said.usage is not None:
                yield Frame.usage(said.usage)
            asked = Request.of(self._following(request, said.value.text))
        source = ask(self._members[-1], asked)
        try:
            async for frame in source:
                yield frame
        finally:
            await close_source(source)
