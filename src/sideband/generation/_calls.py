"""Several methods called one after the other, plain or asynchronous, whatever one of them raises. May import errors."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sideband.errors import Abort

__all__ = ["in_order"]

Calls = Sequence[Callable[..., Any]]
Errors = tuple[Exception, ...]


def in_order(calls: Calls, *args: Any, abort: bool = False) -> Awaitable[None] | None:
    """Call all of them, then raise what they raised: an `Abort` first, one error as it is, several as a group.

    Args:
        calls: plain functions or coroutine functions.
        args: what each of them is given.
        abort: whether an `Abort` is raised at once, and the rest not called.

    Returns:
        None if all is done; what has to be awaited where one of the calls gave an awaitable, for which the
        rest waits.
    """
    return _go_on(calls, args, abort, ())


def _go_on(calls: Calls, args: tuple[Any, ...], abort: bool, errors: Errors) -> Awaitable[None] | None:
    for place, call in enumerate(calls):
        try:
            result = call(*args)
        except Exception as error:  # noqa: BLE001 - raised once all have been called
            errors = _with(error, abort, errors)
        else:
            if result is not None and inspect.isawaitable(result):
                return _wait(result, calls[place + 1 :], args, abort, errors)
    if errors:
        _raise(errors)
    return None


async def _wait(
    awaitable: Awaitable[Any], rest: Calls, args: tuple[Any, ...], abort: bool, errors: Errors
) -> None:
    try:
        await awaitable
    except Exception as error:  # noqa: BLE001 - raised once all have been called
        errors = _with(error, abort, errors)
    following = _go_on(rest, args, abort, errors)
    if following is not None:
        await following


def _with(error: Exception, abort: bool, errors: Errors) -> Errors:
    if abort and isinstance(error, Abort):
        raise error
    return (*errors, error)


def _raise(errors: Errors) -> None:
    first = next((error for error in errors if isinstance(error, Abort)), None)
    if first is not None or len(errors) == 1:
        raise first or errors[0]
    raise ExceptionGroup("several hooks failed", errors)
