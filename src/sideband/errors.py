"""Every error that the library raises. Knows nothing of the rest of the package.

    SidebandError
    ├── Abort                       a handler stops the run that it watches
    ├── Interrupted                 a graph waits for a human's answer
    ├── HandlerRefusedError         (TypeError) a handler that cannot work was attached
    ├── SerialisationError          (ValueError) a value with no form in JSON, or JSON that is no value
    ├── ToolArgumentsError          (ValueError) a model's arguments for a tool are no JSON object
    ├── MissingExtraError           (ImportError) a package of one of the extras is not installed
    ├── StreamError
    │   ├── ReaderClosedError       (BrokenPipeError) sent to a reader that had closed
    │   ├── StreamBrokenError       (RuntimeError) the producer went away without an ending
    │   ├── StreamBusyError         (RuntimeError) a second reader while the first one waits
    │   ├── StreamClosedError       (RuntimeError) used after its own side closed it or handed it over
    │   ├── StreamDeadlockError     (RuntimeError) a handler's copy read where it would wait for itself
    │   └── StreamLoopError         (RuntimeError) used on two event loops
    └── ServingError
        ├── NotStartedError         (RuntimeError) dispatched to before start
        ├── ServingClosedError      (RuntimeError) dispatched to, or waiting, at the close
        ├── WrongThreadError        (RuntimeError) a synchronous twin on the serving's own loop
        ├── QueueFullError          no room within `max_queue`
        ├── OversizedItemError      (ValueError) an item dearer than `max_cost`
        ├── DispatchTimeoutError    (TimeoutError) no answer within `timeout`
        ├── LengthMismatchError     (ValueError) not one entry an item
        ├── UnknownHookError        (ValueError) an event name that was not declared
        ├── LateEmitError           (RuntimeError) an event after its batch had ended
        ├── WorkerCrashedError      (RuntimeError) a worker process ended under its batch
        ├── UnpicklableError        (TypeError) what cannot go to a worker process, or come back
        └── RemoteError             (RuntimeError) a worker's exception that cannot come back itself

Each leaf inherits the built-in in brackets, too, so that code that knows nothing of this library can catch it.
"""

from __future__ import annotations

import reprlib
import signal
from collections.abc import Iterable
from typing import Any

__all__ = [
    "Abort",
    "DispatchTimeoutError",
    "HandlerRefusedError",
    "Interrupted",
    "LateEmitError",
    "LengthMismatchError",
    "MissingExtraError",
    "NotStartedError",
    "OversizedItemError",
    "QueueFullError",
    "ReaderClosedError",
    "RemoteError",
    "SerialisationError",
    "ServingClosedError",
    "ServingError",
    "SidebandError",
    "StreamBrokenError",
    "StreamBusyError",
    "StreamClosedError",
    "StreamDeadlockError",
    "StreamError",
    "StreamLoopError",
    "ToolArgumentsError",
    "UnknownHookError",
    "UnpicklableError",
    "WorkerCrashedError",
    "WrongThreadError",
]


class SidebandError(Exception):
    """The root of every error that the library raises itself.

    All of them can be pickled, and so come out of another process with what they carry, where that can be.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how to make it again: of its text and attributes, since a leaf's own arguments are neither."""
        return _again, (type(self), self.args, vars(self))


def _again(kind: type[SidebandError], args: tuple[Any, ...], attributes: dict[str, Any]) -> SidebandError:
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(attributes)
    return error


class Abort(SidebandError):  # noqa: N818 - control flow that users raise; DESIGN names it so
    """Raise it in a handler's `on_start` or `on_chunk` to stop the run it watches.

    The run ends with the outcome error, what it held upstream is closed, and its caller gets this
    very object. Raised in an ending or in `on_event` it is logged, since the work is done by then.
    """


class Interrupted(SidebandError):  # noqa: N818 - an outcome, not a failure
    """A graph waits for a human's answer: no failure, and runs that end with it end as interrupted, with `on_end`.

    In a node it is raised by `sideband.graph.interrupt`, and has to be let through. What the graph's caller gets has
    the `id` by which the graph can be resumed.
    """

    def __init__(self, questions: Iterable[Any], id: str = "") -> None:  # noqa: A002
        """Take the questions, each a `sideband.graph.Question`, and the id of what is kept."""
        self.questions: tuple[Any, ...] = tuple(questions)
        self.id = id
        asked = ", ".join(repr(getattr(one, "question", one)) for one in self.questions)
        by = f" by resume({id!r}, answer)" if id else ""
        super().__init__(f"waits for an answer{by}: {asked}")
        self.kept: Any = None
        """What is kept of a graph inside of a graph, which keeps it with its own."""


