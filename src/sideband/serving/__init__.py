"""Dynamic batching with hooks. May import what is below generation and graph, and neither of these."""

from sideband.serving._batch import Batch, BatchOutput, HookEvent
from sideband.serving._decorator import serving
from sideband.serving._serving import Serving
from sideband.serving._settings import Stats

__all__ = ["Batch", "BatchOutput", "HookEvent", "Serving", "Stats", "serving"]
