"""A generation with tools: round after round, until the model asks for no more. May import observe, scope, components.

1. A round is a generation inside of the whole: its frames reach the consumer as they come. Its usage comes once, at its
   end; its response is kept, and the last one is that of the whole.
2. Tools are executed between two rounds, after the consumer and its hooks have seen the calls.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from dataclasses import replace
from typing import Any, final

from sideband.components import Message, ToolResult
from sideband.generation._frames import Frame, ResponseMeta
from sideband.generation._join import FrameJoiner
from sideband.generation._request import Request
from sideband.generation._toolbox import Toolbox
from sideband.generation._tools import RoundLimitError
from sideband.runs import Component, Run
from sideband.scope._scope import current_run
from sideband.streams import Stream

__all__ = ["Round", "rounds"]

Ask = Callable[[Request], AsyncIterable[Frame]]


async def rounds(request: Request, ask: Ask, toolbox: Toolbox, limit: int) -> AsyncGenerator[Frame]:
    """Give the frames of all rounds.

    Args:
        request: the first one.
        ask: makes a round's stream of its request.
        toolbox: what executes calls.
        limit: how often the model may be asked.

    Raises:
        RoundLimitError: it still asks for tools after so many answers.
    """
    whole = _whole()
    for number in range(1, limit + 1):
        round_ = Round()
        async with Stream(ask(request)) as stream:
            async for frame in stream:
                if round_.take(frame):
                    yield frame
        message = round_.joined.value
        for frame in round_.end(last=not message.tool_calls):
            yield frame
        if not message.tool_calls:
            return
        if number == limit:
            raise RoundLimitError(limit, message.tool_calls)
        results = await toolbox.execute(message.tool_calls, whole)
        for result in results:
            yield Frame.tool_result(result)
        request = _next(request, message, results)


def _whole() -> Run | None:
    run = current_run()
    if run is None or run.component is not Component.CHAT_MODEL:
        return None
    run.attributes["executes_tools"] = True
    return run


@final
class Round:
    """What one answer of several comes to."""

    __slots__ = ("_response", "joined")

    def __init__(self) -> None:
        """Start without a frame."""
        self.joined = FrameJoiner()
        self._response: ResponseMeta | None = None

    def take(self, frame: Frame) -> bool:
        """Keep a frame; tell whether it goes on at once."""
        self.joined.add(frame)
        if frame.kind == "response":
            self._response = frame.content
        return frame.kind not in {"response", "usage"}

    def end(self, *, last: bool) -> Iterator[Frame]:
        """Give what was kept: the usage, and of the last answer the response."""
        if self.joined.usage is not None:
            yield Frame.usage(self.joined.usage)
        if last and self._response is not None:
            yield Frame.response(replace(self._response, usage=None))


def _next(request: Request, message: Message, results: list[ToolResult]) -> Request:
    """Return the request of the next round: what was said, and what the tools gave."""
    # A model that was forced to call a tool would be forced for ever.
    free = request.tool_choice in {None, "auto", "none"}
    answered: list[Any] = [*request.messages, message, *map(Message.tool, results)]
    return replace(request, messages=tuple(answered), tool_choice=request.tool_choice if free else "auto")