class HandlerRefusedError(SidebandError, TypeError):
    """A handler was attached that could not work; nothing was attached."""

    def __init__(self, candidate: object, reason: str) -> None:
        """Say what was given and why it cannot be a handler."""
        super().__init__(f"{candidate!r} cannot be attached as a handler: {reason}")
        self.candidate = candidate
        self.reason = reason


class SerialisationError(SidebandError, ValueError):
    """A value cannot be written as JSON, or JSON does not hold the value that it says."""

    def __init__(self, value: object, reason: str) -> None:
        """Show the value, shortened, and say why."""
        super().__init__(f"{reprlib.repr(value)} cannot be converted: {reason}")
        self.value = value
        self.reason = reason


class ToolArgumentsError(SidebandError, ValueError):
    """What a model wrote as the arguments of a tool cannot be read; tell the model, it may do better."""

    def __init__(self, tool: str, arguments: str, reason: str) -> None:
        """Show what it wrote, shortened, and say why that does not do."""
        super().__init__(
            f"the arguments {reprlib.repr(arguments)} for the tool {tool!r} cannot be read: {reason}"
        )
        self.tool = tool
        self.arguments = arguments
        self.reason = reason


class MissingExtraError(SidebandError, ImportError):
    """A package that belongs to one of the extras, or a file of it, is not installed."""

    def __init__(self, extra: str, missing: str) -> None:
        """Say what is missing and which command installs it."""
        super().__init__(
            f'{extra!r} needs {missing}, which is not installed; run: pip install "sideband[{extra}]"',
            name=missing,
        )
        self.extra = extra
        self.missing = missing


class StreamError(SidebandError):
    """The root of what streams raise themselves; an error of a source passes through as it is."""


class ReaderClosedError(StreamError, BrokenPipeError):
    """A chunk was sent, or waited to be taken, when the reader closed; it was not delivered."""

    def __init__(self) -> None:
        """Say that nobody reads any more."""
        super().__init__("the reader has closed its end: nobody takes this chunk; stop sending")


class StreamBrokenError(StreamError, RuntimeError):
    """The producer went away without ending the stream; what it had sent was delivered before."""

    def __init__(self, reason: str) -> None:
        """Say how the producer went."""
        super().__init__(f"the stream broke off: {reason}")
        self.reason = reason


class StreamBusyError(StreamError, RuntimeError):
    """A stream was used while another task or thread was reading it; nothing was lost."""

    def __init__(self, stream: object, doing: str = "read") -> None:
        """Name the stream and what was tried."""
        super().__init__(
            f"{stream!r} cannot be {doing} while another reader waits for its next chunk; "
            "give each reader a stream of its own with `copy(n)`"
        )
        self.stream = stream
        self.doing = doing


class StreamClosedError(StreamError, RuntimeError):
    """A stream's end was used after that same side had closed it or handed it over."""

    def __init__(self, message: str) -> None:
        """Say what was done and what to use instead."""
        super().__init__(message)


class StreamDeadlockError(StreamError, RuntimeError):
    """A handler read its copy on the very thread that feeds it, while the run goes on; nothing was lost."""

    def __init__(self) -> None:
        """Say where it can be read."""
        super().__init__(
            "a handler's copy was read on the thread that feeds it, which would wait for itself; "
            "read it in another thread, or after the run has ended"
        )


class StreamLoopError(StreamError, RuntimeError):
    """One asynchronous stream was used on two event loops."""

    def __init__(self, what: object) -> None:
        """Point to what joins threads."""
        super().__init__(
            f"{what!r} is bound to the event loop that used it first; join threads with `pipe_sync` "
            "or `asyncio.run_coroutine_threadsafe`"
        )


class ServingError(SidebandError):
    """The root of what a serving raises; `serving` is its name."""

    def __init__(self, serving: str, message: str) -> None:
        """Name the serving in front of what happened."""
        super().__init__(f"serving {serving!r}: {message}")
        self.serving = serving


class NotStartedError(ServingError, RuntimeError):
    """An item was dispatched to a serving that is not running."""

    def __init__(self, serving: str) -> None:
        """Show the ways to start it."""
        super().__init__(
            serving,
            "not started; enter it with `async with` (or `with` in a synchronous program), "
            "call `start()`, or use `inline`, which needs no start",
        )


