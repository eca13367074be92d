"""Hooks for AI components: one set of handlers sees every run of a program.

The names here are the whole of what most programs need; servings, streams and the rest have packages
of their own. Importing this package loads the standard library alone.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sideband.errors import Abort, SidebandError
from sideband.handlers import Handler, HandlerLike, at, compose, handler, only
from sideband.observe import component, emit, is_component, observe, transform
from sideband.runs import Component, Ending, Outcome, Run
from sideband.scope import (
    Registration,
    add_global_handler,
    callbacks,
    current_run,
    detached,
    metadata,
    propagate,
)

if TYPE_CHECKING:
    from sideband.components import by_component
    from sideband.handlers import background
    from sideband.runs import RunLink

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
    "background",
    "by_component",
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

_LATER = {
    "RunLink": "sideband.runs",
    "background": "sideband.handlers",
    "by_component": "sideband.components",
}
"""Names that are loaded when they are asked for, and where from: watching and being watched do not need them."""

if not TYPE_CHECKING:  # a type checker would take it to mean that any name is there

    def __getattr__(name: str) -> Any:
        """Load a name that is not needed at first, and keep it."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        found = globals()[name] = getattr(import_module(_LATER[name]), name)
        return found


if "SIDEBAND_WATCH" in os.environ:  # `sideband watch` has started this program
    import_module("sideband.exporters._relay").attach()
