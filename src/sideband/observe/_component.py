"""The decorator that makes a component of a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Mapping
from typing import Any, ParamSpec, TypeVar, cast, final

from sideband.observe._observation import Observation
from sideband.observe._streamed import ObservedAsyncGenerator, watch_generator
from sideband.runs import Component, RunInfo
from sideband.scope._scope import current_run, listeners

__all__ = ["component", "emit"]

P = ParamSpec("P")
R = TypeVar("R")


def emit(name: str, payload: Any = None) -> None:
    """Emit a named event on the current run; nowhere if there is none.

    Cost: one lookup where nobody listens.
    """
    run = current_run()
    if run is not None:
        run.emit(name, payload)


def component(
    kind: Component | str,
    *,
    name: str | None = None,
    type: str | None = None,  # noqa: A002
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make every call of a function a run that handlers see.

    Works on functions, coroutine functions, generators, asynchronous generators, and methods, bound
    ones too. A generator's run starts at its first pull; its chunks are the run's streamed output.

    The run's `input` is the only positional argument, or a mapping of all arguments by name, less
    `self`.

    Args:
        kind: what kind of component it is.
        name: the component's name; the function's own by default.
        type: the implementation; by default the class's name for a method, else empty.

    Order: the handlers are told of the start before the body, and of the ending before the caller.
    Cancellation: ends the run as cancelled.
    Cost: one lookup where nobody listens, and the function is called as it is.

    Raises:
        ValueError: `kind` is no known kind.
        TypeError: what is decorated is no function.
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
        return cast("Callable[P, R]", _wrap(function, _Signature(function, checked, name, type)))

    return decorate


@final
class _Signature:
    """How to name and describe the calls of one function."""

    __slots__ = ("_info", "_infos", "_names", "_skip", "_variadic")

    def __init__(
        self,
        function: Callable[..., Any],
        kind: Component,
        name: str | None,
        type: str | None,  # noqa: A002
    ) -> None:
        parameters = list(inspect.signature(function).parameters.values())
        positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self._skip = 1 if positional and positional[0] in ("self", "cls") else 0
        self._names = positional[self._skip :]
        self._variadic = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")
        if type is None and inspect.ismethod(function):
            type = _owner(function.__self__).__name__  # noqa: A001 - as the parameter is named
        self._info = RunInfo(kind, name or function.__name__, type or "")
        self._infos: dict[str, RunInfo] | None = {} if self._skip and type is None else None

    def info(self, args: tuple[Any, ...]) -> RunInfo:
        """Return the identity of a call; a method's type is the class it is called on."""
        if self._infos is None or not args:
            return self._info
        owner = _owner(args[0])
        found = self._infos.get(owner.__name__)
        if found is None:
            found = RunInfo(self._info.component, self._info.name, owner.__name__)
            self._infos[owner.__name__] = found
        return found

    def input(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return the only positional argument, or all arguments by name."""
        own = args[self._skip :]
        if len(own) == 1 and not kwargs:
            return own[0]
        named: dict[str, Any] = dict(zip(self._names, own, strict=False))
        if len(own) > len(self._names):
            named[self._variadic] = own[len(self._names) :]
        return {**named, **kwargs}


def _owner(thing: Any) -> type:
    return thing if isinstance(thing, type) else type(thing)


def _wrap(function: Callable[..., Any], signature: _Signature) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):
        return _coroutine(function, signature)
    if inspect.isasyncgenfunction(function):
        return _async_generator(function, signature)
    if inspect.isgeneratorfunction(function):
        return _generator(function, signature)
    return _plain(function, signature)


def _plain(function: Callable[..., Any], signature: _Signature) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        found = listeners()
        if found is None:
            return function(*args, **kwargs)
        observation = Observation.of(signature.info(args), found, signature.input(args, kwargs))
        with observation:
            observation.run.output = output = function(*args, **kwargs)
        return output

    return call


def _coroutine(function: Callable[..., Any], signature: _Signature) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        found = listeners()
        if found is None:
            return await function(*args, **kwargs)
        observation = Observation.of(signature.info(args), found, signature.input(args, kwargs))
        async with observation:
            observation.run.output = output = await function(*args, **kwargs)
        return output

    return call


def _generator(
    function: Callable[..., Generator[Any, Any, Any]], signature: _Signature
) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        found = listeners()
        if found is None:
            return (yield from function(*args, **kwargs))
        info, value = signature.info(args), signature.input(args, kwargs)
        return (yield from watch_generator(info, value, found, function(*args, **kwargs)))

    return call


def _async_generator(function: Callable[..., Any], signature: _Signature) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        info, value = signature.info(args), signature.input(args, kwargs)
        return ObservedAsyncGenerator(info, value, function(*args, **kwargs))

    return call
