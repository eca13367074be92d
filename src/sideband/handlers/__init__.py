"""Who listens: handlers, and the plans that tell a run whom to call. May import errors and runs."""

from typing import TYPE_CHECKING, Any

from sideband.handlers._attach import Bundle, Entry, HandlerLike, at, compose, entries, only
from sideband.handlers._generator import handler
from sideband.handlers._handler import Handler
from sideband.handlers._plan import Listeners, Plan
from sideband.handlers._totals import Total, Totals

if TYPE_CHECKING:
    from sideband.handlers._background import background

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

if not TYPE_CHECKING:  # a type checker would take it to mean that any name is there

    def __getattr__(name: str) -> Any:
        """Load what most programs do without when it is asked for, and keep it."""
        if name != "background":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        from sideband.handlers._background import background  # noqa: PLC0415

        return globals().setdefault(name, background)
