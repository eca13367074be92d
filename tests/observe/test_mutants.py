"""The tests notice a dispatcher that does anything else than it should."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import suppress
from typing import Any

import pytest

from sideband import Handler, Run, callbacks, component
from sideband.testing import Recorder, check_lifecycle

from .helpers import Five, Log, collected
from .interpreter import execute, variable
from .mutants import mutants
from .programs import Node
from .test_programs import Raising, span, spanning


def node(name: str, sort: str, *children: Node, failure: str = "none", reading: str = "all") -> Node:
    """Make a node of a program that does a little of everything."""
    return Node(name, sort, failure, reading, sets=False, together=False, chunks=2, children=children)


PROGRAM = node(
    "root",
    "coroutine",
    node("stream", "async_generator", node("inner", "function")),
    node("closed", "async_generator", reading="some"),
    node("unread", "async_generator", reading="close_at_once"),
    node("generator", "generator", node("block", "block", failure="raise")),
    node("failing", "coroutine", failure="raise"),
    node("broken", "function", failure="raise"),
    node("cancelled", "async_block", failure="cancel"),
)


OUTCOMES = {
    "root": "ok",
    "stream": "ok",
    "inner": "ok",
    "closed": "closed",
    "generator": "ok",
    "block": "error",
    "failing": "error",
    "broken": "error",
    "cancelled": "cancelled",
}


class Spans(Handler):
    """Sees which span each run starts in, and leaves one behind when it ends."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        names: list[str] = []
        around: Run | None = run
        while around is not None:
            names.insert(0, around.name)
            around = around.parent
        if span.get() != "".join(f"/{name}" for name in names):
            self.wrong.append(span.get())

    def on_end(self, run: Run, output: Any) -> None:
        span.set("leaked")


class Tokens(Handler):
    """Sets a variable for each run, and gives it back by the token that it got."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        run.state[self] = variable.set(run.name)

    def on_end(self, run: Run, output: Any) -> None:
        try:
            variable.reset(run.state[self])
        except ValueError as error:
            self.wrong.append(str(error))


@component("Transformer")
async def upper(letters: AsyncIterator[str]) -> AsyncGenerator[str]:
    """Turn a stream into a stream."""
    async for letter in letters:
        yield letter.upper()


async def ab(error: BaseException | None = None) -> AsyncGenerator[str]:
    """Be a stream that is no component."""
    yield "a"
    yield "b"
    if error is not None:
        raise error


@component("Lambda")
async def leaving(kept: list[Any]) -> AsyncGenerator[str]:
    """Leave a stream open inside of a stream."""
    kept.append(component("ChatModel", name="left")(ab)())
    yield await anext(kept[0])


async def examine_streams() -> None:
    """Assert what is told of streams inside of streams, and to handlers that deal with streams themselves."""
    failing, error = Five(), LookupError()
    five, recorder, tokens = Five(), Recorder(), Tokens()
    with callbacks(five, tokens):
        async for _ in upper(ab()):
            assert variable.get() == "unset"
        assert sorted(five.calls, key=str) == [("in", ["a", "b"]), ("out", ["A", "B"])]
        with callbacks(failing), suppress(LookupError):
            await collected(upper(ab(error)))
    assert sorted(failing.calls, key=str) == [("in", error), ("out", error)]
    assert tokens.wrong == []

    kept: list[Any] = []
    with callbacks(recorder):
        assert await collected(leaving(kept)) == ["a"]
        assert await collected(kept[0]) == ["b"]
    check_lifecycle(recorder)
    endings = [record.run.name for record in recorder if record.timing == "on_end"]
    assert endings == ["left", "leaving"]


def examine() -> None:
    """Run a program as random ones are run, and assert what is asserted of them."""
    asyncio.run(examine_streams())

    async def main(*attached: Handler) -> Any:
        with callbacks(*attached):
            result = await execute(PROGRAM)
        return result, span.get()

    recorder, spans, calls = Recorder(), Spans(), list[str]()
    first_to_end = Raising(frozenset({"on_end", "on_error"}), asynchronous=False)
    first_to_start = Raising(frozenset({"on_start"}), asynchronous=False)
    unwatched = asyncio.run(main())
    watched = asyncio.run(
        main(first_to_end, Log("A", calls), recorder, Log("B", calls), spans, spanning, first_to_start)
    )

    assert watched == unwatched
    check_lifecycle(recorder)
    assert spans.wrong == []
    assert calls[:2] == ["B start", "A start"]
    assert calls[-2:] == ["A end", "B end"]
    assert {run.name: str(run.outcome) for run in recorder.runs()} == OUTCOMES
    assert recorder.chunks("closed") == [0]
    assert [run.name for run in recorder.runs() if run.parent is None] == ["root"]


@pytest.fixture(autouse=True)
def no_log() -> Generator[None]:
    """Raising handlers would fill the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_there_are_enough_mutants() -> None:
    """At least ten of the dispatcher's core, and as many again of contexts and streams."""
    assert len(mutants) >= 25


@pytest.mark.parametrize("name", mutants)
@pytest.mark.filterwarnings("ignore")
def test_a_faulty_dispatcher_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mutant fails what the right dispatcher passes."""
    examine()
    mutants[name](monkeypatch)

    # By what is asserted, or by what the program gets: nothing else, since a mutant may be faulty itself.
    with pytest.raises((AssertionError, LookupError, UnboundLocalError)):
        examine()
