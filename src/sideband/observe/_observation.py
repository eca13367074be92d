"""One run around a block of code: what `observe` gives, and what drives plain components."""

from __future__ import annotations

from contextvars import Token
from types import TracebackType
from typing import Any, final

from sideband.handlers import Listeners
from sideband.observe._lifecycle import (
    Changed,
    begin,
    end,
    end_with_error,
    skip,
    start,
    starts_of,
    wait_ending,
    wait_start,
)
from sideband.runs import Outcome, Run, RunInfo
from sideband.scope._scope import current, restore, set_current

__all__ = ["Observation"]


@final
class Observation:
    """A watched block: its run starts on entry and ends, once, on exit.

    The run, and the token, which knows the run around it, are kept only between entry and exit: a
    traceback that refers to the caller's frame must not keep the runs, and they their exception.
    """

    __slots__ = ("_changed", "_token", "run")

    run: Run

    def __init__(self, run: Run) -> None:
        """Take a run that `begin` made."""
        self.run = run

    @classmethod
    def of(cls, info: RunInfo, found: Listeners, value: Any) -> Observation:
        """Make it for a component that is about to be executed."""
        return cls(begin(info, found, value))

    def _open(self) -> None:
        self._changed: Changed | None = None
        self._token: Token[Run | None] = set_current(self.run)

    def _opened(self) -> None:
        if starts_of(self.run):
            self._changed = Changed.since_start(self.run)
            if self._changed is not None:
                self._changed.set()

    def _leave(self) -> None:
        if self._changed is not None:
            self._changed.reset()
        restore(current, self._token)
        del self.run, self._token, self._changed

    def __enter__(self) -> Run:
        """Start the run; asynchronous handlers are skipped."""
        run = self.run
        self._open()
        try:
            skip(run, start(run))
        except BaseException as error:
            self.__exit__(None, error, None)
            raise
        self._opened()
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run before anybody learns of it."""
        run = self.run
        try:
            if error is None:
                skip(run, end(run, Outcome.OK, run.output))
            else:
                skip(run, end_with_error(run, error))
        finally:
            self._leave()

    async def __aenter__(self) -> Run:
        """Start the run, waiting for its asynchronous handlers in order."""
        run = self.run
        self._open()
        try:
            pending = start(run)
            if pending is not None:
                await wait_start(run, pending)
        except BaseException as error:
            await self.__aexit__(None, error, None)
            raise
        self._opened()
        return run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run before anybody learns of it, waiting for its asynchronous handlers in order."""
        if isinstance(error, GeneratorExit):  # a coroutine that is being closed may not wait
            self.__exit__(kind, error, traceback)
            return
        run = self.run
        try:
            if error is None:
                pending = end(run, Outcome.OK, run.output)
                if pending is not None or run._streams is not None:
                    await wait_ending(run, pending)
            else:
                pending = end_with_error(run, error)
                if pending is not None or run._streams is not None:
                    await wait_ending(run, pending)
        finally:
            self._leave()
