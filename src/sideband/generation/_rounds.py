"""A generation with tools: round after round, until the model asks for no more. May import observe, scope, components.

1. A round is a generation inside of the whole: its frames reach the consumer as they come. Its usage comes once, at its
   end; its response is kept, and the last one is that of the whole.
2. Tools are executed between two rounds, after the consumer and its hooks have seen the calls.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import replace
from typing import Any, final

from sideband.components import Message, ToolCall, ToolResult
from sideband.generation._frames import Frame, ResponseMeta
from sideband.generation._join import FrameJoiner
from sideband.generation._request import Request
from sideband.generation._toolbox import Toolbox
from sideband.generation._tools import RoundLimitError
from sideband.runs import Component, Run
from sideband.scope._scope import Scope, current_run, current_scope
from sideband.streams import Stream

__all__ = ["rounds"]

Ask = Callable[[Request], AsyncIterable[Frame]]


async def rounds(
    request: Request, ask: Ask, toolbox: Toolbox, scope: Scope, limit: int
) -> AsyncGenerator[Frame]:
    """Give the frames of all rounds.

    Args:
        request: the first one.
        ask: makes a round's stream of its request.
        toolbox: what executes calls.
        scope: in which tools are executed.
        limit: how often the model may be asked.

    Raises:
        RoundLimitError: it still asks for tools after so many answers.
    """
    whole = _whole()
    for number in range(1, limit + 1):
        round_ = _Round()
        async with Stream(ask(request)) as stream:
            async for frame in stream:
                if round_.take(frame):
                    yield frame
        if round_.joined.usage is not None:
            yield Frame.usage(round_.joined.usage)
        message = round_.joined.value
        if not message.tool_calls:
            if round_.response is not None:
                yield Frame.response(replace(round_.response, usage=None))
            return
        if number == limit:
            raise RoundLimitError(limit, message.tool_calls)
        results = await _execute(toolbox, message.tool_calls, whole, scope)
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
class _Round:
    """What one answer comes to."""

    __slots__ = ("joined", "response")

    def __init__(self) -> None:
        self.joined = FrameJoiner()
        self.response: ResponseMeta | None = None

    def take(self, frame: Frame) -> bool:
        """Keep a frame; tell whether it goes on at once."""
        self.joined.add(frame)
        if frame.kind == "response":
            self.response = frame.content
        return frame.kind not in {"response", "usage"}


async def _execute(
    toolbox: Toolbox, calls: tuple[ToolCall, ...], whole: Run | None, scope: Scope
) -> list[ToolResult]:
    token = current_scope.set(scope)
    try:
        return await toolbox.execute(calls, whole)
    finally:
        current_scope.reset(token)


def _next(request: Request, message: Message, results: list[ToolResult]) -> Request:
    """Return the request of the next round: what was said, and what the tools gave."""
    # A model that was forced to call a tool would be forced for ever.
    free = request.tool_choice in {None, "auto", "none"}
    answered: list[Any] = [*request.messages, message, *map(Message.tool, results)]
    return replace(request, messages=tuple(answered), tool_choice=request.tool_choice if free else "auto")
