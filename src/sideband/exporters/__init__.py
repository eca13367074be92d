"""Where runs go: pages, terminals, files, other systems. May import every layer below.

An exporter is loaded when it is asked for, and it alone imports the library that it stands on.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sideband.exporters.history import History
    from sideband.exporters.live import LiveView, live_view

__all__ = ["History", "LiveView", "live_view"]

_LATER = {
    "History": "sideband.exporters.history",
    "LiveView": "sideband.exporters.live",
    "live_view": "sideband.exporters.live",
}

if not TYPE_CHECKING:  # a type checker would take it to mean that any name is there

    def __getattr__(name: str) -> Any:
        """Load an exporter when it is asked for, and keep it."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        found = globals()[name] = getattr(import_module(_LATER[name]), name)
        return found
