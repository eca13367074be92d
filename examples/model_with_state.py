"""A model with state is a class: each partition sets up an instance of its own, once, and keeps it."""

import asyncio
import zlib

from sideband.serving import Batch, Serving


class Compressor:
    """Compresses texts with a dictionary that is prepared once, as a model's weights would be loaded."""

    def setup(self, partition: int) -> None:
        """Prepare this partition's own state; called in the thread that will use it."""
        print(f"partition {partition} is set up")
        self.words = b"the sideband travels beside the carrier"
        self.batches = 0

    def handle_batch(self, batch: Batch[bytes]) -> list[int | Exception]:
        """Return each text's compressed size; what cannot be compressed fails alone."""
        self.batches += 1
        return [self.size(text) for text in batch]

    def size(self, text: bytes) -> int | Exception:
        """Compress one text; an exception that is returned is that item's result, not the batch's."""
        if not text:
            return ValueError("an empty text")
        compressor = zlib.compressobj(zdict=self.words)
        return len(compressor.compress(text) + compressor.flush())


async def main() -> None:
    """Send texts through two partitions."""
    texts = [b"the carrier and the sideband", b"", b"something else entirely"] * 4
    async with Serving(Compressor, batch_size=3, partitions=2) as server:
        sizes = await server.dispatch_many(texts, return_exceptions=True)
        for text, size in zip(texts[:3], sizes, strict=False):
            print(f"{text!r}: {size!r}")
    stats = server.stats()
    print(f"{stats.items} items in {stats.batches} batches, {stats.failed_batches} of them failed")


asyncio.run(main())
