"""A question answered from documents, as a graph: search, prompt, model. Prints the tree of runs with times, tokens and cost.

Over an index of `sideband index`, `sideband.app.retriever.StoreRetriever(path, top_k=2)` would stand in place of `search`.
"""

import asyncio
import sys
from pathlib import Path

from shared.scripted import Scripted
from shared.tree import Tree

from sideband import component
from sideband.components import Document
from sideband.generation import Request, Runtime
from sideband.graph import START, Workflow, field
from sideband.prompts import ChatTemplate
from sideband.testing import Recorder

TEXTS = {
    "tides": "The moon pulls at the sea, so that it rises twice a day.",
    "rainbows": "Drops of rain break light into its colours.",
    "thunder": "Lightning heats air so fast that it bangs.",
}


def words(text: str) -> set[str]:
    """Return the words of a text that are worth looking for."""
    return {word.strip(".,?").lower() for word in text.split() if len(word) > 3}


@component("Retriever", type="words")
def search(question: str) -> list[Document]:
    """Find the documents that share most words with a question."""
    found = [
        Document(id=name, text=text, score=float(len(words(question) & words(name + " " + text))))
        for name, text in TEXTS.items()
    ]
    return sorted(found, key=lambda one: one.score or 0.0, reverse=True)[:2]


def quote(request: Request) -> str:
    """Answer as a model might: with the first thing that it is told."""
    return "From what I have read: " + request.messages[-1].text.splitlines()[0].removeprefix("- ")


prompt = ChatTemplate(
    [
        ("system", "Answer from the documents alone."),
        ("user", "{% for one in documents %}\n- {{ one.text }}\n{% endfor %}\n{{ question }}"),
    ],
    name="answer",
)

workflow = Workflow[str, dict[str, object]]("ask")
workflow.add_node("search", search, inputs=START)
workflow.add_node("prompt", prompt, inputs={"question": START, "documents": "search"})
workflow.add_node("model", Runtime(Scripted("quoting", quote)), inputs="prompt")
workflow.output({"answer": field("model", "text"), "source": field("search", "0.id")})
ask = workflow.compile()


async def main() -> None:
    """Ask once; draw the graph with the times of its nodes if a file is given."""
    recorder = Recorder()
    answer = await ask.invoke("Why does the sea rise when the moon is up?", callbacks=[Tree(), recorder])
    print(f"{answer['answer']} [{answer['source']}]")
    for name in sys.argv[1:]:
        picture = ask.draw(runs=recorder.runs(), format="svg")
        await asyncio.to_thread(Path(name).write_text, picture, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
