"""Where the time of a request went: what its run tells of the batches that served it."""

from __future__ import annotations

from collections import OrderedDict
from typing import final

from sideband.components import Usage
from sideband.runs import Run, RunLink
from sideband.serving._parts import Executed, Items

__all__ = ["Tally"]

_MOST = 1_024
"""The most links to batches that a request's run keeps, those of the last ones; and the most unfinished parts."""


@final
class Tally:
    """What was executed of a request, added up as soon as it is done, so that an endless one keeps no batch alive."""

    __slots__ = (
        "_batch_size", "_execute_share", "_execute_time", "_executions", "_items", "_links", "_partitions",
        "_queue_time", "_running", "_share", "_usage",
    )  # fmt: skip

    def __init__(self) -> None:
        """Start with nothing."""
        self._running: dict[Items[object], Executed] = {}
        self._executions = self._items = 0
        self._usage: Usage | None = None
        self._batch_size = 0
        self._execute_time = self._execute_share = self._share = 0.0
        self._queue_time = float("-inf")
        self._partitions: set[int] = set()
        self._links: OrderedDict[RunLink, None] = OrderedDict()

    def begins(self, part: Items[object], execution: Executed) -> None:
        """Count a part that is being executed."""
        self._running[part] = execution
        self._executions += 1
        self._batch_size = max(self._batch_size, execution.size)
        self._share += _share(part, execution)
        if execution.attempt == 1:
            self._items += part.size
        self._queue_time = max(self._queue_time, execution.started - part.arrived)
        self._partitions.add(execution.partition)
        if execution.link is not None:
            self._links[execution.link] = None
            if len(self._links) > _MOST:
                self._links.popitem(last=False)
        if len(self._running) > _MOST:  # with those that failed and are executed again in parts
            older = list(self._running)[: _MOST // 2]
            for other in [other for other in older if self._running[other].execute_time]:
                self.ends(other)

    def ends(self, part: Items[object]) -> None:
        """Add the time of a part that is done, and what it consumed."""
        execution = self._running.pop(part, None)
        if execution is not None:
            self._execute_time += execution.execute_time
            self._execute_share += _share(part, execution) * execution.execute_time
            if part.usage is not None:
                self._usage = part.usage if self._usage is None else self._usage + part.usage

    def record(self, run: Run) -> None:
        """Write it on the request's run, what is being executed included."""
        for part in list(self._running):
            self.ends(part)
        if not self._executions:
            return
        partitions = sorted(self._partitions)
        run.attributes.update(
            queue_time=self._queue_time,
            execute_time=self._execute_time,
            execute_share=self._execute_share,
            batch_size=self._batch_size,
            batches=self._executions,
            partition=partitions[0] if len(partitions) == 1 else tuple(partitions),
            share=self._share,
            items=self._items,
        )
        if self._usage is not None:
            run.usage = self._usage
        run.links = (*run.links, *[link for link in self._links if link not in run.links])


def _share(part: Items[object], execution: Executed) -> float:
    """Return which part of a batch some items are: by their cost, else by their number."""
    return part.cost / execution.cost if execution.cost else part.size / execution.size
