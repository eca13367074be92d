"""Identifiers of runs and traces, in the format of W3C Trace Context."""

from __future__ import annotations

import os
import random
import re

# An instance of our own: drawing from the shared one would change what a seeded program draws.
_random = random.Random()  # noqa: S311 - identifiers, not secrets
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def new_run_id() -> str:
    """Return 16 random hex digits that are not all zero."""
    return f"{_random.getrandbits(64) or 1:016x}"


def new_trace_id() -> str:
    """Return 32 random hex digits that are not all zero."""
    return f"{_random.getrandbits(128) or 1:032x}"


def parse_traceparent(header: str) -> tuple[str, str]:
    """Return the trace id and the parent's id of a W3C `traceparent` header.

    Raises:
        ValueError: the header is not of the form `00-<32 hex>-<16 hex>-<2 hex>`, or an id is zero.
    """
    match = _TRACEPARENT.fullmatch(header.strip())
    if match is not None:
        version, trace_id, parent_id, _flags, rest = match.groups()
        zero = not int(trace_id, 16) or not int(parent_id, 16)
        if not zero and version != "ff" and not (version == "00" and rest):
            return trace_id, parent_id
    msg = f"traceparent {header!r} is not of the form 00-<32 hex digits>-<16 hex digits>-<2 hex digits>"
    raise ValueError(msg)