class ServingClosedError(ServingError, RuntimeError):
    """The serving closed before the item could be executed."""

    def __init__(self, serving: str, detail: str = "closed; it takes no more items") -> None:
        """Say whether the item was refused or given up."""
        super().__init__(serving, detail)


class WrongThreadError(ServingError, RuntimeError):
    """A call was made from a thread or loop where it would wait for itself."""


class QueueFullError(ServingError):
    """More items wait than `max_queue` allows; none of the call's items was taken."""

    def __init__(self, serving: str, *, waiting: int, offered: int, max_queue: int) -> None:
        """Tell the three numbers."""
        remedy = (
            "try again later, raise max_queue, or add partitions"
            if offered <= max_queue
            else "so many never fit: send them in parts, or raise max_queue"
        )
        super().__init__(
            serving, f"{waiting} items wait and {offered} more would exceed max_queue={max_queue}; {remedy}"
        )
        self.waiting = waiting
        self.offered = offered
        self.max_queue = max_queue


class OversizedItemError(ServingError, ValueError):
    """An item costs more than a batch may, and the serving refuses such items; none of the call's was taken."""

    def __init__(self, serving: str, *, cost: float, max_cost: float) -> None:
        """Tell both costs."""
        super().__init__(
            serving,
            f"an item costs {cost!r}, more than max_cost={max_cost!r}; make it smaller, raise max_cost, or let "
            'such items be executed by themselves with oversized="alone"',
        )
        self.cost = cost
        self.max_cost = max_cost


class DispatchTimeoutError(ServingError, TimeoutError):
    """The call's `timeout` passed; items that had not begun were taken out."""

    def __init__(self, serving: str, timeout: float) -> None:
        """Tell the limit, in seconds."""
        super().__init__(serving, f"no answer within timeout={timeout!r} s")
        self.timeout = timeout


class LengthMismatchError(ServingError, ValueError):
    """A batch function, a hook or a map gave another number of entries than there are items."""

    def __init__(self, serving: str, what: str, *, expected: int, got: int) -> None:
        """Name both lengths."""
        super().__init__(serving, f"{what} must have one entry an item: expected {expected}, got {got}")
        self.expected = expected
        self.got = got


class UnknownHookError(ServingError, ValueError):
    """A batch emitted an event whose name the serving does not declare in `hooks`."""

    def __init__(self, serving: str, hook: str, declared: Iterable[str]) -> None:
        """List the names that there are."""
        self.hook = hook
        self.declared: tuple[str, ...] = tuple(declared)
        names = ", ".join(map(repr, self.declared)) or "none"
        super().__init__(serving, f"hook {hook!r} is not declared; declared are: {names}")


class LateEmitError(ServingError, RuntimeError):
    """A batch was used to emit after its execution had ended."""

    def __init__(self, serving: str, hook: str) -> None:
        """Say which event was refused."""
        super().__init__(
            serving, f"hook {hook!r} was emitted after its batch had ended; emit before the function returns"
        )
        self.hook = hook


class WorkerCrashedError(ServingError, RuntimeError):
    """A worker process ended: under its batch, which fails with this, or before it could take one."""

    def __init__(
        self, serving: str, detail: str, *, pid: int | None, exitcode: int | None, executing: bool
    ) -> None:
        """Say how the process ended and what it was doing.

        Args:
            serving: the serving's name.
            detail: what it was doing, and what to do about it.
            pid: the process.
            exitcode: what it exited with; the negative number of the signal that ended it; None if unknown.
            executing: whether it had a batch.
        """
        super().__init__(serving, f"worker process {pid} {_how_it_ended(exitcode)} {detail}")
        self.pid = pid
        self.exitcode = exitcode
        self.executing = executing


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is None:
        return "ended"
    if exitcode >= 0:
        return f"exited with code {exitcode}"
    try:
        return f"was ended by {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"was ended by signal {-exitcode}"


class UnpicklableError(ServingError, TypeError):
    """A value cannot go to a worker process, or come back from it; its item fails alone."""

    def __init__(self, serving: str, what: str, kind: str, reason: str) -> None:
        """Name the value's type and what pickling it raised."""
        super().__init__(
            serving,
            f"{what} of type {kind} {reason}; with executor='process' values go to another process and back",
        )
        self.what = what
        self.kind = kind
        self.reason = reason


class RemoteError(ServingError, RuntimeError):
    """An exception of a worker process that cannot be pickled: its type's name and its text."""

    def __init__(self, serving: str, kind: str, text: str) -> None:
        """Say what was raised there."""
        super().__init__(serving, f"its worker process raised {text}")
        self.kind = kind
        self.text = text
