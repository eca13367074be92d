"""What the tests of tools share: a model that asks for tools, and calls of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sideband.components import ToolCall, ToolResult, Usage
from sideband.generation import Frame, Request, ResponseMeta, Runtime, Tool


class Model:
    """Asks for tools in its first answers, one list of calls each, and then says what it was told."""

    name = "model"

    def __init__(self, *rounds: list[ToolCall]) -> None:
        self.rounds = list(rounds)
        self.asked: list[Request] = []

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        self.asked.append(request)
        number = len(self.asked)
        if number <= len(self.rounds):
            yield Frame.text(f"round {number} ")
            for call in self.rounds[number - 1]:
                yield Frame.tool_call(call)
        else:
            yield Frame.text(" ".join(message.text for message in request.messages if message.role == "tool"))
        yield Frame.usage(Usage(input_tokens=10, output_tokens=number))
        yield Frame.response(
            ResponseMeta("m", "stop" if number > len(self.rounds) else "tool_calls", f"r-{number}")
        )


def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    The second one is 1 unless it is given.
    """
    return a + b


# Pydantic looks for plugins on the disk when it makes its first model: here, and not on a test's event loop.
Tool(add)


def call(name: str, arguments: str = "{}", id: str = "c") -> ToolCall:  # noqa: A002
    return ToolCall(id, name, arguments)


async def results_of(runtime: Runtime) -> list[ToolResult]:
    """Return what the tools gave in one generation."""
    stream = runtime.generate("go")
    await stream.collect()
    return list(stream.tool_results)
