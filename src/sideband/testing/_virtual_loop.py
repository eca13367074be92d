"""An event loop in virtual time: what takes an hour is tested in a moment. Knows nothing of the other layers.

1. Time stands still while anything can happen; when nothing can, it jumps to the next timer.
2. It stands still, too, while a thread works that the loop itself has started.
3. Where there is no timer either, and no thread reports, the program is stuck, which is an error.

The idea is that of trio's `MockClock` with `autojump_threshold=0`, and of async-solipsism for asyncio.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, TypeAlias, TypeVar, TypeVarTuple, Unpack, final

__all__ = ["DeadlockError", "VirtualLoop", "run_virtual"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_Events: TypeAlias = list[tuple[selectors.SelectorKey, int]]


class DeadlockError(AssertionError):
    """A program in virtual time can never go on; `waiting` says what waits, and where."""

    def __init__(self, reason: str, waiting: tuple[str, ...]) -> None:
        """Say why nothing can happen any more, and list the tasks that are not done."""
        self.reason = reason
        self.waiting = waiting
        tasks = "\n".join(f"- {task}" for task in waiting) or "- no task"
        super().__init__(f"nothing can happen any more: {reason}; what waits is\n{tasks}")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it.

    `sleep`, `timeout`, `call_later` and whatever else asks the loop for the time work as they do in real
    time, in the same order, but take none. `loop.time()` is exact, so that tests can compare it.

    ```python
    async def main():
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 3600.0
    ```

    Give it to `asyncio.Runner(loop_factory=VirtualLoop)`, or to pytest-asyncio by its hook
    `pytest_asyncio_loop_factories`.

    Order: as on any loop; timers of one moment in the order in which they were set.
    Threads: `to_thread` and `run_in_executor` take no virtual time: the clock waits for them. Of threads that
        something else started it knows nothing: it may jump while they work, and hears of them by
        `call_soon_threadsafe` as any loop does. `time.monotonic` and its like go on in real time.
    Closing: as any loop; what is left is cancelled by the runner.
    Cost: a poll for each turn. Sockets and child processes take real time, which it does not wait for.

    Raises:
        DeadlockError: (an AssertionError) out of the runner, if nothing can happen any more.
    """

    def __init__(self, *, start: float = 0.0, patience: float = 5.0) -> None:
        """Start the clock.

        Args:
            start: what `time()` gives at first, in seconds.
            patience: real seconds that it waits for threads before it takes the program for stuck.
        """
        self.turns: int = 0
        """How often the loop has looked for something to do: what waits properly does not raise it."""
        self._now = start
        self._patience = patience
        self._working = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call a function in a thread; the clock stands still until it has returned."""
        future = super().run_in_executor(executor, func, *args)
        self._working += 1
        future.add_done_callback(self._worked)
        return future

    def _worked(self, _: asyncio.Future[Any]) -> None:
        self._working -= 1

    def _pass(self, poll: Callable[[float | None], _Events], timeout: float | None) -> _Events:
        """Let time pass until the next timer, or wait for a thread where one can still report."""
        self.turns += 1
        if timeout is not None and (timeout <= 0 or not self._working):
            self._now += max(0.0, timeout)
            return poll(0)
        found = poll(0 if threading.active_count() == 1 and not self._working else self._patience)
        if not found:
            raise DeadlockError(self._reason(timeout), tuple(_waiting(self)))
        return found

    def _reason(self, timeout: float | None) -> str:
        if timeout is not None:
            return (
                f"the clock waits for {self._working} calls in threads, which have not returned after "
                f"{self._patience} s of real time"
            )
        return "no timer is set, and no thread has anything to report"


@final
class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> _Events:
        return self._loop._pass(super().select, timeout)


def _waiting(loop: VirtualLoop) -> Iterator[str]:
    for task in sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name()):
        yield f"{task.get_name()}: {_place(task.get_coro())}"


def _place(awaited: Any) -> str:
    """Say where a coroutine is suspended, innermost."""
    name = getattr(awaited, "__qualname__", repr(awaited))
    place = "not begun"
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            code = frame.f_code
            place = f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}"
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return f"{name}, at {place}"


def run_virtual(main: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """Run a program in virtual time, as `asyncio.run` does in real time.

    Args:
        main: the coroutine to run.
        debug: asyncio's debug mode; None as it is set for the process.

    Raises:
        DeadlockError: (an AssertionError) it can never go on.
    """
    with asyncio.Runner(debug=debug, loop_factory=VirtualLoop) as runner:
        return runner.run(main)
