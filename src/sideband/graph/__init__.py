"""Graphs of components: every node a run, streams passed on chunk by chunk.

May import errors, runs, handlers, scope, observe, streams and components; a peer of generation and serving.
"""

from sideband.graph._chain import Chain
from sideband.graph._checkpoints import Checkpoints, MemoryCheckpoints, SqliteCheckpoints
from sideband.graph._errors import (
    AnswerError,
    BranchError,
    CheckpointError,
    FieldMissingError,
    GraphBuildError,
    GraphError,
    InterruptError,
    NothingLeftError,
    StepLimitError,
    UnknownCheckpointError,
    UnknownNodeError,
)
from sideband.graph._events import BranchTaken, InputsMerged, NodeSkipped
from sideband.graph._graph import Graph
from sideband.graph._mapping import Field, Static, field, static
from sideband.graph._pause import Question, Resume, interrupt
from sideband.graph._retry import NodeRetried, Retry
from sideband.graph._runnable import Runnable
from sideband.graph._schedule import END, START
from sideband.graph._state import graph_state, locked_state
from sideband.graph._workflow import Workflow

__all__ = [
    "END",
    "START",
    "AnswerError",
    "BranchError",
    "BranchTaken",
    "Chain",
    "CheckpointError",
    "Checkpoints",
    "Field",
    "FieldMissingError",
    "Graph",
    "GraphBuildError",
    "GraphError",
    "InputsMerged",
    "InterruptError",
    "MemoryCheckpoints",
    "NodeRetried",
    "NodeSkipped",
    "NothingLeftError",
    "Question",
    "Resume",
    "Retry",
    "Runnable",
    "SqliteCheckpoints",
    "Static",
    "StepLimitError",
    "UnknownCheckpointError",
    "UnknownNodeError",
    "Workflow",
    "field",
    "graph_state",
    "interrupt",
    "locked_state",
    "static",
]
