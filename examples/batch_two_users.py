"""Two users' items share one batch; each user's handler sees only its own, and the batch is linked to both."""

import asyncio
from typing import Any

from sideband import Handler, Run, add_global_handler, callbacks, metadata
from sideband.serving import Batch, serving


@serving(batch_size=4, hooks=("progress",))
async def count_words(batch: Batch[str]) -> list[int]:
    """Count the words of each text, and report its length as an event."""
    batch.emit("progress", [{"characters": len(text)} for text in batch])
    return [len(text.split()) for text in batch]


class Screen(Handler):
    """What one user looks at."""

    def __init__(self, user: str) -> None:
        """Remember whose it is."""
        self.user = user

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        """Show the events of this user's own items."""
        if name == "progress":
            print(f"{self.user} sees {payload}")

    def on_end(self, run: Run, output: Any) -> None:
        """Show this user's results, and how much of the batch was this user's."""
        share, size = run.attributes["share"], run.attributes["batch_size"]
        print(f"{self.user} has {output}: {share:.0%} of a batch of {size}")


class Batches(Handler):
    """What the operator of the server looks at."""

    def on_end(self, run: Run, output: Any) -> None:
        """Show each batch, and the calls that it served."""
        if run.component == "Batch":
            print(f"one batch of {run.input} served {len(run.links)} calls")


async def ask(user: str, texts: list[str]) -> None:
    """Count a user's words with that user's handler in scope."""
    with metadata(user=user), callbacks(Screen(user)):
        await count_words.dispatch_many(texts)


async def main() -> None:
    """Let both users ask at once."""
    with add_global_handler(Batches()):
        async with count_words, asyncio.TaskGroup() as users:
            users.create_task(ask("Ann", ["one two three"]))
            users.create_task(ask("Bob", ["four five", "six", "seven"]))


asyncio.run(main())
