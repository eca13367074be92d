"""What the tests of background handlers watch, and watch with."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self

from sideband import Handler, Run, component

PATIENCE = 20.0
"""Seconds after which something that has to happen has not."""


@component("Tool")
def double(number: int) -> int:
    """Double a number."""
    return number * 2


@component("Tool")
def fail(number: int) -> int:
    """Fail."""
    raise LookupError(number)


@component("ChatModel")
def tell(count: int) -> Iterator[str]:
    """Stream words."""
    for number in range(count):
        yield f"<{number}>"


@component("ChatModel")
async def atell(count: int) -> AsyncIterator[str]:
    """Stream words."""
    for number in range(count):
        yield f"<{number}>"


class Ends(Handler):
    """Wants endings, waits in each call until it is let go, and keeps what it was told."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.entered = threading.Event()
        self.go = threading.Event()

    def keep(self, *what: Any) -> None:
        self.entered.set()
        assert self.go.wait(PATIENCE)
        self.seen.append(what)

    def on_end(self, run: Run, output: Any) -> None:
        self.keep("end", run.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.go.set()


class Held(Ends):
    """Wants the rest as well."""

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self.keep("start", run.name)

    def on_error(self, run: Run, error: BaseException) -> None:
        self.keep("error", run.name)

    def on_chunk(self, run: Run, chunk: Any) -> None:
        self.keep("chunk", chunk)

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        self.keep("event", name, payload)
