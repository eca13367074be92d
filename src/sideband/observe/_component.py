"""The decorator that makes a component of a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from sideband.observe._changes import leave, show_changes
from sideband.observe._lifecycle import (
    end,
    end_with_error,
    fail,
    skip,
    start,
    wait_ending,
    wait_start,
)
from sideband.observe._signature import Signature
from sideband.runs import Component
from sideband.scope._registry import registry
from sideband.scope._scope import current_run, get_current_scope, listeners, set_current

__all__ = ["component", "emit", "is_component", "transform"]

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")


def emit(name: str, payload: Any = None) -> None:
    """Emit a named event on the current run; nowhere if there is none.

    Cost: one lookup where nobody listens.
    """
    run = current_run()
    if run is not None:
        run.emit(name, payload)


def transform(function: F) -> F:
    """Say that the first argument of a function is a stream, where its annotation does not.

    Goes under `component`; handlers that deal with streams then get a copy of that input.
    """
    function.__sideband_transform__ = True  # type: ignore[attr-defined] # a mark on a function
    return function


def component(
    kind: Component | str,
    *,
    name: str | None = None,
    type: str | None = None,  # noqa: A002
    stream: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make every call of a function a run that handlers see.

    Works on functions, coroutine functions, generators, asynchronous generators, and methods, bound
    ones too. A generator's run starts at its first pull; its chunks are the run's streamed output. A
    function that is a component already stays as it is, so that nothing is observed twice.

    The run's `input` is the only positional argument, or a mapping of all arguments by name, less
    `self`. A parameter annotated as an iterator, an iterable or a `Stream` makes it a stream (see also
    `transform`): handlers that deal with streams get a copy, fed as the body pulls.

    Args:
        kind: what kind of component it is.
        name: the component's name; the function's own by default.
        type: the implementation; by default the class's name for a method, else empty.
        stream: whether it is a coroutine function that returns a stream, as the official SDKs have
            them. Its run starts when it is called and ends with the stream; if it returns no
            asynchronous iterable, with that.

    Order: the handlers are told of the start before the body, and of the ending before the caller.
    Cancellation: ends the run as cancelled.
    Cost: one lookup where nobody listens, and the function is called as it is.

    Raises:
        ValueError: `kind` is no known kind.
        TypeError: what is decorated is no function, or with `stream=True` no coroutine function.
    """
    checked = Component(kind)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, staticmethod | classmethod):
            descriptor = cast("Any", function)
            wrapped: Callable[P, R] = descriptor.__class__(decorate(descriptor.__func__))
            return wrapped
        if not inspect.isfunction(function) and not inspect.ismethod(function):
            msg = f"@component takes a function or method, got {function!r}"
            raise TypeError(msg)
        if is_component(function):
            return function
        signature = Signature(function, checked, name, type)
        made = _stream_wrapper(function, signature, returned=True) if stream else _wrap(function, signature)
        made.__sideband_component__ = True  # type: ignore[attr-defined] # a mark on a function
        return cast("Callable[P, R]", made)

    return decorate


def is_component(function: object) -> bool:
    """Tell whether calling a function makes a run by itself."""
    return bool(getattr(function, "__sideband_component__", False))


def _wrap(function: Callable[..., Any], signature: Signature) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):
        return _coroutine(function, signature)
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        return _stream_wrapper(function, signature)
    return _plain(function, signature)


def _stream_wrapper(
    function: Callable[..., Any], signature: Signature, *, returned: bool = False
) -> Callable[..., Any]:
    # What watches streams is a third of what watching takes to load: it is loaded with the first that there is.
    from sideband.observe import _streaming  # noqa: PLC0415

    if returned:
        return _streaming.returning(function, signature)
    if inspect.isasyncgenfunction(function):
        return _streaming.async_generator(function, signature)
    return _streaming.generator(function, signature)


def _plain(function: Callable[..., Any], signature: Signature) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        found = listeners()
        if found is None:
            return function(*args, **kwargs)
        run = signature.begin(found, args, kwargs)
        if signature.streamed:
            args, kwargs = signature.shown(run, args, kwargs, asynchronous=False)
        token, changed = set_current(run), None
        try:
            skip(run, start(run))
            changed = show_changes(run)
            output = function(*args, **kwargs)
            skip(run, end(run, output))
            return output
        except BaseException as error:
            skip(run, end_with_error(run, error))
            raise
        finally:
            leave(token, changed)
            del (
                run,
                token,
                changed,
            )  # the traceback of an error refers to this frame, and the run to the error

    return call


def _coroutine(function: Callable[..., Any], signature: Signature) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        # `listeners` written out: its call would be a third of what an unwatched component costs.
        seen, found = get_current_scope().seen
        if seen is not registry.entries:
            found = listeners()
        if found is None:
            return await function(*args, **kwargs)
        run = signature.begin(found, args, kwargs)
        if signature.streamed:
            args, kwargs = signature.shown(run, args, kwargs, asynchronous=True)
        token, changed = set_current(run), None
        try:
            pending = start(run)
            if pending is not None:
                await wait_start(run, pending)
            changed = show_changes(run)
            output = await function(*args, **kwargs)
            pending = end(run, output)
            if pending is not None or run._streams is not None:
                await wait_ending(run, pending)
            return output
        except BaseException as error:
            await fail(run, error)
            raise
        finally:
            leave(token, changed)
            del run, token, changed  # as above

    return call
