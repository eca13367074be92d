"""`observe`: a run made by hand around a block of code."""

from __future__ import annotations

from types import TracebackType
from typing import Any, final

from sideband.observe._lifecycle import begin
from sideband.observe._observation import Observation
from sideband.runs import Component, Run, RunInfo, parse_traceparent
from sideband.runs._run import InertRun
from sideband.scope._scope import listeners

__all__ = ["observe"]


@final
class observe:  # noqa: N801 - used as a function: `with observe(…) as run`
    """Make a run of a block of code, with `with` or `async with`.

    ```python
    async with observe("embed", component="Embedding", type="MiniLM", input=texts) as run:
        run.output = await model(texts)
    ```

    The block's own outcome is the run's: ok, an exception, or cancelled. With nobody listening the
    run is inert: it keeps what is assigned to it and tells nobody. Around a `yield` it is not
    supported, since the consumer would be inside of the run; make the generator a `component`.

    Order: starts before the block; the ending before anything after the block.
    Cancellation: ends the run as cancelled.
    Threads: enter and leave it in one task or thread; it may be entered again afterwards.
    Cost: one lookup where nobody listens.
    """

    __slots__ = ("_info", "_input", "_observation", "_remote")

    def __init__(
        self,
        name: str,
        *,
        component: Component | str = Component.LAMBDA,
        type: str = "",  # noqa: A002
        input: Any = None,  # noqa: A002
        traceparent: str | None = None,
    ) -> None:
        """Name the run.

        Args:
            name: the component's name.
            component: its kind.
            type: the implementation, for instance "OpenAI".
            input: what the handlers get as its input.
            traceparent: a W3C header; the run joins that trace if it has no parent here.

        Raises:
            ValueError: `component` is no known kind, or `traceparent` is malformed.
        """
        self._info = RunInfo(component, name, type)
        self._input = input
        self._remote = None if traceparent is None else parse_traceparent(traceparent)
        self._observation: Observation | None = None

    def _begin(self) -> Observation | None:
        if self._observation is not None:
            msg = f"this observe({self._info.name!r}) is already entered; make one for each block"
            raise RuntimeError(msg)
        found = listeners()
        if found is None:
            return None
        run = begin(self._info, found, self._input)
        if run.parent is None:
            run._remote = self._remote
        return Observation(run)

    def __enter__(self) -> Run:
        """Start the run."""
        observation = self._begin()
        if observation is None:
            return InertRun(self._info, self._input)
        run = observation.__enter__()
        self._observation = observation
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run."""
        observation, self._observation = self._observation, None
        if observation is not None:
            observation.__exit__(kind, error, traceback)

    async def __aenter__(self) -> Run:
        """Start the run, waiting for its asynchronous handlers."""
        observation = self._begin()
        if observation is None:
            return InertRun(self._info, self._input)
        run = await observation.__aenter__()
        self._observation = observation
        return run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run, waiting for its asynchronous handlers."""
        observation, self._observation = self._observation, None
        if observation is not None:
            await observation.__aexit__(kind, error, traceback)
