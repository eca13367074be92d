"""Graphs of components: every node a run, streams passed on chunk by chunk.

May import errors, runs, handlers, scope, observe, streams and components; a peer of generation and serving.
"""

from sideband.graph._chain import Chain
from sideband.graph._errors import (
    BranchError,
    FieldMissingError,
    GraphBuildError,
    GraphError,
    NothingLeftError,
    StepLimitError,
    UnknownNodeError,
)
from sideband.graph._execution import BranchTaken, InputsMerged, NodeSkipped
from sideband.graph._graph import Graph
from sideband.graph._mapping import Field, Static, field, static
from sideband.graph._retry import NodeRetried, Retry
from sideband.graph._runnable import Runnable
from sideband.graph._schedule import END, START
from sideband.graph._state import graph_state, locked_state
from sideband.graph._workflow import Workflow

__all__ = [
    "END",
    "START",
    "BranchError",
    "BranchTaken",
    "Chain",
    "Field",
    "FieldMissingError",
    "Graph",
    "GraphBuildError",
    "GraphError",
    "InputsMerged",
    "NodeRetried",
    "NodeSkipped",
    "NothingLeftError",
    "Retry",
    "Runnable",
    "Static",
    "StepLimitError",
    "UnknownNodeError",
    "Workflow",
    "field",
    "graph_state",
    "locked_state",
    "static",
]
