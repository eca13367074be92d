"""A request's receiver on the engine's loop, where the caller is on another one or in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, final

from sideband.runs import Run
from sideband.serving._call import Call
from sideband.serving._engine import Engine
from sideband.serving._parts import Executed, Items

__all__ = ["Remote"]


@final
class Remote:
    """A call's receiver for an engine on another loop: it posts every report to where the call is."""

    __slots__ = ("_call", "_engine", "_parts", "_post", "listening", "run")

    def __init__(
        self, call: Call, engine: Engine, post: Callable[..., None], parts: deque[Items[Any]]
    ) -> None:
        self._call = call
        self._engine = engine
        self._post = post
        self._parts = parts  # belongs to the caller, who may be adding to it
        self.listening = call.listening
        self.run: Run | None = call.run

    def executing(self, part: Items[Any], execution: Executed) -> None:
        self._post(self._call.executing, part, execution)

    @property
    def finished(self) -> bool:
        return self._call.finished

    def event(self, part: Items[Any], attempt: int, name: str, payload: list[Any]) -> None:
        self._post(self._call.event, part, attempt, name, payload)

    def done(self, part: Items[Any], execution: Executed, own: list[Any]) -> None:
        if execution.exceptional and self._call.failure(own) is not None:
            self._engine.withdraw(list(self._parts))
        self._post(self._call.done, part, execution, own)

    def failed(self, error: BaseException) -> None:
        self._engine.withdraw(list(self._parts))
        self._post(self._call.failed, error)
