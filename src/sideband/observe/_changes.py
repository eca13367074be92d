"""What the body of a run finds in its context: the run, and what start handlers changed. May import runs and scope.

The handlers are called in a private context of the run. The variables that they changed there are set in the body's
own context, which is its caller's, before each of its steps and reset after it.
"""

from __future__ import annotations

from contextvars import ContextVar, Token, copy_context
from typing import Any, final

from sideband.runs import Run
from sideband.scope._scope import reset_current, restore

__all__ = ["Changed", "leave", "show_changes"]

_MISSING: Any = object()


@final
class Changed:
    """The context variables that start handlers changed, set for each step of a run's body.

    A body that sets one of them itself keeps its own value between its steps, as it would unwatched,
    until it gives back the one that it found.
    """

    __slots__ = ("_tokens", "_values")

    def __init__(self, values: list[tuple[ContextVar[Any], Any]]) -> None:
        """Remember what to set."""
        self._values = values
        self._tokens: list[Token[Any] | None] = [None] * len(values)

    def set(self) -> None:
        """Set the variables in the calling context, less those that the body has taken over."""
        self._tokens = [
            token or variable.set(value)
            for (variable, value), token in zip(self._values, self._tokens, strict=True)
        ]

    def reset(self) -> None:
        """Reset those that have the value that `set` gave them."""
        for place, (variable, value) in enumerate(self._values):
            token = self._tokens[place]
            if token is not None and variable.get(_MISSING) is value:
                restore(variable, token)
                self._tokens[place] = None


def show_changes(run: Run) -> Changed | None:
    """Set what the start handlers changed in the calling context; return it, None if there is nothing."""
    private, here = run._context, copy_context()
    if private is None:  # the run has ended meanwhile
        return None
    # Two contexts of one origin compare by identity first. If something was set, values are compared,
    # and a value may be of a type that cannot be.
    try:
        if private == here:
            return None
    except Exception:  # noqa: BLE001, S110 - whatever `__eq__` of somebody's value raises: not known to be equal
        pass
    found = [
        (variable, value) for variable, value in private.items() if here.get(variable, _MISSING) is not value
    ]
    if not found:
        return None
    changed = Changed(found)
    changed.set()
    return changed


def leave(token: Token[Run | None], changed: Changed | None) -> None:
    """Give the context of a run's body back as it was."""
    if changed is not None:
        changed.reset()
    try:
        reset_current(token)
    except ValueError:
        return  # as `restore` says
