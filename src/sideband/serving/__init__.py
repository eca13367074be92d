"""Dynamic batching with hooks. May import what is below generation and graph, and neither of these."""

from sideband.serving._batch import Batch, BatchOutput, HookEvent
from sideband.serving._decorator import serving
from sideband.serving._serving import Serving
from sideband.serving._settings import Stats
from sideband.serving._simulate import simulate
from sideband.serving._simulation import CostModel, Distribution, Simulation

__all__ = [
    "Batch",
    "BatchOutput",
    "CostModel",
    "Distribution",
    "HookEvent",
    "Serving",
    "Simulation",
    "Stats",
    "serving",
    "simulate",
]
