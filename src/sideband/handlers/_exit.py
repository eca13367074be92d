"""How background handlers finish when the process does. Knows nothing of the rest.

Python first ends its executors and joins its threads, then calls what `atexit` knows, while daemon threads
still run; in forked children of `multiprocessing` it may do only the former. So there are two hooks: before
the executors end, which handlers may need, the queues are emptied; at `atexit` they are closed, after
the last event of any thread. One limit holds for all of it together.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol, final

__all__ = ["ProcessEnd", "process_end"]


class Closable(Protocol):
    """Something with a queue."""

    close_timeout: float

    def flush(self, timeout: float) -> bool:
        """Wait until the queue is empty."""
        ...

    def close(self, timeout: float) -> bool:
        """Wait likewise, and take nothing more."""
        ...


@final
class ProcessEnd:
    """What the end of the process waits for."""

    def __init__(self) -> None:
        """Start without anything to wait for."""
        self.working: set[Closable] = set()
        """Whose worker runs, or could not be started."""
        self._process: int | None = None
        self._spent = 0.0

    def hook(self) -> None:
        """Have the queues emptied and closed when this process ends; works once a process."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        # This import registers the hook that ends executors, which is to be called after ours: last in, first out.
        importlib.import_module("concurrent.futures.thread")
        register: Any = getattr(threading, "_register_atexit", None)
        if register is not None:
            with contextlib.suppress(RuntimeError):  # too late: `atexit` is still to come
                register(self._flush_all)
        atexit.register(self._close_all)
        multiprocessing: Any = sys.modules.get("multiprocessing")
        if multiprocessing is not None and multiprocessing.parent_process() is not None:
            # Before its queues are closed (10), into which a handler may put.
            sys.modules["multiprocessing.util"].Finalize(None, self._flush_all, exitpriority=100)

    def forget(self) -> None:
        """Wait for nobody: this is a forked process."""
        self.working.clear()
        self._spent = 0.0

    def _flush_all(self) -> None:
        for delivery, left in self._limits():
            delivery.flush(left)

    def _close_all(self) -> None:
        for delivery, left in self._limits():
            delivery.close(left)

    def _limits(self) -> Iterator[tuple[Closable, float]]:
        """Give each with the seconds that are left to it: they work side by side, all from the same moment."""
        began = time.monotonic() - self._spent
        for delivery in list(self.working):
            yield delivery, max(0.0, began + delivery.close_timeout - time.monotonic())
        self._spent = time.monotonic() - began


process_end = ProcessEnd()
