"""A bounded history of runs, for whoever shows them. May import the core and the standard library only."""

from sideband.exporters.history._capture import Capture, CaptureMode, Redact
from sideband.exporters.history._histogram import Histogram
from sideband.exporters.history._history import History
from sideband.exporters.history._journal import Changes, Position, Totals
from sideband.exporters.history._record import Chunk, Event, Record

__all__ = [
    "Capture",
    "CaptureMode",
    "Changes",
    "Chunk",
    "Event",
    "Histogram",
    "History",
    "Position",
    "Record",
    "Redact",
    "Totals",
]
