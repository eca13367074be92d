"""Hooks for AI components: one set of handlers sees every run of a program.

The names here are the whole of what most programs need; servings, streams and the rest have packages
of their own. Importing this package loads the standard library alone.
"""

from sideband.errors import Abort, SidebandError
from sideband.handlers import Handler, HandlerLike, at, compose, handler, only
from sideband.observe import component, emit, is_component, observe, transform
from sideband.runs import Component, Ending, Outcome, Run, RunLink
from sideband.scope import (
    Registration,
    add_global_handler,
    callbacks,
    current_run,
    detached,
    metadata,
    propagate,
)

__all__ = [
    "Abort",
    "Component",
    "Ending",
    "Handler",
    "HandlerLike",
    "Outcome",
    "Registration",
    "Run",
    "RunLink",
    "SidebandError",
    "add_global_handler",
    "at",
    "callbacks",
    "component",
    "compose",
    "current_run",
    "detached",
    "emit",
    "handler",
    "is_component",
    "metadata",
    "observe",
    "only",
    "propagate",
    "transform",
]

__version__ = "0.1.0"
