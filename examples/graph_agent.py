"""An agent as a graph: a model, two tools, the model again. Prints the tree of runs with times, tokens and cost.

The model is a script, so that this runs anywhere; `sideband.providers.load("openai", "…")` would stand in its place.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from shared.tree import Tree

from sideband.components import Message, ToolCall, Usage
from sideband.generation import Frame, Request, ResponseMeta, Runtime, ToolsNode
from sideband.graph import END, START, Graph


class Script:
    """Stand in for a provider: asks for both tools, then says what they gave."""

    name = "script"

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        """Stream the answer."""
        results = [message for message in request.messages if message.role == "tool"]
        for word in ("It is ", *(message.text + " " for message in results)):
            yield Frame.text(word)
        for place, tool in enumerate(() if results else ("weather", "distance")):
            yield Frame.tool_call(ToolCall(str(place), tool, '{"city": "Lisbon"}'))
        yield Frame.usage(Usage(input_tokens=20 * len(request.messages), output_tokens=9))
        yield Frame.response(ResponseMeta("script-1", "stop" if results else "tool_calls"))


async def weather(city: str) -> str:
    """Tell the weather."""
    await asyncio.sleep(0.02)
    return f"sunny in {city}"


def distance(city: str) -> int:
    """Tell how far away a city is, in kilometres."""
    return 100 * len(city)


TOOLS = ToolsNode([weather, distance])


def ask(conversation: list[Message], more: str | Sequence[Message]) -> Request:
    """Add what was said, or what the tools gave, and ask with all of it."""
    conversation += [Message.user(more)] if isinstance(more, str) else more
    return Request(tuple(conversation), tools=TOOLS.definitions)


def keep(conversation: list[Message], answer: Message) -> Message:
    """Add what the model wants to have called."""
    conversation.append(answer)
    return answer


def wants_tools(answer: Message) -> bool:
    """Choose where the model's answer goes."""
    return bool(answer.tool_calls)


graph = Graph[str, Message]("agent", state=list, cycles=True)
graph.add_node("model", Runtime(Script()), before=ask).add_node("tools", TOOLS, before=keep)
graph.add_edge(START, "model").add_edge("tools", "model")
graph.add_branch("model", wants_tools, {True: "tools", False: END})
agent = graph.compile()


async def main() -> None:
    """Ask once."""
    answer = await agent.invoke("How is the weather in Lisbon, and how far is it?", callbacks=[Tree()])
    print(answer.text)


if __name__ == "__main__":
    print(agent.draw())
    asyncio.run(main())
