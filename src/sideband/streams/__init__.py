"""Chunks over time: streams, their copies, pipes and merges, and how chunks become one value. May import errors.

Asynchronous by default; a synchronous twin has the suffix `_sync`, or is called `SyncStream`, `SyncWriter`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sideband.streams._accumulate import Accumulates, Accumulator, accumulator, join
from sideband.streams._copy import Copy
from sideband.streams._fanout import Overflow
from sideband.streams._sources import SKIP, Skip
from sideband.streams._stream import Stream, concat, from_iterable
from sideband.streams._sync_copy import SyncCopy
from sideband.streams._sync_stream import SyncStream

if TYPE_CHECKING:
    from sideband.streams._merge import Named, NamedChunk, SourceEnded, merge, merge_named
    from sideband.streams._pipe import Pipe, Writer, pipe
    from sideband.streams._sync_merge import merge_named_sync, merge_sync
    from sideband.streams._sync_pipe import SyncPipe, SyncWriter, pipe_sync

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

_LATER = {
    **dict.fromkeys(["Named", "NamedChunk", "SourceEnded", "merge", "merge_named"], "_merge"),
    **dict.fromkeys(["Pipe", "Writer", "pipe"], "_pipe"),
    **dict.fromkeys(["merge_named_sync", "merge_sync"], "_sync_merge"),
    **dict.fromkeys(["SyncPipe", "SyncWriter", "pipe_sync"], "_sync_pipe"),
}
"""What watching does without, and where it is: loaded when it is asked for."""

if not TYPE_CHECKING:  # a type checker would take it to mean that any name is there

    def __getattr__(name: str) -> Any:
        """Load a name that is not needed at first, and keep it."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        found = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        return found
