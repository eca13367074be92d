"""What runs in a worker process: it makes the model, and executes one batch after the other.

1. It says "hello" when it has come so far that errors can be reported; before that lies the import of
   the program's main module, which Python does for it.
2. The pipe is its life: it ends when its serving closes the other end, and at once when the process
   of that serving ends, whatever the model is doing.
3. Ctrl-C is the parent's business: the signal is ignored here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any, final

from sideband.components import Usage
from sideband.errors import UnpicklableError
from sideband.serving._batch import Batch, listed
from sideband.serving._channel import Channel, pack, pack_singly, portable, unpack, unpack_singly
from sideband.serving._importable import load
from sideband.serving._model import Blueprint
from sideband.serving._parts import is_error

__all__ = ["Session", "main"]


def main(connection: Connection) -> None:
    """Serve until the other end is closed: the target of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):  # the parent blocked it for the time until now
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, name="sideband-parent", daemon=True).start()
    Session(Channel(connection)).run()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # nobody is left to be told, and the model may be busy for hours


@final
class Session:
    """The life of one worker."""

    __slots__ = ("_channel", "_function", "_hooks", "_partition", "_runner", "_serving")

    def __init__(self, channel: Channel) -> None:
        """Speak through a channel."""
        self._channel = channel
        self._function: Callable[[Batch[Any]], Any] = list
        self._serving = ""
        self._partition = 0
        self._hooks: tuple[str, ...] = ()
        self._runner: asyncio.Runner | None = None

    def run(self) -> None:
        """Set up the model, then execute batches until the other end closes."""
        try:
            self._channel.send("hello")
            if self._set_up():
                while True:
                    self._serve_one()
        except (EOFError, OSError):  # closed: the end
            return
        finally:
            if self._runner is not None:
                self._runner.close()

    def _set_up(self) -> bool:
        (found, self._partition, self._serving, self._hooks), _ = self._channel.receive()
        try:
            blueprint = Blueprint(load(found))
            instance, waiting = blueprint.prepare(self._partition)
            if waiting is not None:
                self._finish(waiting)
            self._function = blueprint.function(instance)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - whoever starts the serving gets it
            self._failed(error)
            return False
        self._channel.send("ready")
        return True

    def _finish(self, awaitable: Awaitable[Any]) -> Any:
        # One loop for all batches: what a model keeps open belongs to it.
        if self._runner is None:
            self._runner = asyncio.Runner()

        async def finish() -> Any:
            return await awaitable

        return self._runner.run(finish())

    # -- one batch -------------------------------------------------------------------------------

    def _serve_one(self) -> None:
        (number, listening, whole), body = self._channel.receive()
        values = unpack(body) if whole else None
        failed: dict[int, UnpicklableError] = {}
        if values is None:
            if whole:
                self._channel.send("singly")
                _, body = self._channel.receive()
            values, failed = unpack_singly(body, self._serving, "an item")
        del body
        places = _Places(failed, len(values))
        batch: Batch[Any] = Batch(
            values,
            serving=self._serving,
            partition=self._partition,
            hooks=self._hooks,
            sink=(lambda hook, payload: self._event(number, hook, places.spread(payload, None)))
            if listening
            else None,
        )
        del values
        try:
            results = self._execute(batch) if batch.size else []
        except (SystemExit, KeyboardInterrupt):
            raise  # it ends this process, which its callers learn of
        except BaseException as error:  # noqa: BLE001 - it is the callers' to raise, whatever it is
            self._failed(error, places.usage(batch.usage))
            return
        self._done(places, results, batch)

    def _execute(self, batch: Batch[Any]) -> list[Any]:
        try:
            given = self._function(batch)
            if asyncio.iscoroutine(given):
                given = self._finish(given)
        finally:
            batch.end()
        return listed(given, self._serving, "the results of the batch function", batch.size)

    def _event(self, number: int, hook: str, payload: list[Any]) -> None:
        body = pack(payload)
        if body is None:
            kinds = sorted({type(entry).__qualname__ for entry in payload})
            raise UnpicklableError(
                self._serving, f"the payload of hook {hook!r}", ", ".join(kinds), "cannot be pickled"
            )
        self._channel.send("event", number, hook, body=body)

    def _done(self, places: _Places, results: list[Any], batch: Batch[Any]) -> None:
        usage = places.usage(batch.usage)
        if any(issubclass(kind, BaseException) for kind in set(map(type, results))):
            results = [portable(one, self._serving) if is_error(one) else one for one in results]
        body = None if places.failed else pack(results)
        if body is not None:
            self._channel.send("done", usage, True, body=body)
        else:
            results = places.spread(results, places.failed)
            self._channel.send("done", usage, False, body=pack_singly(results))

    def _failed(self, error: BaseException, usage: Any = None) -> None:
        text = "".join(traceback.format_exception(error))
        crossing = portable(error, self._serving)
        crossing.__traceback__ = None
        self._channel.send("failed", usage, text, body=pack([crossing]) or b"")


@final
class _Places:
    """Where the items that came stand among those that were sent."""

    __slots__ = ("_size", "failed")

    def __init__(self, failed: dict[int, UnpicklableError], came: int) -> None:
        self.failed = failed
        self._size = came + len(failed)

    def spread(self, entries: Sequence[Any], missing: dict[int, Any] | None) -> list[Any]:
        """Return the entries at their places, and those of `missing`, or None, in the places between."""
        if not self.failed:
            return list(entries)
        found = iter(entries)
        missing = missing or {}
        return [missing.get(at) if at in self.failed else next(found) for at in range(self._size)]

    def usage(self, usage: Usage | Sequence[Usage] | None) -> Usage | list[Usage] | None:
        """Return what a model told of its items, with nothing for those that did not come."""
        if usage is None or isinstance(usage, Usage):
            return usage
        return [Usage() if one is None else one for one in self.spread(usage, None)]
