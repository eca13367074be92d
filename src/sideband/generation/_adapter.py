"""The handler that a generation hook is attached as. May import components and handlers.

1. What the hook does not override is not wanted, which is found out when it is attached.
2. Usage and the response are not frames for a hook: they are in what it is told at the end.
3. Calls and results of tools come from their executor's events; without one, from their frames.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, final

from sideband.components import ChatModelOutput, Message, ToolCall, ToolResult, Usage
from sideband.generation._calls import in_order
from sideband.generation._frames import Frame
from sideband.generation._info import end_info, output_of, start_info
from sideband.handlers import Handler
from sideband.runs import Component, Run

__all__ = ["TOOL_CALL", "TOOL_RESULT", "HookHandler", "ToolFinished", "is_quiet", "is_whole"]

TOOL_CALL = "tool_call"
"""The event by which an executor tells that a call is about to be executed; its payload is the `ToolCall`."""

TOOL_RESULT = "tool_result"
"""The event by which an executor tells that a call was executed; its payload is a `ToolFinished`."""

_SPECIAL = frozenset({"usage", "response", "tool_call", "tool_result"})

Method = Callable[..., Awaitable[None] | None]


class ToolFinished(NamedTuple):
    """A tool's result, and how long it took in seconds."""

    result: ToolResult
    elapsed: float


def is_quiet(frame: Frame) -> bool:
    """Tell whether a frame is for the totals alone and not for hooks."""
    return frame.kind == "response" or (frame.kind == "usage" and isinstance(frame.content, Usage))


def is_whole(run: Run) -> bool:
    """Tell whether a run is a generation of its own: a round of a tool loop, say, is a part of the run around it."""
    return run.parent is None or run.parent.component is not Component.CHAT_MODEL


@final
class HookHandler(Handler):
    """A generation hook as a handler, of whole runs of kind ChatModel."""

    wants_output = False

    def __init__(self, hook: object, wanted: Mapping[str, Method]) -> None:
        """Take a hook, which is not looked into, and those of its methods that it overrides."""
        self._hook = hook
        self._start = wanted.get("on_generate_start")
        self._frame = wanted.get("on_frame")
        self._call = wanted.get("on_tool_call")
        self._result = wanted.get("on_tool_result")
        self._error = wanted.get("on_error")
        self._end = wanted.get("on_generate_end")
        chunk: Method = self._frame_seen if self._frame is not None else self._special
        self._want("on_start", self._started, self._start)
        self._want("on_chunk", chunk, self._frame, self._call, self._result)
        self._want("on_event", self._told, self._call, self._result)
        self._want("on_end", self._ended, self._end, self._call)
        self._want("on_error", self._failed, self._end, self._error)

    def __repr__(self) -> str:
        """Show the hook."""
        return repr(self._hook)

    def _want(self, timing: str, method: Method, *behind: Method | None) -> None:
        if any(one is not None for one in behind):
            setattr(self, timing, method)

    def _started(self, run: Run, _: Any) -> Any:
        return None if self._start is None else self._start(start_info(run))

    def _frame_seen(self, run: Run, chunk: Any) -> Any:
        # Once a token: what is special is told by one look into a set.
        if chunk.__class__ is not Frame:
            chunk = _frame_of(chunk)
        if chunk.kind in _SPECIAL:
            return self._special(run, chunk)
        return self._frame(chunk, time.perf_counter() - run._t0)  # type: ignore[misc] # it is wanted

    def _special(self, run: Run, chunk: Any) -> Any:
        frame = _frame_of(chunk)
        if is_quiet(frame):
            return None
        calls: list[Callable[[], Any]] = []
        if self._frame is not None:
            calls.append(partial(self._frame, frame, run.elapsed))
        if not run.attributes.get("executes_tools"):
            calls += self._tool_calls(run, frame)
        return in_order(calls, abort=True)

    def _tool_calls(self, run: Run, frame: Frame) -> list[Callable[[], Any]]:
        called: dict[str, float] = run.state[self]
        content = frame.content
        if isinstance(content, ToolCall):
            called[content.id] = run.elapsed
            return [] if self._call is None else [partial(self._call, content)]
        if isinstance(content, ToolResult) and self._result is not None:
            elapsed = run.elapsed - called.get(content.call_id, 0.0)
            return [partial(self._result, content, elapsed)]
        return []

    def _told(self, _: Run, name: str, payload: Any) -> Any:
        if name == TOOL_CALL and self._call is not None and isinstance(payload, ToolCall):
            return self._call(payload)
        if name == TOOL_RESULT and self._result is not None and isinstance(payload, ToolFinished):
            return self._result(*payload)
        return None

    def _ended(self, run: Run, output: Any) -> Any:
        given = None if run.streamed else output_of(run, output)
        calls: list[Callable[[], Any]] = []
        if given is not None and self._call is not None and not run.attributes.get("executes_tools"):
            calls += [partial(self._call, call) for call in given.message.tool_calls]
        if self._end is not None:
            calls.append(partial(self._end, end_info(run, given)))
        return in_order(calls)

    def _failed(self, run: Run, error: BaseException) -> Any:
        calls: list[Callable[[], Any]] = []
        if self._error is not None:
            calls.append(partial(self._error, error))
        if self._end is not None:
            calls.append(partial(self._end, end_info(run, None)))
        return in_order(calls)


def _frame_of(chunk: Any) -> Frame:
    """Return a chunk of any chat model as a frame: hooks are for all of them."""
    if isinstance(chunk, Frame):
        return chunk
    if isinstance(chunk, ChatModelOutput):
        chunk = chunk.message
    if isinstance(chunk, Message) and chunk.text:
        chunk = chunk.text
    return Frame.text(chunk) if isinstance(chunk, str) else Frame.custom(type(chunk).__name__, chunk)
