"""The runs of a program as a live tree in its own terminal, below what it prints."""

import asyncio
import sys
from collections.abc import AsyncIterator

from sideband import component
from sideband.exporters.console import console
from sideband.serving import Batch, serving

DOCUMENTS = [f"page {number} of the handbook" for number in range(24)]
ANSWER = "A sideband is the signal that travels beside the carrier without disturbing it."


@serving(batch_size=4, hooks=("progress",))
async def embed(batch: Batch[str]) -> list[list[float]]:
    """Stand in for a model: a vector a text, after a moment."""
    await asyncio.sleep(0.1)
    batch.emit("progress", [{"tokens": len(text.split())} for text in batch])
    return [[float(len(text))] for text in batch]


@component("Retriever")
async def search(question: str) -> list[str]:
    """Find a page that is as long as the question."""
    vectors = await embed.dispatch_many(DOCUMENTS)
    return [page for page, vector in zip(DOCUMENTS, vectors, strict=True) if vector[0] == len(question)]


@component("Tool")
async def look_up(word: str) -> str:
    """Fail for a word that is not there."""
    try:
        return {"carrier": "what carries a signal"}[word]
    except KeyError as error:
        raise LookupError(f"no entry for {word!r}") from error


@component("ChatModel", name="canned")
async def chat(prompt: str) -> AsyncIterator[str]:
    """Stand in for a language model."""
    for word in f"{prompt}? {ANSWER}".split():
        await asyncio.sleep(0.05)
        yield f"{word} "


@component("Agent")
async def answer(question: str) -> str:
    """Search, look up two words, and answer."""
    await search(question)
    for word in ("carrier", "sidebar"):
        try:
            await look_up(word)
        except LookupError:
            print(f"{word!r} is not in the dictionary")
    return "".join([word async for word in chat(question)])


async def main() -> None:
    """Ask twice."""
    async with embed:
        for question in ("what is a sideband", "and what is a carrier"):
            print(await answer(question))


# Where there is no terminal, a line a tree; to standard output here, for whoever reads this in a file.
with console(file=sys.stdout):
    asyncio.run(main())
