"""How calls of functions that give streams are watched; loaded with the first such component."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

from sideband.observe._returned import watch_returned
from sideband.observe._signature import Signature
from sideband.observe._streamed import ObservedAsyncGenerator, watch_generator
from sideband.observe._tap import Tap
from sideband.scope._scope import listeners

__all__ = ["async_generator", "generator", "returning"]


def generator(function: Callable[..., Generator[Any, Any, Any]], signature: Signature) -> Callable[..., Any]:
    """Wrap a generator function."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        found = listeners()
        if found is None:
            return (yield from function(*args, **kwargs))
        info, value, tapped = signature.info(args), signature.input(args, kwargs), None
        if signature.streamed:
            tapped, args, kwargs = signature.tapped(args, kwargs)
        return (yield from watch_generator(info, value, found, function(*args, **kwargs), tapped=tapped))

    return call


def async_generator(function: Callable[..., Any], signature: Signature) -> Callable[..., Any]:
    """Wrap an asynchronous generator function."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        def tap() -> tuple[Any, Tap | None]:
            tapped, own_args, own_kwargs = signature.tapped(args, kwargs)
            return function(*own_args, **own_kwargs), tapped

        info, value = signature.info(args), signature.input(args, kwargs)
        # Who listens is known at the first pull; until then the generator is made of what was given.
        source = function(*args, **kwargs)
        return ObservedAsyncGenerator(info, value, source, tap=tap if signature.streamed else None)

    return call


def returning(function: Callable[..., Any], signature: Signature) -> Callable[..., Any]:
    """Wrap a coroutine function that returns a stream.

    Raises:
        TypeError: it is no coroutine function.
    """
    if not inspect.iscoroutinefunction(function):
        msg = f"stream=True is for a coroutine function that returns a stream, got {function!r}"
        raise TypeError(msg)

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        found = listeners()
        if found is None:
            return await function(*args, **kwargs)
        run = signature.begin(found, args, kwargs)
        tapped: Tap | None = None
        if signature.streamed:
            tapped, args, kwargs = signature.tapped(args, kwargs)
        return await watch_returned(run, functools.partial(function, *args, **kwargs), tapped)

    return call
