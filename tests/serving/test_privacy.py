"""What a caller's handler is given leads to nobody else's payload, however far one follows references."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

import pytest

from sideband import Handler, Run, callbacks, metadata
from sideband.components import Usage
from sideband.serving import Batch, Serving
from sideband.testing import Recorder

ENOUGH = 200_000
"""Objects after which a walk gives up: what a run leads to is far less."""


class Payload:
    """What belongs to one caller."""

    def __init__(self, owner: str, number: int) -> None:
        self.owner = owner
        self.number = number


def reachable(roots: Iterable[object]) -> list[Payload]:
    """Return every payload that is reached from some objects through any references.

    Not through what leads to the whole program whoever has it: modules, classes, a function's globals, and
    the frames of a traceback, which an exception of the model's own brings along.
    """
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, ModuleType | type | FrameType | TracebackType | CodeType):
            continue
        seen[id(one)] = one
        assert len(seen) < ENOUGH, "the walk does not end"
        if isinstance(one, FunctionType):
            waiting += [one.__closure__, one.__defaults__, one.__kwdefaults__, one.__dict__]
        else:
            waiting += gc.get_referents(one)
    return [one for one in seen.values() if isinstance(one, Payload)]


class Nosy(Handler):
    """Keeps all that it is given, and looks around at each timing."""

    def __init__(self) -> None:
        self.owners: set[str] = set()
        self.timings: list[str] = []
        self.given: list[object] = []

    def look(self, timing: str, *given: object) -> None:
        self.timings.append(timing)
        self.given += given
        self.owners |= {payload.owner for payload in reachable(given)}

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.look("on_start", run, input)

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        self.look(name, run, payload)

    def on_chunk(self, run: Run, chunk: Any) -> None:
        self.look("on_chunk", run, chunk)

    def on_end(self, run: Run, output: Any) -> None:
        self.look("on_end", run, output, run.links)

    def on_error(self, run: Run, error: BaseException) -> None:
        self.look("on_error", run, error, run.links)


def model(batch: Batch[Payload]) -> list[Payload]:
    """Tell each payload to its owner, and give it back; fail where one asks for it."""
    batch.emit("progress", list(batch))
    batch.usage = Usage(input_tokens=batch.size)
    if any(payload.number < 0 for payload in batch):
        raise ValueError("bad payload")
    return list(batch)


async def asynchronous(batch: Batch[Payload]) -> list[Payload]:
    """Do the same on the loop."""
    await asyncio.sleep(0)
    return model(batch)


async def call(serving: Serving[Payload, Payload], how: str, nosy: Nosy, payloads: list[Payload]) -> None:
    with callbacks(nosy), metadata(user=payloads[0].owner):
        if how == "dispatch":
            await serving.dispatch(payloads[0])
        elif how == "many":
            await serving.dispatch_many(payloads)
        elif how == "stream":
            async for _ in serving.stream_many(payloads):
                pass
        else:
            await asyncio.to_thread(serving.dispatch_many_sync, payloads)


@pytest.mark.parametrize("kind", ["thread", "inline", "coroutine"])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("isolate", [False, True])
async def test_a_handler_reaches_its_own_callers_payloads_alone(
    kind: str, fails: bool, isolate: bool
) -> None:
    """At every timing and after all: runs, links, events, results and errors lead to nothing of others'."""
    options: Any = {"executor": "inline"} if kind == "inline" else {}
    served: Any = asynchronous if kind == "coroutine" else model
    hows = ("dispatch", "many", "stream", "sync")
    batches = Recorder()
    nosy = {how: Nosy() for how in hows}
    serving: Serving[Payload, Payload] = Serving(
        served, batch_size=10, batch_timeout=20.0, hooks=("progress",), isolate_errors=isolate,
        callbacks=[batches], **options,
    )  # fmt: skip
    async with serving:
        payloads = {how: [Payload(how, number) for number in range(3)] for how in hows}
        if fails:
            payloads["many"][0].number = -1
        calls = [call(serving, how, nosy[how], payloads[how]) for how in hows]
        results = await asyncio.gather(*calls, return_exceptions=True)

    assert max(batch.attributes["batch_size"] for batch in batches.runs()) == 10
    assert [type(result) for result in results].count(ValueError) == (0 if not fails else 1 if isolate else 4)
    for how in hows:
        assert {"on_start", "queued", "executing", "progress"} <= set(nosy[how].timings)
        assert nosy[how].owners == {how}
        assert {payload.owner for payload in reachable(nosy[how].given)} == {how}


async def test_the_walk_finds_what_is_there_to_be_found() -> None:
    """A batch's own handler, which the serving's owner gives it, does see all; so the walk would."""
    nosy = Nosy()
    async with Serving(
        model, batch_size=2, batch_timeout=20.0, hooks=("progress",), callbacks=[nosy]
    ) as serving:
        await asyncio.gather(serving.dispatch(Payload("Ann", 1)), serving.dispatch(Payload("Bob", 1)))

    assert nosy.owners == {"Ann", "Bob"}
