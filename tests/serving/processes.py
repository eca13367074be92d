"""What the tests of worker processes share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sideband.serving import Serving, _process

from . import models

# What the first serving of its kind loads: once, and not on a test's loop.
assert _process.GRACE


def serve(model: Any = models.obey, **options: Any) -> Serving[Any, Any]:
    """Make a serving with worker processes."""
    return Serving(model, executor="process", **options)


def alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
