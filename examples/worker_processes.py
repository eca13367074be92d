"""A model in worker processes: it may hold the interpreter's lock, or crash, and nobody else notices."""

import asyncio
import os
from typing import Any

from sideband.errors import WorkerCrashedError
from sideband.serving import Batch, BatchOutput, HookEvent, Serving


class Primes:
    """Counts the primes below each item, in plain Python, which holds the interpreter's lock."""

    def setup(self, partition: int) -> None:
        """Load here what each process needs, on the device of its partition."""
        self.partition = partition

    def handle_batch(self, batch: Batch[int]) -> list[int]:
        """Execute a batch; an item of 13 stands for one that the model's native code does not survive."""
        results: list[int] = []
        for place, limit in enumerate(batch):
            if limit == 13:
                os._exit(1)
            results.append(sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, limit)))
            batch.emit("progress", [min(1.0, (place + 1) / batch.size)] * batch.size)
        return results


async def main() -> None:
    """Execute a list while it reports, and a bad item among good ones."""
    async with Serving(
        Primes, executor="process", partitions=2, batch_size=4, hooks=("progress",), isolate_errors=True
    ) as serving:
        async for event in serving.stream_many([1_000, 2_000, 3_000, 4_000]):
            match event:
                case HookEvent(payload=progress):
                    print(f"{progress[0]:.0%}")
                case BatchOutput(output=counts):
                    print(counts)
        results: list[Any] = await serving.dispatch_many([10, 13, 100], return_exceptions=True)
        for result in results:
            print(f"failed: {result}" if isinstance(result, WorkerCrashedError) else result)


# Each worker process imports this module, and must not start workers of its own.
if __name__ == "__main__":
    asyncio.run(main())
