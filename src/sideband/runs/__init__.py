"""What a run is. May import errors and the standard library only."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sideband.runs._ids import parse_traceparent
from sideband.runs._info import Component, Outcome, RunInfo
from sideband.runs._run import Ending, Run
from sideband.runs._state import State

if TYPE_CHECKING:
    from sideband.runs._link import RunLink

__all__ = ["Component", "Ending", "Outcome", "Run", "RunInfo", "RunLink", "State", "parse_traceparent"]

if not TYPE_CHECKING:  # a type checker would take it to mean that any name is there

    def __getattr__(name: str) -> Any:
        """Load a name that is not needed at first, and keep it."""
        if name != "RunLink":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        found = globals()[name] = import_module("sideband.runs._link").RunLink
        return found
