"""Who listens: handlers, and the plans that tell a run whom to call. May import errors and runs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sideband.handlers._attach import Bundle, Entry, HandlerLike, at, compose, entries, only
from sideband.handlers._generator import handler
from sideband.handlers._handler import Handler
from sideband.handlers._plan import Listeners, Plan

if TYPE_CHECKING:
    from sideband.handlers._background import background
    from sideband.handlers._totals import Total, Totals

__all__ = [
    "Bundle",
    "Entry",
    "Handler",
    "HandlerLike",
    "Listeners",
    "Plan",
    "Total",
    "Totals",
    "at",
    "background",
    "compose",
    "entries",
    "handler",
    "only",
]

_LATER = {
    "Total": "sideband.handlers._totals",
    "Totals": "sideband.handlers._totals",
    "background": "sideband.handlers._background",
}
"""What most programs do without, and where it is: loaded when it is asked for."""

if not TYPE_CHECKING:  # a type checker would take it to mean that any name is there

    def __getattr__(name: str) -> Any:
        """Load a name that is not needed at first, and keep it."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        found = globals()[name] = getattr(import_module(_LATER[name]), name)
        return found
