"""What a run is. May import errors and the standard library only."""

from sideband.runs._ids import parse_traceparent
from sideband.runs._info import Component, Outcome, RunInfo
from sideband.runs._run import Ending, Run, RunLink
from sideband.runs._state import State

__all__ = ["Component", "Ending", "Outcome", "Run", "RunInfo", "RunLink", "State", "parse_traceparent"]
