"""What each user cost: their share of shared batches in seconds, and the tokens of their own items."""

import asyncio
import time

from sideband import callbacks, metadata
from sideband.components import Usage
from sideband.handlers import Totals
from sideband.serving import Batch, serving


@serving(batch_size=16)
def model(batch: Batch[str]) -> list[str]:
    """Stand in for a model that takes a while, and says what each item consumed."""
    time.sleep(0.02)
    batch.usage = [Usage(input_tokens=len(text.split())) for text in batch]
    return [text.upper() for text in batch]


async def work(user: str, requests: int) -> None:
    """Send requests, one after the other, in a user's name."""
    with metadata(user=user):
        for number in range(requests):
            await model.dispatch_many([f"request {number} of {user}"] * 3)


async def main() -> None:
    """Serve three users at once, and present the bill."""
    totals = Totals(by="user")
    with callbacks(totals):
        async with model, asyncio.TaskGroup() as users:
            for user, requests in (("Ann", 2), ("Bob", 4), ("Cleo", 6)):
                users.create_task(work(user, requests))
    bill = totals.snapshot()
    for name, total in bill.items():
        print(f"{name}: {total.calls} calls, {total.input_tokens} tokens, {total.execute_seconds:.3f} s")
    tokens = sum(total.input_tokens for total in bill.values())
    seconds = sum(total.execute_seconds for total in bill.values())
    print(f"all: {tokens} tokens, {seconds:.3f} s")
    stats = model.stats()
    print(f"the server worked for {stats.mean_execute_time * stats.batches:.3f} s in {stats.batches} batches")


asyncio.run(main())
