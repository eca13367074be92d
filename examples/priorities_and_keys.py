"""Documents in two languages, and somebody who waits at a screen: batches of one language, bounded in words, urgent first."""

import asyncio

from sideband.serving import Batch, serving


def language(text: str) -> str:
    """Tell the language of a text: texts of different ones need different models."""
    return "de" if text.startswith("Guten") else "en"


def words(text: str) -> int:
    """Tell what a text costs."""
    return len(text.split())


@serving(batch_size=8, key=language, cost=words, max_cost=12, on_full="wait", max_queue=100)
async def translate(batch: Batch[str]) -> list[str]:
    """Pretend to translate texts of one language."""
    total = sum(map(words, batch))
    print(f"{language(batch[0])}: {batch.size} texts, {total} words, first: {batch[0]!r}")
    await asyncio.sleep(0.02)
    return [text.upper() for text in batch]


async def archive() -> None:
    """Send a flood of English texts, read from a generator as there is room."""
    texts = (f"Good morning to number {number}" for number in range(12))
    async for event in translate.stream_many(texts):
        del event  # each result is here as soon as its batch is done


async def letter() -> None:
    """Send a few German texts: the flood does not hold them up, since keys take turns."""
    await translate.dispatch_many(["Guten Morgen", "Guten Abend"])


async def screen() -> None:
    """Send one English text that is urgent: it goes in front of those that wait."""
    await asyncio.sleep(0.005)
    print("urgent:", await translate.dispatch("Good evening now", priority=5))


async def main() -> None:
    """Let all of them ask at once."""
    async with translate, asyncio.TaskGroup() as users:
        users.create_task(archive())
        users.create_task(letter())
        users.create_task(screen())
    stats = translate.stats()
    print(f"{stats.items} texts in {stats.batches} batches")


asyncio.run(main())
