"""What each user cost: their share of shared batches in seconds, and the tokens of their own items."""

import asyncio
import time
from collections import defaultdict
from typing import Any

from sideband import Handler, Run, callbacks, metadata
from sideband.serving import Batch, serving


@serving(batch_size=16, hooks=("tokens",))
def model(batch: Batch[str]) -> list[str]:
    """Stand in for a model that takes a while."""
    time.sleep(0.02)
    batch.emit("tokens", [len(text.split()) for text in batch])
    return [text.upper() for text in batch]


class Bill(Handler):
    """Adds up what the server did for whom."""

    def __init__(self) -> None:
        """Start with nothing owed."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.tokens: defaultdict[str, int] = defaultdict(int)

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        """Count the tokens of the caller's own items."""
        if name == "tokens":
            self.tokens[run.metadata["user"]] += sum(payload)

    def on_end(self, run: Run, output: Any) -> None:
        """Count the caller's part of the time that its batches took."""
        if run.component == "Serving":
            self.seconds[run.metadata["user"]] += run.attributes["execute_share"]


async def work(user: str, requests: int) -> None:
    """Send requests, one after the other, in a user's name."""
    with metadata(user=user):
        for number in range(requests):
            await model.dispatch_many([f"request {number} of {user}"] * 3)


async def main() -> None:
    """Serve three users at once, and present the bill."""
    bill = Bill()
    with callbacks(bill):
        async with model, asyncio.TaskGroup() as users:
            for user, requests in (("Ann", 2), ("Bob", 4), ("Cleo", 6)):
                users.create_task(work(user, requests))
    for user, seconds in bill.seconds.items():
        print(f"{user}: {bill.tokens[user]} tokens, {seconds:.3f} s")
    stats = model.stats()
    print(f"all: {sum(bill.tokens.values())} tokens, {sum(bill.seconds.values()):.3f} s")
    print(f"the server worked for {stats.mean_execute_time * stats.batches:.3f} s in {stats.batches} batches")


asyncio.run(main())
