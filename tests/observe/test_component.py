"""Functions of every sort as components: their runs, inputs, names, results."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import sideband
from sideband import Outcome, callbacks, component, current_run
from sideband.testing import Recorder

from .helpers import collected, watched


class Words:
    """A class with components of every sort of method."""

    @component("Retriever")
    def method(self, query: str) -> str:
        return query.upper()

    @component("Retriever")
    async def coroutine(self, query: str) -> str:
        return query.upper()

    @component("Retriever", type="Fixed", name="letters")
    def generator(self, query: str) -> Iterator[str]:
        yield from query

    @component("Retriever")
    async def async_generator(self, query: str) -> AsyncIterator[str]:
        for letter in query:
            yield letter

    @component("Tool")
    @staticmethod
    def static(query: str) -> str:
        return query

    @component("Tool")
    @classmethod
    def of_class(cls, query: str) -> str:
        return f"{cls.__name__} {query}"

    @staticmethod
    @component("Tool")
    def static_outside(query: str) -> str:
        return query

    @classmethod
    @component("Tool")
    def of_class_outside(cls, query: str) -> str:
        return f"{cls.__name__} {query}"


class Phrases(Words):
    """A subclass, whose runs have its own name as type."""


async def call_all(words: Words) -> list[Any]:
    """Call every method."""
    return [
        words.method("ab"),
        await words.coroutine("ab"),
        list(words.generator("ab")),
        await collected(words.async_generator("ab")),
        words.static("ab"),
        words.of_class("ab"),
        words.static_outside("ab"),
        words.of_class_outside("ab"),
    ]


async def test_methods_of_every_sort_are_runs_with_their_input() -> None:
    """The input is the argument without `self`, the type the class on which the method is called."""
    with watched() as recorder:
        results = await call_all(Phrases())

    assert results == await call_all(Phrases())
    assert [(run.name, run.type, run.input, run.outcome) for run in recorder.runs()] == [
        ("method", "Phrases", "ab", "ok"),
        ("coroutine", "Phrases", "ab", "ok"),
        ("letters", "Fixed", "ab", "ok"),
        ("async_generator", "Phrases", "ab", "ok"),
        ("static", "", "ab", "ok"),
        ("of_class", "Phrases", "ab", "ok"),
        ("static_outside", "", "ab", "ok"),
        ("of_class_outside", "Phrases", "ab", "ok"),
    ]


def test_a_bound_method_may_be_made_a_component_where_it_is_used() -> None:
    """Somebody else's object is watched without changing its class; its type is that class's name."""

    class Elsewhere:
        def search(self, query: str) -> str:
            return query.upper()

    search = component("Retriever")(Elsewhere().search)

    with watched() as recorder:
        assert search("ab") == "AB"

    run = recorder.run("search")
    assert (run.type, run.input) == ("Elsewhere", "ab")


def test_functions_stay_what_they_are() -> None:
    """Name, documentation, signature and sort of the function are those of the original."""

    async def fetch(url: str) -> str:
        """Fetch."""
        return url

    watched_fetch = component("Tool")(fetch)

    assert watched_fetch.__name__ == "fetch"
    assert watched_fetch.__doc__ == "Fetch."
    assert inspect.signature(watched_fetch) == inspect.signature(fetch)
    assert inspect.iscoroutinefunction(watched_fetch)
    assert inspect.isgeneratorfunction(Words.generator)


@component("Lambda")
def anything(*args: Any, **kwargs: Any) -> None:
    """Take whatever comes."""


@component("Lambda")
def named(first: int, second: int = 2, *, third: int = 3) -> None:
    """Take arguments by name."""


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (named, (1,), {}, 1),
        (named, (1, 5), {}, {"first": 1, "second": 5}),
        (named, (1,), {"third": 4}, {"first": 1, "third": 4}),
        (named, (), {"first": 1}, {"first": 1}),
        (anything, (), {}, {}),
        (anything, (1,), {}, 1),
        (anything, (1, 2), {"x": 3}, {"args": (1, 2), "x": 3}),
        (anything, ([1],), {}, [1]),
    ],
)
def test_the_input_is_the_only_argument_or_all_by_name(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], expected: Any
) -> None:
    """One positional argument is the input itself; anything else is a mapping by name."""
    with watched() as recorder:
        function(*args, **kwargs)

    assert recorder.run().input == expected


def test_the_output_is_the_result_itself() -> None:
    """No copy is made of input or output."""
    value: list[int] = []

    @component("Lambda")
    def same(x: list[int]) -> list[int]:
        return x

    with watched() as recorder:
        assert same(value) is value

    assert recorder.run().input is value
    assert recorder.run().output is value


@pytest.mark.parametrize("kind", ["chat", "", 3])
def test_an_unknown_kind_is_refused_with_the_list_of_kinds(kind: Any) -> None:
    """A misspelt kind is found where it is written."""
    with pytest.raises(ValueError, match="ChatModel, Embedding"):
        component(kind)


@pytest.mark.parametrize("thing", [3, Words, Words(), len])
def test_what_is_no_function_is_refused(thing: Any) -> None:
    """Decorating a class or an object says what is expected."""
    with pytest.raises(TypeError, match="takes a function or method"):
        component("Lambda")(thing)


async def test_the_current_run_is_that_of_the_innermost_component() -> None:
    """Outside of watched runs there is none; each body has its own; a caller gets its own back."""
    seen: list[str | None] = []

    def note() -> None:
        run = current_run()
        seen.append(None if run is None else run.name)

    @component("Lambda")
    def inner() -> None:
        note()

    @component("Lambda")
    async def outer() -> None:
        note()
        inner()
        note()

    note()
    with callbacks(Recorder()):
        note()
        await outer()
        note()
    await outer()

    assert seen == [None, None, "outer", "inner", "outer", None, None, None, None]


@pytest.mark.parametrize("watched_by", [0, 1])
def test_an_exception_comes_out_as_the_same_object(watched_by: int) -> None:
    """An error is neither wrapped nor copied, and its traceback ends where it was raised."""
    error = ValueError("broken")

    @component("Lambda")
    def fail() -> None:
        raise error

    recorder = Recorder()
    with callbacks(*[recorder] * watched_by), pytest.raises(ValueError) as caught:
        fail()

    assert caught.value is error
    assert caught.traceback[-1].name == "fail"
    assert [run.error for run in recorder.runs()] == [error] * watched_by


async def test_a_cancelled_coroutine_ends_as_cancelled() -> None:
    """Cancellation is an outcome of its own, told before the task is done."""

    @component("Lambda")
    async def wait() -> None:
        await asyncio.Event().wait()

    with watched() as recorder:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert recorder.run().outcome is Outcome.CANCELLED


async def test_a_coroutine_that_is_closed_while_it_waits_ends_as_cancelled() -> None:
    """Whoever drives coroutines by hand may close them; handlers are told at once."""

    @component("Lambda")
    async def wait() -> None:
        await asyncio.sleep(0)

    with watched() as recorder:
        coroutine = wait()
        coroutine.send(None)
        coroutine.close()

    assert recorder.run().outcome is Outcome.CANCELLED


async def test_a_timeout_around_a_component_is_still_a_timeout() -> None:
    """`asyncio.timeout` turns its own cancellation into TimeoutError, through the watched run."""

    @component("Lambda")
    async def wait() -> None:
        await asyncio.Event().wait()

    with watched() as recorder, pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await wait()

    assert recorder.run().outcome is Outcome.CANCELLED


def test_a_function_without_listeners_makes_no_run() -> None:
    """Unwatched, the function is called as it is."""
    seen: list[object] = []

    @component("Lambda")
    def body() -> None:
        seen.append(current_run())
        sideband.emit("nobody", "listens")

    body()

    assert seen == [None]
