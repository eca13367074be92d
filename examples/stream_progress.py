"""Live progress of one caller's items while a server works on them: events and results as they come."""

import asyncio

from sideband.serving import Batch, BatchOutput, HookEvent, serving

TEXTS = [f"chunk {number} of a document" + " that goes on" * (number % 4) for number in range(40)]


@serving(batch_size=8, hooks=("progress",))
async def embed(batch: Batch[str]) -> list[list[float]]:
    """Stand in for a model: a vector of two numbers a text, after a moment."""
    await asyncio.sleep(0.02)
    batch.emit("progress", [{"tokens": len(text.split())} for text in batch])
    return [[float(len(text)), float(text.count(" "))] for text in batch]


async def main() -> None:
    """Read the stream: `HookEvent` to show how far it is, `BatchOutput` for the vectors."""
    done = tokens = 0
    vectors: list[list[float]] = []
    async with embed:
        async for event in embed.stream_many(TEXTS):
            match event:
                case HookEvent(name="progress", payload=items):
                    done += len(items)
                    tokens += sum(item["tokens"] for item in items)
                    bar = "#" * (done * 20 // len(TEXTS))
                    print(f"[{bar:<20}] {done:>2} of {len(TEXTS)} texts, {tokens} tokens")
                case BatchOutput(output=part):
                    vectors += part
    print(f"{len(vectors)} vectors in {embed.stats().batches} batches")


asyncio.run(main())
