"""Handlers written as generator functions."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from sideband import Ending, Outcome, Run, component, handler
from sideband.errors import HandlerRefusedError

from .helpers import collected, drive_to_its_own_wait, errors, watched


@component("Lambda")
def half(x: int) -> float:
    """Fail for some inputs."""
    return 1 / x


@component("Lambda")
async def half_async(x: int) -> float:
    """Fail for some inputs."""
    return 1 / x


@component("Lambda")
async def count(n: int) -> AsyncGenerator[str]:
    """Give some chunks."""
    for i in range(n):
        yield str(i)


def test_a_generator_handler_sees_input_and_ending() -> None:
    """The part before the `yield` has run and input, the `yield` gives outcome and output, or the error."""
    seen: list[Any] = []

    @handler
    def note(run: Run, value: Any) -> Generator[None, Ending]:
        seen.append((run.name, value))
        ending = yield
        seen.append(ending)

    with watched(note):
        half(2)
        with pytest.raises(ZeroDivisionError) as caught:
            half(0)

    assert seen == [
        ("half", 2),
        Ending(Outcome.OK, 0.5, None),
        ("half", 0),
        Ending(Outcome.ERROR, None, caught.value),
    ]


async def test_one_handler_serves_runs_inside_of_each_other() -> None:
    """Each run has a generator of its own."""
    seen: list[str] = []

    @handler
    async def note(run: Run, value: Any) -> AsyncGenerator[None, Ending]:
        seen.append(f"{run.name} {value}")
        ending = yield
        seen.append(f"{run.name} {value} {ending.output}")

    @component("Lambda")
    async def outer(x: int) -> float:
        return await half_async(x) + 1

    with watched(note):
        await outer(1)

    assert seen == ["outer 1", "half_async 1", "half_async 1 1.0", "outer 1 2.0"]


async def test_a_return_before_the_yield_skips_the_ending(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that is not interested in a run returns."""
    seen: list[Any] = []

    @handler
    def some(run: Run, value: int) -> Generator[None, Ending]:
        if value < 0:
            return
        seen.append((yield).output)

    @handler
    async def some_async(run: Run, value: int) -> AsyncGenerator[None, Ending]:
        if value < 0:
            return
        seen.append((yield).output)

    with watched(some, some_async):
        await half_async(-1)
        await half_async(1)

    assert seen == [1.0, 1.0]
    assert errors(caplog) == []


async def test_a_second_yield_is_an_error_of_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the generator is closed."""
    closed: list[str] = []

    @handler
    def twice(run: Run, value: int) -> Generator[None, Ending]:
        try:
            yield
            yield
        finally:
            closed.append("plain")

    @handler
    async def twice_async(run: Run, value: int) -> AsyncGenerator[None, Ending]:
        try:
            yield
            yield
        finally:
            closed.append("async")

    with watched(twice, twice_async):
        assert await half_async(1) == 1.0

    assert closed == ["plain", "async"]
    assert len(errors(caplog)) == 2
    assert all("yielded twice" in str(record.exc_info[1]) for record in caplog.records if record.exc_info)


@pytest.mark.parametrize("before", [True, False])
def test_a_generator_handler_that_raises_is_logged(before: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Before or after its `yield`, once."""

    @handler
    def broken(run: Run, value: int) -> Generator[None, Ending]:
        if before:
            raise LookupError
        yield
        raise LookupError

    with watched(broken):
        assert half(1) == 1.0

    assert len(errors(caplog)) == 1


def test_the_error_is_given_not_thrown() -> None:
    """A `with` around the `yield` does not see the run's exception, so it cannot swallow it."""
    seen: list[BaseException | None] = []

    @contextmanager
    def around() -> Generator[None]:
        try:
            yield
        except BaseException as error:
            seen.append(error)
            raise
        seen.append(None)

    @handler
    def note(run: Run, value: int) -> Generator[None, Ending]:
        with around():
            yield

    with watched(note), pytest.raises(ZeroDivisionError):
        half(0)

    assert seen == [None]


@pytest.mark.parametrize("output", [True, False])
async def test_a_handler_says_whether_the_output_of_streams_is_kept_for_it(output: bool) -> None:
    """With `output=False` the chunks of a stream are not kept, and there is no output."""
    seen: list[Ending] = []

    @handler(output=output)
    def note(run: Run, value: int) -> Generator[None, Ending]:
        seen.append((yield))

    from sideband import callbacks

    with callbacks(note):
        await collected(count(3))

    assert seen == [Ending(Outcome.OK, "012" if output else None, None)]


def test_what_is_no_generator_function_is_refused() -> None:
    """A plain function has no place for the run; the message shows what to write."""

    def plain(run: Run, value: int) -> None: ...

    with pytest.raises(HandlerRefusedError, match="outcome = yield"):
        handler(plain)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType, reportCallIssue]


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def test_a_variable_set_around_the_yield_is_reset_without_complaint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Start and ending of one run are called in one context, as a token asks for."""
    seen: list[str] = []

    @handler
    def setting(run: Run, value: Any) -> Generator[None, Ending]:
        token = variable.set(f"{run.name} {value}")
        yield
        variable.reset(token)

    @component("Lambda")
    async def see(x: int) -> AsyncGenerator[str]:
        yield variable.get()
        seen.append(variable.get())
        half(x)
        yield variable.get()

    with watched(setting):
        stream = see(1)
        async for chunk in stream:
            seen.append(chunk)
            assert variable.get() == "unset"

    assert seen == ["see 1"] * 3
    assert errors(caplog) == []


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("ending", ["dropped", "closed"])
async def test_a_generator_whose_ending_cannot_be_awaited_is_closed_in_its_own_context(
    waits: bool, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by the loop, later and elsewhere, where its tokens do not hold; it may not wait meanwhile."""
    seen: list[str] = []

    @handler
    async def setting(run: Run, value: Any) -> AsyncGenerator[None, Ending]:
        token = variable.set("set")
        try:
            yield
            seen.append("resumed")
        finally:
            variable.reset(token)
            seen.append("reset")
            if waits:
                await asyncio.sleep(0)
                seen.append("waited")

    @component("Lambda")
    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with watched(setting) as recorder:
        if ending == "dropped":
            stream = count(2)
            await anext(stream)
            with pytest.warns(ResourceWarning, match="dropped half-read"):
                del stream
        else:
            coroutine = forever()
            await drive_to_its_own_wait(coroutine)
            coroutine.close()
        assert seen == ["reset"]

    assert [str(run.outcome) for run in recorder.runs()] == ["closed" if ending == "dropped" else "cancelled"]
    assert errors(caplog) == []


async def test_a_generator_that_fails_to_close_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As any failing handler, and the run ends all the same."""

    @handler
    async def failing(run: Run, value: Any) -> AsyncGenerator[None, Ending]:
        try:
            yield
        finally:
            raise LookupError

    with watched(failing):
        stream = count(2)
        await anext(stream)
        with pytest.warns(ResourceWarning, match="dropped half-read"):
            del stream

    assert len(errors(caplog)) == 1
