"""Random programs: trees of components of every sort, with failures, cancellations, threads and early ends.

A program is a value (`Node`); `interpreter.execute` runs it. It behaves the same however often it is
run, so that what it does unwatched can be compared with what it does with any handlers.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

SORTS = (
    "function", "coroutine", "generator", "async_generator", "block", "async_block",
    "returning", "collect", "async_collect", "transform", "async_transform",
)  # fmt: skip
"""What it is: `returning` is a coroutine that returns a stream; the last four have a stream as input."""

FAILURES = ("none", "none", "none", "none", "raise", "raise_first", "cancel", "interrupt", "stuck")
"""How it goes: `stuck` waits for ever, and is cancelled, or has a timeout."""

READINGS = (
    "all", "all", "some", "close_at_once", "throw", "drop", "elsewhere", "a_task_a_chunk", "a_thread_a_chunk",
)  # fmt: skip
"""How its consumer reads it, if it is a stream."""

PLACES = ("here", "here", "here", "to_thread", "executor")
"""Where it is called, if it cannot wait."""

_WAITING = frozenset(
    {"coroutine", "async_block", "async_generator", "returning", "async_collect", "async_transform"}
)
_STREAMING = frozenset({"generator", "async_generator", "returning", "transform", "async_transform"})
_TAKING = frozenset({"collect", "async_collect", "transform", "async_transform"})


@dataclass(frozen=True)
class Node:
    """One component of a program, and what it does."""

    name: str
    sort: str
    failure: str
    reading: str
    sets: bool
    """Whether its body sets the variable."""
    together: bool
    """Whether its children run at the same time, where it can wait."""
    chunks: int
    """How many chunks it gives, or takes from its input."""
    children: tuple[Node, ...]
    place: str = "here"

    @property
    def waits(self) -> bool:
        """Whether its body can wait."""
        return self.sort in _WAITING

    @property
    def streams(self) -> bool:
        """Whether its output is a stream."""
        return self.sort in _STREAMING

    @property
    def takes(self) -> bool:
        """Whether its input is a stream."""
        return self.sort in _TAKING


def programs() -> st.SearchStrategy[Node]:
    """Draw programs of up to a few levels."""

    def node(children: st.SearchStrategy[tuple[Node, ...]]) -> st.SearchStrategy[Node]:
        return st.builds(
            Node,
            name=st.sampled_from("abcdef"),
            sort=st.sampled_from(SORTS),
            failure=st.sampled_from(FAILURES),
            reading=st.sampled_from(READINGS),
            sets=st.booleans(),
            together=st.booleans(),
            chunks=st.integers(0, 3),
            children=children,
            place=st.sampled_from(PLACES),
        )

    return st.recursive(
        node(st.just(())), lambda inner: node(st.lists(inner, max_size=3).map(tuple)), max_leaves=8
    )
