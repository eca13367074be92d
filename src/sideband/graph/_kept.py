"""What is kept of a graph that waits. May import errors, runs and streams."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from sideband.errors import Interrupted
from sideband.graph._checkpoints import Checkpoints
from sideband.graph._flow import values_of
from sideband.graph._pause import VERSION, Pending, encoded
from sideband.graph._plan import Plan
from sideband.runs import Run

__all__ = ["keep"]


async def keep(
    plan: Plan[Any],
    pending: list[Pending],
    schedule: dict[str, Any],
    state: Any,
    *,
    store: Checkpoints | None,
    run: Run | None,
) -> Interrupted:
    """Keep a graph, or hand what there is to keep to the one around it.

    Args:
        plan: the graph's.
        pending: the nodes that wait.
        schedule: what the schedule knows; streams in it are put together.
        state: the graph's.
        store: where the outermost graph is kept; None for one inside of it.
        run: the graph's, if it is watched.

    Returns:
        What the caller of the graph is to get.

    Raises:
        InterruptError: something has no form in JSON.
    """
    for inputs in schedule["inputs"].values():
        inputs.update(await values_of(inputs))
    kept = {
        "pending": [one.kept() for one in pending],
        "schedule": encoded(plan.name, schedule),
        "state": encoded("the state", state),
    }
    error = Interrupted(
        (question for one in pending for question in one.questions), secrets.token_hex(16) if store else ""
    )
    if store is None:
        error.kept = kept
    else:
        await asyncio.to_thread(store.save, error.id, _outermost(kept, plan, run))
    return error


def _outermost(kept: dict[str, Any], plan: Plan[Any], run: Run | None) -> str:
    """Return the text that is kept: which graph it is, and which run was interrupted."""
    whole = {"version": VERSION, "graph": plan.name, "plan": plan.digest(), **kept}
    if run is not None:
        link = run.link()
        whole["run"] = {
            "id": link.id,
            "trace_id": link.trace_id,
            "name": link.name,
            "component": link.component.value,
        }
    return json.dumps(whole)
