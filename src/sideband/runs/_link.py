"""How one run refers to another. Loaded when a run is first linked to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from sideband.runs._info import Component

__all__ = ["RunLink"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunLink:
    """Another run that this one served or came from: identity only, never a payload."""

    id: str
    """16 hex digits."""
    trace_id: str
    """32 hex digits."""
    name: str
    component: Component
