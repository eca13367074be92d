"""A program that several people use, and a page to watch it: `python examples/live_view.py 600` for ten minutes."""

import asyncio
import itertools
import sys

from shared import page
from shared.scripted import Scripted
from starlette.applications import Starlette

from sideband import component, metadata
from sideband.components import Message
from sideband.exporters import live_view
from sideband.generation import Request, Runtime
from sideband.serving import Batch, serving

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
ANSWER = "A sideband is the signal that travels beside the carrier without disturbing it, as hooks do beside a model."
writer = Runtime(Scripted("storyteller", lambda _: ANSWER, seconds_a_word=0.06))
varied = itertools.cycle([3, 7, 2, 9, 5, 4, 8])


@serving(batch_size=16, batch_timeout=0.1)
async def embed(batch: Batch[str]) -> list[list[float]]:
    """Stand in for an embedder, whose batches all callers share."""
    await asyncio.sleep(0.2 + 0.02 * len(batch))
    return [[len(text) / 100] * 8 for text in batch]


@component("Retriever")
async def search(question: str) -> list[str]:
    """Embed the question and some rewordings of it."""
    await embed.dispatch_many([f"{question} ({place})" for place in range(next(varied))])
    return ["A carrier has a sideband on each side.", "A hook watches and changes nothing."]


@component("Tool")
async def look_up(term: str) -> str:
    """Look a term up in a dictionary that at times does not answer."""
    await asyncio.sleep((pause := next(varied)) / 30)
    if pause == 9:
        raise LookupError(f"no entry for {term!r}") from TimeoutError("the dictionary did not answer")
    return f"{term}: a signal beside another"


@component("Agent")
async def research(question: str) -> str:
    """Search, look words up, and write an answer."""
    found = await search(question)
    async with asyncio.TaskGroup() as tools:
        tools.create_task(look_up("sideband"))
        tools.create_task(look_up("carrier"))
    request = Request((Message.user(f"{question} {found}"),), model="storyteller-1")
    return await writer.generate(request).text()


async def person(user: str) -> None:
    """Ask again and again."""
    with metadata(user=user):
        while True:
            await asyncio.gather(research("What is a sideband?"), return_exceptions=True)
            await asyncio.sleep(next(varied) / 10)


async def main() -> None:
    """Serve the page beside the program."""
    app = Starlette()
    app.mount("/live", view := live_view())
    async with embed, page.serving(app) as address, asyncio.TaskGroup() as group:
        print(f"watch at {address}/live/", flush=True)
        people = [group.create_task(person(user)) for user in ("Ann", "Bob", "Chloe", "Dev", "Ella", "Finn")]
        await asyncio.sleep(SECONDS)
        for one in people:
            one.cancel()
        view.close()
    print("seen:", ", ".join(sorted({run.component for run in view.history.latest()})))


asyncio.run(main())
