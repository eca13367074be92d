"""Who listens: handlers, and the plans that tell a run whom to call. May import errors and runs."""

from sideband.handlers._attach import Bundle, Entry, HandlerLike, at, compose, entries, only
from sideband.handlers._background import background
from sideband.handlers._generator import handler
from sideband.handlers._handler import Handler
from sideband.handlers._plan import Listeners, Plan

__all__ = [
    "Bundle",
    "Entry",
    "Handler",
    "HandlerLike",
    "Listeners",
    "Plan",
    "at",
    "background",
    "compose",
    "entries",
    "handler",
    "only",
]
