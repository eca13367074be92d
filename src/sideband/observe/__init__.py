"""The one place where runs are made, fired and ended. May import errors, runs, handlers, scope and streams."""

from sideband.observe._component import component, emit, is_component, transform
from sideband.observe._observe import observe

__all__ = ["component", "emit", "is_component", "observe", "transform"]
