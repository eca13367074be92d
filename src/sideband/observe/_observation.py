"""One run around a block of code: what `observe` gives."""

from __future__ import annotations

from contextvars import Token
from types import TracebackType
from typing import Any, final

from sideband.handlers import Listeners
from sideband.observe._changes import Changed, leave, show_changes
from sideband.observe._lifecycle import (
    begin,
    end,
    end_with_error,
    fail,
    skip,
    start,
    wait_ending,
    wait_start,
)
from sideband.runs import Run, RunInfo
from sideband.scope._scope import set_current

__all__ = ["Observation"]


@final
class Observation:
    """A watched block: its run starts on entry and ends, once, on exit.

    The run, and the token, which knows the run around it, are kept only between entry and exit: a
    traceback that refers to the caller's frame must not keep the runs, and they their exception.
    """

    __slots__ = ("_changed", "_token", "run")

    run: Run
    _token: Token[Run | None]
    _changed: Changed | None

    def __init__(self, run: Run) -> None:
        """Take a run that `begin` made."""
        self.run = run

    @classmethod
    def of(cls, info: RunInfo, found: Listeners, value: Any) -> Observation:
        """Make it for a component that is about to be executed."""
        return cls(begin(info, found, value))

    def _leave(self) -> None:
        leave(self._token, self._changed)
        del self.run, self._token, self._changed

    def __enter__(self) -> Run:
        """Start the run; asynchronous handlers are skipped."""
        run = self.run
        self._token, self._changed = set_current(run), None
        try:
            skip(run, start(run))
        except BaseException as error:
            self.__exit__(None, error, None)
            raise
        self._changed = show_changes(run)
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run before anybody learns of it."""
        run = self.run
        try:
            if error is None:
                skip(run, end(run, run.output))
            else:
                skip(run, end_with_error(run, error))
        finally:
            self._leave()

    async def __aenter__(self) -> Run:
        """Start the run, waiting for its asynchronous handlers in order."""
        run = self.run
        self._token, self._changed = set_current(run), None
        try:
            pending = start(run)
            if pending is not None:
                await wait_start(run, pending)
        except BaseException as error:
            await self.__aexit__(None, error, None)
            raise
        self._changed = show_changes(run)
        return run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run before anybody learns of it, waiting for its asynchronous handlers in order."""
        run = self.run
        try:
            if error is None:
                await wait_ending(run, end(run, run.output))
            else:
                await fail(run, error)
        finally:
            self._leave()
