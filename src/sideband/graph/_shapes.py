"""The four ways to execute a plan, each a component of its own. May import observe.

Which timings a graph's run fires follows which of them was called.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, cast

from sideband.graph._execution import Execution
from sideband.graph._flow import is_stream
from sideband.graph._plan import Plan
from sideband.observe import component, transform
from sideband.runs import Component

__all__ = ["Shapes", "shapes_of"]


class Shapes(NamedTuple):
    """The four ways to execute a plan, each a component."""

    invoke: Callable[[Any], Awaitable[Any]]
    stream: Callable[[Any], AsyncGenerator[Any, Any]]
    collect: Callable[[Any], Awaitable[Any]]
    transform: Callable[[Any], AsyncGenerator[Any, Any]]


def shapes_of(plan: Plan[Any], kind: Component, name: str) -> Shapes:
    observed = component(kind, name=name, type="")
    return Shapes(
        observed(_to_value(plan)),
        cast("Any", observed(_to_stream(plan))),
        observed(transform(_to_value(plan))),
        cast("Any", observed(transform(_to_stream(plan)))),
    )


def _to_value(plan: Plan[Any]) -> Callable[[Any], Coroutine[Any, Any, Any]]:
    async def execute(given: Any) -> Any:
        execution = Execution(plan, streaming=False)
        try:
            result = await execution.run(given)
            if execution.resumed is not None:
                await execution.forget()
            return result
        finally:
            if execution.opened:
                await execution.aclose()

    return execute


def _to_stream(plan: Plan[Any]) -> Callable[[Any], AsyncGenerator[Any, Any]]:
    async def execute(given: Any) -> AsyncGenerator[Any, Any]:
        execution = Execution(plan, streaming=True)
        try:
            result = await execution.run(given)
            if is_stream(result):
                async for chunk in result:
                    yield chunk
            else:
                yield result
            if execution.resumed is not None:
                await execution.forget()
        finally:
            await execution.aclose()

    return execute
