"""A handler that fails changes nothing; one that raises `Abort` stops the run, and closes what it held."""

import asyncio
import logging
from collections.abc import AsyncIterator

from sideband import Abort, Handler, Run, callbacks, component

logging.basicConfig(format="logged once: %(message)s")
STORY = "once upon a time there was a secret that nobody knew"


@component("ChatModel")
async def tell() -> AsyncIterator[str]:
    """Stream a story, and say when the stream is closed."""
    try:
        for word in STORY.split():
            yield word
    finally:
        print("the model's stream is closed")


class Clumsy(Handler):
    """Has a bug."""

    def on_chunk(self, run: Run, chunk: str) -> None:
        """Fail at each word."""
        raise RuntimeError("a bug in a handler")


class Guard(Handler):
    """Stops a model that is about to tell a secret, before its consumer has the word."""

    def on_chunk(self, run: Run, chunk: str) -> None:
        """Look at each word."""
        if chunk == "secret":
            raise Abort(f"{run.name} was stopped at {chunk!r}")

    def on_error(self, run: Run, error: BaseException) -> None:
        """See the run's ending, of which this handler is the cause."""
        print(f"{run.name} ended: {run.outcome}, after {run.chunks} words")


async def main() -> None:
    """Read the story with both handlers in scope."""
    with callbacks(Clumsy(), Guard()):
        try:
            async for word in tell():
                print(f"the consumer has {word!r}")
        except Abort as abort:
            print(f"the consumer gets {abort!r}")


asyncio.run(main())
