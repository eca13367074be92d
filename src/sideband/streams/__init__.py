"""Chunks over time: streams, their copies, pipes and merges, and how chunks become one value. May import errors.

Asynchronous by default; a synchronous twin has the suffix `_sync`, or is called `SyncStream`, `SyncWriter`.
"""

from sideband.streams._accumulate import Accumulates, Accumulator, accumulator, join
from sideband.streams._copy import Copy
from sideband.streams._fanout import Overflow
from sideband.streams._merge import Named, NamedChunk, SourceEnded, merge, merge_named
from sideband.streams._pipe import Pipe, Writer, pipe
from sideband.streams._sources import SKIP, Skip
from sideband.streams._stream import Stream, concat, from_iterable
from sideband.streams._sync_copy import SyncCopy
from sideband.streams._sync_merge import merge_named_sync, merge_sync
from sideband.streams._sync_pipe import SyncPipe, SyncWriter, pipe_sync
from sideband.streams._sync_stream import SyncStream

__all__ = [
    "SKIP",
    "Accumulates",
    "Accumulator",
    "Copy",
    "Named",
    "NamedChunk",
    "Overflow",
    "Pipe",
    "Skip",
    "SourceEnded",
    "Stream",
    "SyncCopy",
    "SyncPipe",
    "SyncStream",
    "SyncWriter",
    "Writer",
    "accumulator",
    "concat",
    "from_iterable",
    "join",
    "merge",
    "merge_named",
    "merge_named_sync",
    "merge_sync",
    "pipe",
    "pipe_sync",
]
