"""Several providers asked for the same, of which the first one answers. May import observe and components."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Literal, TypeAlias, final

from sideband.errors import Abort
from sideband.generation._asking import ask, told_of
from sideband.generation._frames import Frame
from sideband.generation._members import labelled, usage_of
from sideband.generation._provider import Provider
from sideband.generation._request import Request
from sideband.generation._stop import stop
from sideband.generation._wrap import watch_frames
from sideband.scope._scope import current_run
from sideband.streams._sources import close_source

__all__ = ["race"]

First: TypeAlias = Literal["answer", "frame"]


def race(*providers: Provider, first: First = "answer", **named: Provider) -> Provider:
    """Make a provider that asks several at the same time, and gives the answer of the quickest one.

    It is a run of kind ChatModel, whose attribute "winner" is the label of who has won; each provider's answer is a
    run inside. Usage is that of all: what the losers had consumed comes as one frame.

    Args:
        providers: those that are asked, labelled with their names.
        first: what is to come first: a whole "answer", which is then given at once, or a "frame" that is no usage,
            whose answer is then given as it comes.
        named: further ones, with labels of the caller's.

    Order: the frames of the winner, in its order.
    Cancellation: goes to all; a loser is cancelled as soon as there is a winner.
    Closing: closes all; no task is left.
    Threads: as the providers. Each is pulled in a task of its own until there is a winner.

    Raises:
        ValueError: there is no provider. From the stream, where all fail: the error of the only one, or an
            ExceptionGroup of all, in the providers' order.
        TypeError: what is given is no provider.
    """
    if first not in {"answer", "frame"}:
        raise ValueError(f"first is 'answer' or 'frame', got {first!r}")
    return _Race(labelled("race", providers, named), first)


@final
class _Entrant:
    """One who takes part: its stream, and what came of it."""

    def __init__(self, source: AsyncIterator[Frame]) -> None:
        self.source = source
        self.frames: list[Frame] = []

    async def run(self, first: First) -> None:
        """Read the stream, to its end or to its first frame that is no usage."""
        async for frame in self.source:
            self.frames.append(frame)
            if first == "frame" and frame.kind != "usage":
                return


@final
class _Race:
    """Several providers as the quickest one of them."""

    __sideband_component__ = True
    makes_runs = True

    def __init__(self, members: dict[str, Provider], first: First) -> None:
        self.name = f"race({', '.join(members)})"
        self._members = members
        self._first: First = first

    def __repr__(self) -> str:
        return self.name

    def generate(self, request: Request, /) -> AsyncIterator[Frame]:
        info, value = told_of(self.name, request)
        return watch_frames(self._frames(request), (), info, value)

    async def _frames(self, request: Request) -> AsyncGenerator[Frame]:
        entrants = {label: _Entrant(ask(member, request)) for label, member in self._members.items()}
        tasks = {asyncio.create_task(entrant.run(self._first)): label for label, entrant in entrants.items()}
        errors: list[Exception] = []
        try:
            try:
                winner = await _winner(tasks, errors)
            finally:
                await stop(tasks)
            losers = [entrant for label, entrant in entrants.items() if label != winner]
            for loser in losers:
                await close_source(loser.source)
            spent = usage_of(loser.frames for loser in losers)
            if spent is not None:
                yield Frame.usage(spent)
            if winner is None:
                raise errors[0] if len(errors) == 1 else ExceptionGroup(f"all of {self.name} failed", errors)
            run = current_run()
            if run is not None:
                run.attributes["winner"] = winner
            for frame in entrants[winner].frames:
                yield frame
            async for frame in entrants[winner].source:
                yield frame
        finally:
            for entrant in entrants.values():
                await close_source(entrant.source)


async def _winner(tasks: dict[asyncio.Task[None], str], errors: list[Exception]) -> str | None:
    """Return the label of who is first; None if all fail, and their errors in order.

    Raises:
        Abort: a handler stopped one of them, which stops them all.
    """
    failed: dict[asyncio.Task[None], Exception] = {}
    pending: set[asyncio.Task[Any]] = {*tasks}
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in filter(done.__contains__, tasks):
            error = None if task.cancelled() else task.exception()
            if error is None and not task.cancelled():
                return tasks[task]
            if isinstance(error, Abort) or not isinstance(error, Exception):
                raise error or asyncio.CancelledError
            failed[task] = error
    errors += [failed[task] for task in tasks]
    return None
