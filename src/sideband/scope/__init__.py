"""Which handlers see which runs, and which run is the current one. May import errors, runs, handlers."""

from sideband.scope._registry import Registration, add_global_handler
from sideband.scope._scope import callbacks, current_run, detached, metadata, node, propagate

__all__ = [
    "Registration",
    "add_global_handler",
    "callbacks",
    "current_run",
    "detached",
    "metadata",
    "node",
    "propagate",
]
