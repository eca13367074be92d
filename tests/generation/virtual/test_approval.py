"""The time that an approval may take."""

from __future__ import annotations

import asyncio

from tests.generation.toolkit import Model, call, results_of

from sideband.components import ToolCall
from sideband.generation import Runtime, Tool


async def test_who_approves_may_take_longer_than_the_tool() -> None:
    """Niro, statement 79: the tool's time begins when it is executed."""

    async def approve(asked: ToolCall) -> bool:
        await asyncio.sleep(3600)
        return True

    async def quick() -> str:
        await asyncio.sleep(1)
        return "done"

    runtime = Runtime(Model([call("quick")]), tools=[Tool(quick, timeout=2)], approve=approve)
    (result,) = await results_of(runtime)

    assert (result.content, asyncio.get_running_loop().time()) == ("done", 3601.0)
