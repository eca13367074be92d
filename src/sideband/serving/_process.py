"""The model in worker processes, one a partition: starting, using, replacing and ending them.

1. A partition's thread starts its process, sends it a batch and reads what comes until the results are
   there. So whoever executes a batch calls a function, as with `executor="thread"`.
2. A process is "busy" while that thread waits for it. Idle, it is ended by closing the pipe; busy, by a
   signal, since only its thread may touch the pipe then.
3. Nothing that is closed starts a process again.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, final

from sideband.errors import (
    LateEmitError,
    RemoteError,
    ServingClosedError,
    ServingError,
    UnpicklableError,
    WorkerCrashedError,
)
from sideband.serving._batch import Batch
from sideband.serving._channel import Channel, pack, pack_singly, unpack, unpack_singly
from sideband.serving._importable import Reference, reference
from sideband.serving._restarts import Restarts
from sideband.serving._worker import Worker
from sideband.serving._worker_process import main

__all__ = ["GRACE", "ProcessBlueprint", "WorkerProcess"]

GRACE = 1.0
"""Seconds that a process which is to end has to do so by itself, and then after SIGTERM, before it is killed."""

_PATIENCE = 2.0
"""Seconds that a batch waits at most for a worker to be started again; else it fails at once."""

_BEFORE_HELLO = (
    "before it could take the model, while it imported the program's main module: its own messages are on "
    "standard error; a program that starts a serving with executor='process' must do so under "
    '`if __name__ == "__main__":`, since each worker process imports its main module'
)

_logger = logging.getLogger("sideband")
# A fresh interpreter: no lock, no thread, no file of the parent is copied into it, on any system.
_context: SpawnContext = multiprocessing.get_context("spawn")


@final
class ProcessBlueprint:
    """How to get the function that executes the batches of one partition in a process; for one start."""

    asynchronous = False

    def __init__(self, model: Any, *, serving: str, hooks: tuple[str, ...]) -> None:
        """Describe the workers; nothing is started."""
        self._model = model
        self._serving = serving
        self._hooks = hooks
        self._workers: list[WorkerProcess] = []

    def prepare(self, partition: int) -> tuple[WorkerProcess, Awaitable[Any] | None]:
        """Start the process of one partition and set up its model; called in the partition's thread."""
        worker = WorkerProcess(reference(self._model), self._serving, self._hooks, partition)
        self._workers.append(worker)
        worker.start()
        return worker, None

    def function(self, instance: WorkerProcess) -> Callable[[Any], Any]:
        """Return what executes a batch: the worker itself."""
        return instance

    def close_soon(self, then: Callable[[], Any]) -> None:
        """Close in a thread of its own, since those of the partitions may wait for a process that hangs."""

        def close() -> None:
            self.close()
            then()

        closer = Worker(f"sideband-{self._serving}-closer")
        closer.submit(close)
        closer.stop()

    def close(self) -> None:
        """End all processes, within three seconds whatever they do; waits for them. Again, it does nothing."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.ask_to_end()
        for end in (None, SpawnProcess.terminate, SpawnProcess.kill):
            deadline = time.monotonic() + GRACE
            for worker in workers:
                worker.wait_for_end(end, deadline)


@final
class WorkerProcess:
    """The process of one partition, and those that replace it.

    Called by its partition's thread alone, except `ask_to_end` and `wait_for_end`.
    """

    def __init__(self, found: Reference, serving: str, hooks: tuple[str, ...], partition: int) -> None:
        """Describe it."""
        self._setup = (found, partition, serving, hooks)
        self._serving = serving
        self._partition = partition
        self._restarts = Restarts()
        self._process: SpawnProcess | None = None
        self._channel: Channel | None = None
        self._pid: int | None = None
        self._exitcode: int | None = None
        self._batches = 0
        self._lock = threading.Lock()
        self._joining = threading.Lock()
        self._busy = False
        self._closed = threading.Event()

    # -- executing -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the first process, and set up its model.

        Raises:
            WorkerCrashedError: it ended before it was ready.
            Exception: what importing, unpickling or setting up the model raised.
        """
        with self._using():
            self._start()

    def __call__(self, batch: Batch[Any]) -> list[Any]:
        """Execute a batch in the process; events are passed on as they come.

        Raises:
            WorkerCrashedError: the process ended, or cannot be started.
            ServingClosedError: the serving has ended it.
            Exception: what the model raised.
        """
        with self._using():
            answer = self._exchanged(batch)
            if answer is None:
                answer = self._exchanged(batch, last=True)
            self._restarts.succeeded()
        if isinstance(answer, _Raised):
            raise answer.error
        return answer or []

    def _exchanged(self, batch: Batch[Any], *, last: bool = False) -> list[Any] | _Raised | None:
        """Return what became of a batch; None if the process was gone before it could have taken it."""
        channel = self._living()
        channel.heard = False
        try:
            return self._exchange(channel, batch)
        except (EOFError, OSError) as error:
            # A pipe is only reset, or broken, by a process that had not read all of what it was sent.
            unread = isinstance(error, ConnectionResetError | BrokenPipeError)
            if unread and not last and not channel.heard:
                self._gone("while it was idle", executing=False)
                return None
            raise self._gone("while it executed a batch", executing=True) from error
        except BaseException:
            # Out of step: what comes next belongs to this batch, and must not reach another.
            self._discard()
            raise

    def mend(self) -> None:
        """Start another process if the last one is gone, so that the next batch need not wait for it."""
        # What fails here fails again, and is told, at the next batch.
        with suppress(Exception), self._using():
            self._living()

    @contextmanager
    def _using(self) -> Generator[None]:
        with self._lock:
            if self._closed.is_set():
                raise ServingClosedError(self._serving, "closed; its worker processes have ended")
            self._busy = True
        try:
            yield
        finally:
            with self._lock:
                self._busy = False
                if self._closed.is_set():
                    self._let_go_of_the_channel()

    def _exchange(self, channel: Channel, batch: Batch[Any]) -> list[Any] | _Raised:
        body = pack(batch.values)
        listening = batch._sink is not None
        self._batches += 1
        channel.send(
            self._batches,
            listening,
            body is not None,
            body=pack_singly(batch.values) if body is None else body,
        )
        del body
        unread: UnpicklableError | None = None
        while True:
            header, body = channel.receive()
            match header:
                case ("event", number, hook):
                    if number != self._batches:  # a thread of the model's emitted it as its batch ended
                        continue
                    payload = unpack(body)
                    if payload is None:
                        unread = self._unreadable(f"the payload of hook {hook!r}")
                        continue
                    with suppress(LateEmitError):  # nobody waits any more, and the process does not know
                        batch.emit(hook, payload)
                case ("singly",):
                    channel.send("singly", body=pack_singly(batch.values))
                case ("failed", usage, text):
                    batch.usage = usage
                    return _Raised(self._error(body, text))
                case _:
                    _, usage, whole = header
                    batch.usage = usage
                    return _Raised(unread) if unread else self._results(body, batch.size, whole=whole)

    def _results(self, body: bytes, size: int, *, whole: bool) -> list[Any] | _Raised:
        if whole:
            results = unpack(body)
            return _Raised(self._unreadable("the list of results")) if results is None else results
        entries, failed = unpack_singly(body, self._serving, "a result")
        came = iter(entries)
        return [failed[place] if place in failed else next(came) for place in range(size)]

    def _unreadable(self, what: str) -> UnpicklableError:
        return UnpicklableError(self._serving, what, "list", "cannot be unpickled in this process")

    def _error(self, body: bytes, text: str) -> BaseException:
        crossed = unpack(body) if body else None
        error: BaseException = (
            crossed[0] if crossed else RemoteError(self._serving, "Exception", text.strip())
        )
        error.add_note(f"In worker process {self._pid} of serving {self._serving!r}:\n{text.rstrip()}")
        return error

    # -- starting and replacing --------------------------------------------------------------------

    def _living(self) -> Channel:
        if self._process is not None and not self._process.is_alive():
            self._gone("while it was idle", executing=False)
        return self._channel or self._start_again()

    def _start_again(self) -> Channel:
        wait = self._restarts.wait(time.monotonic())
        if wait > _PATIENCE:
            detail = f"; {self._restarts.deaths} in a row did so, and the next one is started in {wait:.1f} s"
            raise self._crash(detail, executing=False)
        if self._closed.wait(wait):
            raise ServingClosedError(self._serving)
        try:
            return self._start()
        except ServingError:
            raise
        except Exception as error:
            detail = f"and could not be replaced: setting up the model again raised {type(error).__name__}: {error}"
            raise self._crash(detail, executing=False) from error

    def _start(self) -> Channel:
        ours, theirs = _context.Pipe()
        process = _context.Process(
            target=main, args=(theirs,), name=f"sideband-{self._serving}-{self._partition}", daemon=True
        )
        try:
            with _ctrl_c_held_back():
                process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        channel = Channel(ours)
        with self._lock:
            self._process, self._channel, self._pid = process, channel, process.pid
            if self._closed.is_set():
                process.terminate()
        self._set_up(channel)
        return channel

    def _set_up(self, channel: Channel) -> None:
        doing = _BEFORE_HELLO
        try:
            channel.receive()
            doing = "while it set up the model"
            channel.send(*self._setup)
            header, body = channel.receive()
        except (EOFError, OSError) as error:
            raise self._gone(doing, executing=False) from error
        if header[0] == "failed":
            raised = self._error(body, header[2])
            self._discard()
            raise raised

    # -- ending ------------------------------------------------------------------------------------

    def _gone(self, doing: str, *, executing: bool) -> ServingError:
        """Take note of a process that has ended, and return the error for whoever needed it."""
        self._discard()
        if self._closed.is_set():
            return ServingClosedError(self._serving, "closed; its worker process was ended")
        error = self._crash(doing, executing=executing)
        _logger.warning("%s", error)
        return error

    def _crash(self, detail: str, *, executing: bool) -> WorkerCrashedError:
        return WorkerCrashedError(
            self._serving, detail, pid=self._pid, exitcode=self._exitcode, executing=executing
        )

    def _discard(self) -> None:
        """End what is left of the process, and count its death."""
        with self._lock:
            self._let_go_of_the_channel()
        for end in (None, SpawnProcess.kill):
            self.wait_for_end(end, time.monotonic() + GRACE)
        process, self._process = self._process, None
        self._exitcode = None if process is None else process.exitcode
        self._restarts.died(time.monotonic())

    def _let_go_of_the_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def ask_to_end(self) -> None:
        """End the process soon, and start no other; from any thread."""
        with self._lock:
            self._closed.set()
            if not self._busy:
                self._let_go_of_the_channel()
            elif self._process is not None:
                self._process.terminate()

    def wait_for_end(self, end: Callable[[SpawnProcess], None] | None, deadline: float) -> None:
        """Do what ends the process, if it has not ended, and wait for it until a time of the monotonic clock."""
        process = self._process
        if process is None:
            return
        with self._joining:  # two that wait for one process at a time hide its exit code from each other
            if end is not None and process.is_alive():
                end(process)
            process.join(max(0.0, deadline - time.monotonic()))


@final
class _Raised:
    """What the model raised, as opposed to what it returned."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def _ctrl_c_held_back() -> Generator[None]:
    """Start a process that ignores Ctrl-C from its first moment: it inherits what is blocked here."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
