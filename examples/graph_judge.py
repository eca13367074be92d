"""Two models in parallel, and a judge: a graph that fans out and in. Prints the tree of runs with times, tokens and cost."""

import asyncio
from collections.abc import Mapping

from shared.scripted import Scripted
from shared.tree import Tree

from sideband.components import Message
from sideband.generation import Request, Runtime
from sideband.graph import END, START, Graph

brief = Scripted("brief", lambda _: "Because of the moon.")
wordy = Scripted(
    "wordy", lambda _: "The moon, and a little the sun, pull at the sea, which rises on both sides."
)


def longer(request: Request) -> str:
    """Judge as a model might: by length."""
    answers = request.messages[-1].text.splitlines()[1:]
    return max(answers, key=len).partition(":")[0]


def compare(answers: Mapping[str, Message]) -> str:
    """Make a question of the answers."""
    return "\n".join(["Which is better?", *(f"{name}: {message.text}" for name, message in answers.items())])


graph = Graph[str, str]("contest")
graph.add_node("brief", Runtime(brief)).add_node("wordy", Runtime(wordy))
graph.add_node("compare", compare).add_node("judge", Runtime(Scripted("judge", longer)))
graph.add_node("verdict", lambda message: message.text)
for name in ("brief", "wordy"):
    graph.add_edge(START, name).add_edge(name, "compare")
graph.add_edge("compare", "judge").add_edge("judge", "verdict").add_edge("verdict", END)
contest = graph.compile()


async def main() -> None:
    """Hold it once."""
    winner = await contest.invoke("Why are there tides?", callbacks=[Tree()])
    print(f"the winner is {winner}")


if __name__ == "__main__":
    asyncio.run(main())
