"""The payloads of a graph's own events. Imports nothing of the library."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BranchTaken", "InputsMerged", "NodeSkipped"]


class BranchTaken(NamedTuple):
    """The payload of a graph's event "branch": where a branch led."""

    source: str
    targets: tuple[str, ...]


class NodeSkipped(NamedTuple):
    """The payload of a graph's event "skip": a node that no branch chose."""

    node: str


class InputsMerged(NamedTuple):
    """The payload of a graph's event "merge": a node that several nodes led to."""

    node: str
    sources: tuple[str, ...]
