"""Handlers made of functions: a generator that surrounds the run, or one function a timing."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import Any, TypeVar, final, overload

from sideband.errors import HandlerRefusedError
from sideband.handlers._handler import TIMINGS, Handler
from sideband.runs import Ending, Outcome, Run

__all__ = ["AsyncGeneratorHandler", "FunctionHandler", "GeneratorHandler", "handler", "unknown_to_the_loop"]

T = TypeVar("T")
Timing = Callable[[Run, Any], Any]
ErrorTiming = Callable[[Run, BaseException], Any]
EventTiming = Callable[[Run, str, Any], None]
GeneratorFunction = Callable[[Run, Any], Generator[None, Ending, None]]
AsyncGeneratorFunction = Callable[[Run, Any], AsyncGenerator[None, Ending]]


@final
class GeneratorHandler(Handler):
    """A handler whose state between start and end is a generator's own local variables."""

    def __init__(self, function: GeneratorFunction) -> None:
        """Wrap a generator function of run and input."""
        self._function = function
        self.__doc__ = function.__doc__

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        """Run the generator up to its `yield`."""
        generator = self._function(run, input)
        # A generator that returned before its `yield` does not want the ending.
        if next(generator, _RETURNED) is not _RETURNED:
            run.state[self] = generator

    def on_end(self, run: Run, output: Any) -> None:
        """Hand the generator how the run ended."""
        self._resume(run, Ending(run.outcome or Outcome.OK, output, None))

    def on_error(self, run: Run, error: BaseException) -> None:
        """Hand the generator the exception."""
        self._resume(run, Ending(run.outcome or Outcome.ERROR, None, error))

    def _resume(self, run: Run, ending: Ending) -> None:
        if self not in run.state:
            return
        generator: Generator[None, Ending, None] = run.state[self]
        del run.state[self]
        try:
            generator.send(ending)
        except StopIteration:
            return
        generator.close()
        msg = f"{self._function!r} yielded twice; a handler yields once, where the run happens"
        raise RuntimeError(msg)

    def __repr__(self) -> str:
        """Show the function."""
        return f"handler({self._function!r})"


_RETURNED: Any = object()


