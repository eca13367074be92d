"""Identifiers of runs and traces, in the format of W3C Trace Context."""

from __future__ import annotations

import os
import re

_TRACEPARENT = r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"

# The system's own numbers: no generator to load, none to seed again after a fork, and none shared with a program that
# seeds Python's. That all digits are zero, which the format forbids, will not happen.


def new_run_id() -> str:
    """Return 16 random hex digits."""
    return os.urandom(8).hex()


def new_trace_id() -> str:
    """Return 32 random hex digits."""
    return os.urandom(16).hex()


def parse_traceparent(header: str) -> tuple[str, str]:
    """Return the trace id and the parent's id of a W3C `traceparent` header.

    Raises:
        ValueError: the header is not of the form `00-<32 hex>-<16 hex>-<2 hex>`, or an id is zero.
    """
    match = re.fullmatch(_TRACEPARENT, header.strip())
    if match is not None:
        version, trace_id, parent_id, _flags, rest = match.groups()
        zero = not int(trace_id, 16) or not int(parent_id, 16)
        if not zero and version != "ff" and not (version == "00" and rest):
            return trace_id, parent_id
    msg = f"traceparent {header!r} is not of the form 00-<32 hex digits>-<16 hex digits>-<2 hex digits>"
    raise ValueError(msg)
