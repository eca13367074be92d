"""The execution of the calls that a model asks for. May import observe and what is below, and components.

1. Every call gives a result: what fails, is unknown, is denied, takes too long or returns what no text can be made of
   is a result that says so, which the model sees, and a run that ended in error.
2. Only an `Abort` of a handler, a question to a human, a cancellation, and what is no `Exception` leave here.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, final

from sideband.components import ToolCall, ToolDefinition, ToolInput, ToolResult
from sideband.errors import Abort, Interrupted
from sideband.generation._adapter import TOOL_CALL, TOOL_RESULT, ToolFinished
from sideband.generation._tools import Tool, ToolDeniedError, UnknownToolError
from sideband.observe import observe
from sideband.runs import Component, Run
from sideband.streams._waits import together

__all__ = ["Approve", "Toolbox"]

Approve = Callable[[ToolCall], bool | str | Awaitable[bool | str]]
"""Plain or a coroutine function: true if the call may be executed, false or a reason if not."""


@final
class Toolbox:
    """The tools of a runtime, and how they are called."""

    __slots__ = ("_approve", "_limit", "definitions", "tools")

    def __init__(
        self, tools: Iterable[Tool | Callable[..., Any]], *, approve: Approve | None, max_parallel: int
    ) -> None:
        """Take tools, or functions that are to be tools.

        Raises:
            ValueError: two have one name, or `max_parallel` is below 1.
            TypeError: a function cannot be a tool.
        """
        if max_parallel < 1:
            raise ValueError(f"max_parallel_tools must be 1 or more, got {max_parallel!r}")
        self.tools: dict[str, Tool] = {}
        for given in tools:
            made = given if isinstance(given, Tool) else Tool(given)
            if made.name in self.tools:
                raise ValueError(f"two tools have the name {made.name!r}")
            self.tools[made.name] = made
        self.definitions: tuple[ToolDefinition, ...] = tuple(made.definition for made in self.tools.values())
        self._approve = approve
        self._limit = max_parallel

    async def execute(self, calls: Iterable[ToolCall], run: Run | None) -> list[ToolResult]:
        """Execute calls at the same time, and return their results in the order of the calls.

        Args:
            calls: of one message.
            run: the generation that is told of them, if it is watched.

        Raises:
            Abort: a handler stopped the run of a tool; the others are cancelled.
            Interrupted: a tool, or whoever approves calls, asks a human; the others are cancelled.
        """
        limit = asyncio.Semaphore(self._limit)

        async def one(call: ToolCall) -> ToolResult:
            async with limit:
                return await self._told(call, run)

        tasks: list[asyncio.Task[ToolResult]] = []
        try:
            async with together() as group:
                tasks += [group.create_task(one(call)) for call in calls]
        except ExceptionGroup as raised:
            asked, rest = raised.split(Interrupted)
            if asked is None or rest is not None:
                raise
            raise asked.exceptions[0] from None  # a human is asked one thing after the other
        return [task.result() for task in tasks]

    async def _told(self, call: ToolCall, run: Run | None) -> ToolResult:
        if run is None:
            return await self._result(call)
        run.emit(TOOL_CALL, call)
        started = time.perf_counter()
        result = await self._result(call)
        run.emit(TOOL_RESULT, ToolFinished(result, time.perf_counter() - started))
        return result

    async def _result(self, call: ToolCall) -> ToolResult:
        try:
            return await self._observed(call)
        except (Abort, Interrupted):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is the model's to deal with
            return ToolResult(call.id, call.name, f"{type(error).__name__}: {error}", is_error=True)

    async def _observed(self, call: ToolCall) -> ToolResult:
        tool = self.tools.get(call.name)
        if tool is not None and tool.observed:
            arguments = await self._ready(tool, call)
            return _readable(call, await tool.execute(arguments))
        value = ToolInput(call.name, call.arguments, call.id)
        async with observe(call.name, component=Component.TOOL, input=value) as run:
            if tool is None:
                raise UnknownToolError(call.name, self.tools)
            output = await tool.execute(await self._ready(tool, call))
            result = _readable(call, output)
            run.output = output
            return result

    async def _ready(self, tool: Tool, call: ToolCall) -> dict[str, Any]:
        arguments = tool.check(call)
        if self._approve is not None:
            verdict = self._approve(call)
            if inspect.isawaitable(verdict):
                verdict = await verdict
            if verdict is not True:
                raise ToolDeniedError(call.name, verdict if isinstance(verdict, str) else "")
        return arguments


def _readable(call: ToolCall, output: Any) -> ToolResult:
    """Return the result of a call, once it is sure that the model can be told it.

    Raises:
        SerialisationError: it has no form as text.
    """
    given = output if isinstance(output, ToolResult) else ToolResult(content=output)
    result = ToolResult(call.id, call.name, given.content, given.is_error)
    result.text  # noqa: B018 - raises
    return result
