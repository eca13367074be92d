"""The one place where runs are made, fired and ended. May import errors, runs, handlers and scope."""

from sideband.observe._component import component, emit
from sideband.observe._observe import observe

__all__ = ["component", "emit", "observe"]