def unknown_to_the_loop(step: Callable[..., T], *args: Any) -> T:
    """Make the first step of an asynchronous generator that something else closes.

    A loop closes the generators that it knows when it shuts down, in any order and any context.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return step(*args)
    finally:
        sys.set_asyncgen_hooks(*hooks)


@final
class AsyncGeneratorHandler(Handler):
    """As `GeneratorHandler`, for an asynchronous generator function and asynchronous runs."""

    def __init__(self, function: AsyncGeneratorFunction) -> None:
        """Wrap an asynchronous generator function of run and input."""
        self._function = function
        self.__doc__ = function.__doc__

    async def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        """Run the generator up to its `yield`."""
        generator = self._function(run, input)
        try:
            await unknown_to_the_loop(generator.__anext__)
        except StopAsyncIteration:
            return
        run.state[self] = generator

    def on_end(self, run: Run, output: Any) -> Awaitable[None] | None:
        """Hand the generator how the run ended."""
        return self._resume(run, Ending(run.outcome or Outcome.OK, output, None))

    def on_error(self, run: Run, error: BaseException) -> Awaitable[None] | None:
        """Hand the generator the exception."""
        return self._resume(run, Ending(run.outcome or Outcome.ERROR, None, error))

    def _resume(self, run: Run, ending: Ending) -> _Resumption | None:
        if self not in run.state:
            return None
        generator: AsyncGenerator[None, Ending] = run.state[self]
        del run.state[self]
        return _Resumption(generator, ending, self._function)

    def __repr__(self) -> str:
        """Show the function."""
        return f"handler({self._function!r})"


@final
class _Resumption(Awaitable[None]):
    """What is left of a generator: awaited, it is told how the run ended; where nobody can wait, it is closed."""

    __slots__ = ("_ending", "_function", "_generator")

    def __init__(
        self, generator: AsyncGenerator[None, Ending], ending: Ending, function: AsyncGeneratorFunction
    ) -> None:
        self._generator = generator
        self._ending = ending
        self._function = function

    def __await__(self) -> Generator[Any, None, None]:
        return self._resume().__await__()

    async def _resume(self) -> None:
        try:
            await self._generator.asend(self._ending)
        except StopAsyncIteration:
            return
        await self._generator.aclose()
        msg = f"{self._function!r} yielded twice; a handler yields once, where the run happens"
        raise RuntimeError(msg)

    def close(self) -> None:
        # Left to the event loop, it would be closed in another context, where its tokens do not hold.
        closing: Any = self._generator.aclose()
        with contextlib.suppress(StopIteration):
            closing.send(None)
            closing.throw(GeneratorExit)  # it wants to wait


@final
class FunctionHandler(Handler):
    """A handler whose timings are functions of their own."""

    def __init__(self, timings: Mapping[str, Callable[..., Any]], *, output: bool) -> None:
        """Take a function for each timing."""
        self.wants_output = output
        self._timings = timings
        for timing, function in timings.items():
            setattr(self, timing, function)

    def __repr__(self) -> str:
        """Show the functions."""
        given = ", ".join(f"{timing}={function!r}" for timing, function in self._timings.items())
        return f"handler({given})"


@overload
def handler(function: GeneratorFunction, /, *, output: bool = True) -> Handler: ...
@overload
def handler(function: AsyncGeneratorFunction, /, *, output: bool = True) -> Handler: ...
@overload
def handler(
    *,
    output: bool = True,
    on_start: Timing,
    on_end: Timing | None = None,
    on_error: ErrorTiming | None = None,
    on_chunk: Timing | None = None,
    on_event: EventTiming | None = None,
    on_start_with_stream_input: Timing | None = None,
    on_end_with_stream_output: Timing | None = None,
) -> Handler: ...
@overload
def handler(
    *,
    output: bool = True,
    on_end: Timing,
    on_error: ErrorTiming | None = None,
    on_chunk: Timing | None = None,
    on_event: EventTiming | None = None,
    on_start_with_stream_input: Timing | None = None,
    on_end_with_stream_output: Timing | None = None,
) -> Handler: ...
@overload
def handler(
    *,
    output: bool = True,
    on_error: ErrorTiming,
    on_chunk: Timing | None = None,
    on_event: EventTiming | None = None,
    on_start_with_stream_input: Timing | None = None,
    on_end_with_stream_output: Timing | None = None,
) -> Handler: ...
@overload
def handler(
    *,
    output: bool = True,
    on_chunk: Timing,
    on_event: EventTiming | None = None,
    on_start_with_stream_input: Timing | None = None,
    on_end_with_stream_output: Timing | None = None,
) -> Handler: ...
@overload
def handler(
    *,
    output: bool = True,
    on_event: EventTiming,
    on_start_with_stream_input: Timing | None = None,
    on_end_with_stream_output: Timing | None = None,
) -> Handler: ...
@overload
def handler(
    *,
    output: bool = True,
    on_start_with_stream_input: Timing,
    on_end_with_stream_output: Timing | None = None,
) -> Handler: ...
@overload
def handler(*, output: bool = True, on_end_with_stream_output: Timing) -> Handler: ...
@overload
def handler(*, output: bool = True) -> Callable[[GeneratorFunction | AsyncGeneratorFunction], Handler]: ...
def handler(
    function: Callable[[Run, Any], Any] | None = None, /, *, output: bool = True, **timings: Any
) -> Any:
    """Make a handler of a generator function, as one writes a fixture, or of a function for each timing.

    The part of a generator before the `yield` is called when the run starts; the `yield` gives an
    `Ending` (`outcome`, `output`, `error`) when it ended; a `return` before it skips the ending.

    ```python
    @handler
    def timing(run, input):
        started = time.perf_counter()
        ending = yield
        print(run.name, ending.outcome, time.perf_counter() - started)


    printing = handler(on_end=lambda run, output: print(run.name, output))
    ```

    Args:
        function: a generator function, or an asynchronous one, of run and input.
        output: whether the whole output of streams has to be kept for it.
        timings: a function, plain or a coroutine function, for each timing, by the name of the
            method of `Handler`, with that method's arguments less `self`.

    Raises:
        HandlerRefusedError: the function is no generator function, a timing does not exist, or what
            is given for it cannot be called.
    """
    if timings:
        return _of_timings(function, timings, output=output)
    if function is None:
        return functools.partial(handler, output=output)
    made: Handler
    if inspect.isgeneratorfunction(function):
        made = GeneratorHandler(function)
    elif inspect.isasyncgenfunction(function):
        made = AsyncGeneratorHandler(function)
    else:
        reason = (
            "it is no generator function; write `outcome = yield` where the run happens, "
            "or name the timing: handler(on_start=…)"
        )
        raise HandlerRefusedError(function, reason)
    made.wants_output = output
    return made


def _of_timings(function: object, timings: Mapping[str, Any], *, output: bool) -> FunctionHandler:
    if function is not None:
        raise HandlerRefusedError(function, "give a generator function, or functions by timing, not both")
    given = {timing: one for timing, one in timings.items() if one is not None}
    for timing, one in given.items():
        if timing not in TIMINGS:
            raise HandlerRefusedError(
                one, f"there is no timing {timing!r}; the timings are: {', '.join(TIMINGS)}"
            )
        if not callable(one):
            raise HandlerRefusedError(one, f"what is given for {timing} has to be a function")
    return FunctionHandler(given, output=output)
