"""Tools: functions that a model may ask to have called. May import components and what is below."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, final, overload

from sideband.components import ToolCall, ToolDefinition
from sideband.errors import SidebandError, ToolArgumentsError
from sideband.generation._schema import Arguments
from sideband.observe import is_component

__all__ = ["RoundLimitError", "Tool", "ToolDeniedError", "ToolTimeoutError", "UnknownToolError", "tool"]

DEFAULT_TIMEOUT = 30.0
"""Seconds that a tool may take, unless it is told otherwise."""


class UnknownToolError(SidebandError, LookupError):
    """A model asked for a tool that there is not; the model is told which there are."""

    def __init__(self, name: str, tools: Mapping[str, object]) -> None:
        """List the tools."""
        self.name = name
        self.tools: tuple[str, ...] = tuple(tools)
        there = ", ".join(map(repr, self.tools)) or "none"
        super().__init__(f"there is no tool {name!r}; there are: {there}")


class ToolDeniedError(SidebandError, PermissionError):
    """A tool was not called, because whoever approves calls did not; the model is told why."""

    def __init__(self, name: str, reason: str = "") -> None:
        """Say why, if that is known."""
        super().__init__(f"the call of {name!r} was not approved" + (f": {reason}" if reason else ""))
        self.name = name
        self.reason = reason


class ToolTimeoutError(SidebandError, TimeoutError):
    """A tool took longer than it may; the model is told."""

    def __init__(self, name: str, timeout: float) -> None:
        """Tell the limit, in seconds."""
        super().__init__(f"the tool {name!r} gave no result within {timeout:g} s")
        self.name = name
        self.timeout: float = timeout


class RoundLimitError(SidebandError, RuntimeError):
    """A model asked for tools again and again; the last calls were not executed."""

    def __init__(self, limit: int, calls: tuple[ToolCall, ...]) -> None:
        """Tell the limit and the calls."""
        wanted = ", ".join(repr(call.name) for call in calls)
        super().__init__(
            f"after max_rounds={limit} answers the model still asks for {wanted}; raise max_rounds, or ask for less"
        )
        self.limit = limit
        self.calls = calls


@final
class Tool:
    """A function that a model may ask to have called.

    Its arguments' schema is that of its annotations; `Annotated[int, pydantic.Field(description="…", ge=0)]` says
    more. What it returns is given to the model: text as it is, all else as JSON.

    Threads: a plain function is executed in a thread, so that it may block; a coroutine function on the loop.
    Cancellation: a coroutine function is cancelled when its time is up; a plain one goes on in its thread, unheard.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        strict: bool = False,
    ) -> None:
        """Make a tool of a function.

        Args:
            function: plain, or a coroutine function; called with arguments by name.
            name: for the model; the function's own by default.
            description: for the model; by default the function's docstring.
            parameters: the JSON schema of its arguments, in place of that of its annotations. They are then
                given as the model wrote them, unchecked.
            timeout: seconds that a call may take; None for as long as it takes.
            strict: whether the provider is to hold the model to the schema, where it can.

        Raises:
            TypeError: it cannot be called with arguments by name, or one of its types has no schema.
            ValueError: the timeout is not positive.
            MissingExtraError: pydantic, which makes the schema, is not installed.
        """
        if not callable(function):
            raise TypeError(f"a tool is a function, got {function!r}")
        if timeout is not None and timeout <= 0:
            raise ValueError(f"timeout must be positive, or None, got {timeout!r}")
        self.function: Callable[..., Any] = function
        given: str = getattr(function, "__name__", type(function).__name__)
        self.name: str = name or given
        self.timeout: float | None = timeout
        self._arguments = Arguments(self.name, function) if parameters is None else None
        self.definition: ToolDefinition = ToolDefinition(
            self.name,
            inspect.getdoc(function) or "" if description is None else description,
            self._arguments.schema if parameters is None and self._arguments else parameters or {},
            strict,
        )
        self._waits = inspect.iscoroutinefunction(inspect.unwrap(function))

    @property
    def observed(self) -> bool:
        """Whether its function makes a run by itself."""
        return is_component(self.function)

    def check(self, call: ToolCall) -> dict[str, Any]:
        """Return a call's arguments as the function wants them.

        Raises:
            ToolArgumentsError: they are no JSON object, or do not fit the function.
        """
        given = call.parsed
        if self._arguments is None:
            return given
        try:
            return self._arguments.check(given)
        except ValueError as error:
            raise ToolArgumentsError(self.name, call.arguments, str(error)) from error

    async def execute(self, arguments: Mapping[str, Any]) -> Any:
        """Call the function, and return what it returned.

        Raises:
            ToolTimeoutError: it took longer than `timeout`.
            BaseException: what it raised.
        """
        call = self.function(**arguments) if self._waits else asyncio.to_thread(self.function, **arguments)
        if self.timeout is None:
            return await call
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                return await call
        except TimeoutError:
            if not limit.expired():  # the function's own
                raise
            raise ToolTimeoutError(self.name, self.timeout) from None

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Tool {self.name!r}>"


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    strict: bool = False,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function: `@tool`, or `@tool(timeout=5)` with the options of `Tool`.

    Raises:
        TypeError: it cannot be called with arguments by name, or one of its types has no schema.
        ValueError: the timeout is not positive.
        MissingExtraError: pydantic, which makes the schema, is not installed.
    """

    def make(found: Callable[..., Any]) -> Tool:
        return Tool(found, **options)

    return make if function is None else make(function)
