"""Handlers made of one function for each timing."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

import sideband
from sideband import Ending, Run, component, handler
from sideband.errors import HandlerRefusedError

from .helpers import watched


@component("Lambda")
def letters(fail: bool) -> Iterator[str]:
    """Fire every timing."""
    sideband.emit("hello", 1)
    yield "a"
    if fail:
        raise LookupError


def test_each_timing_may_be_a_function() -> None:
    """With the arguments of the method of that name."""
    seen: list[Any] = []
    noting = handler(
        on_start=lambda run, value: seen.append((run.name, value)),
        on_chunk=lambda _, chunk: seen.append(chunk),
        on_event=lambda _, name, payload: seen.append((name, payload)),
        on_end=lambda _, output: seen.append(output),
        on_error=lambda _, error: seen.append(type(error)),
    )

    with watched(noting):
        list(letters(False))
        with pytest.raises(LookupError):
            list(letters(True))

    start = [("hello", 1), "a"]
    assert seen == [("letters", False), *start, "a", ("letters", True), *start, LookupError]


async def test_a_coroutine_function_is_awaited() -> None:
    """As a method would be."""
    seen: list[Any] = []

    async def later(run: Run, value: Any) -> None:
        seen.append(value)

    @component("Lambda")
    async def echo(x: int) -> int:
        return x

    with watched(handler(on_start=later)):
        await echo(1)

    assert seen == [1]


@pytest.mark.parametrize("output", [True, False])
def test_it_says_whether_the_output_of_streams_is_kept_for_it(output: bool) -> None:
    """As a generator handler does."""
    seen: list[Any] = []

    with sideband.callbacks(handler(on_end=lambda _, whole: seen.append(whole), output=output)):
        list(letters(False))

    assert seen == ["a" if output else None]


def test_a_misspelt_timing_is_refused_with_the_list_of_timings() -> None:
    """Otherwise it would be silently never called."""
    with pytest.raises(HandlerRefusedError, match="no timing 'on_stop'; the timings are: on_start, on_end"):
        handler(on_stop=print)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(HandlerRefusedError, match="has to be a function"):
        handler(on_start=3)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


def test_it_is_either_a_generator_or_timings() -> None:
    """Both together could not be told apart."""

    def surrounding(run: Run, value: Any) -> Generator[None, Ending]:
        yield

    with pytest.raises(HandlerRefusedError, match="not both"):
        handler(surrounding, on_start=print)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


def test_it_shows_its_functions() -> None:
    """So that a log line says which handler it was."""
    assert repr(handler(on_start=print)) == f"handler(on_start={print!r})"
