"""A tools node: a component that executes the calls of a message. May import observe and components.

It stands wherever a function of one argument does: in a graph, between a model's message and its next question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, final

from sideband.components import Message, ToolDefinition
from sideband.generation._toolbox import Approve, Toolbox
from sideband.generation._tools import Tool
from sideband.observe import component
from sideband.runs import Component
from sideband.scope._scope import current_run

__all__ = ["ToolsNode"]


@final
class ToolsNode:
    """Executes the calls of an assistant's message, all at the same time.

    Each call is a run of kind Tool inside of the node's, also that of a tool that there is not, and the node's run
    tells of calls and results as events. A call that fails gives a message that says so to the model.

    Cancellation: cancels the tools that are coroutine functions.
    Threads: tools that are plain functions are executed in threads.
    """

    __sideband_component__ = True

    def __init__(
        self,
        tools: Iterable[Tool | Callable[..., Any]],
        *,
        name: str = "tools",
        approve: Approve | None = None,
        max_parallel: int = 8,
    ) -> None:
        """Take the tools.

        Args:
            tools: those made by `tool`, or functions that are to be tools.
            name: of its runs.
            approve: asked before a call is executed: true, or false or a reason.
            max_parallel: how many are executed at the same time.

        Raises:
            ValueError: two have one name, or `max_parallel` is below 1.
            TypeError: a function cannot be a tool.
            MissingExtraError: a tool's schema needs pydantic, which is not installed.
        """
        self.name = name
        self._toolbox = Toolbox(tools, approve=approve, max_parallel=max_parallel)
        self._run = component(Component.TOOLS_NODE, name=name, type="")(self._execute)

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """What a model has to be told of the tools: the `tools` of a `Request`."""
        return self._toolbox.definitions

    async def __call__(self, message: Message) -> tuple[Message, ...]:
        """Execute the calls, and return a message with the result of each, in the order of the calls.

        Raises:
            Abort: a handler stopped the run of a tool; the others are cancelled.
        """
        return await self._run(message)

    async def _execute(self, message: Message) -> tuple[Message, ...]:
        results = await self._toolbox.execute(message.tool_calls, current_run())
        return tuple(Message.tool(result) for result in results)

    def __repr__(self) -> str:
        """Show the names of the tools."""
        return f"<ToolsNode {self.name!r} of {list(self._toolbox.tools)}>"
