"""From a caller's values to its results: the run, the maps, the request. Written once for all callers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Any, final

from sideband.errors import LengthMismatchError, NotStartedError
from sideband.handlers import HandlerLike, Listeners
from sideband.observe._lifecycle import plan_of
from sideband.observe._observation import Observation
from sideband.observe._streamed import ObservedAsyncGenerator, watch_generator
from sideband.runs import Component, Run, RunInfo
from sideband.scope._scope import current, listeners, scope_of
from sideband.serving._batch import BatchOutput, HookEvent, listed
from sideband.serving._call import Call
from sideband.serving._engine import Engine
from sideband.serving._execution import Surroundings
from sideband.serving._grading import Grading, check_priority
from sideband.serving._host import Host
from sideband.serving._inline import Inline, InlineRequest
from sideband.serving._requests import TaskRequest, ThreadRequest, drive
from sideband.serving._settings import Settings

__all__ = ["Dispatcher", "Options"]


@final
class Options:
    """What one call asks for."""

    __slots__ = ("inline", "priority", "return_exceptions", "single", "timeout")

    def __init__(
        self,
        *,
        timeout: float | None = None,
        priority: int = 0,
        return_exceptions: bool = False,
        single: bool = False,
        inline: bool = False,
    ) -> None:
        """Check them.

        Raises:
            ValueError: the timeout is negative, the priority out of range.
            TypeError: the priority is no whole number.
        """
        if timeout is not None and timeout < 0:
            msg = f"timeout must not be negative, got {timeout!r}"
            raise ValueError(msg)
        check_priority(priority)
        self.timeout = timeout
        self.priority = priority
        self.return_exceptions = return_exceptions
        self.single = single
        self.inline = inline


@final
class Dispatcher:
    """The calls of one serving."""

    def __init__(
        self, settings: Settings, host: Host, inline: Inline, callbacks: Iterable[HandlerLike]
    ) -> None:
        """Send calls to the host's engine, or execute them inline.

        Raises:
            HandlerRefusedError: a callback is no handler.
        """
        self._settings = settings
        self.grading = Grading(settings)
        self._host = host
        self._inline = inline
        self._info = RunInfo(Component.SERVING, settings.name)
        self._batch_info = RunInfo(Component.BATCH, settings.name)
        self._scope = scope_of(*callbacks)

    def configure(self, settings: Settings) -> None:
        """Go by other options from the next call on; from any thread."""
        self._settings = self._inline.settings = settings
        self.grading = Grading(settings)

    def surroundings(self) -> Surroundings:
        """Return what executions have around them that are made in the calling context."""
        settings = self._settings
        return Surroundings(self._batch_info, self._scope, settings.hooks, isolate=settings.isolate_errors)

    def _started(self) -> Engine:
        if self._host.engine is None:
            raise NotStartedError(self._settings.name)
        return self._host.engine

    # -- results ---------------------------------------------------------------------------------

    async def respond(self, values: Iterable[Any], options: Options) -> Any:
        """Return the results, or the one result of a single value, to a task."""
        items = _items(values)
        found = listeners()
        if found is None:
            return await self._results(None, items, options, synchronous=False)
        observation = self._observation(found, items, options)
        async with observation:
            results = await self._results(observation.run, items, options, synchronous=False)
            observation.run.output = results
        return results

    def respond_sync(self, values: Iterable[Any], options: Options) -> Any:
        """Return the results, or the one result of a single value, to a thread."""
        items = _items(values)
        found = listeners()
        if found is None:
            return drive(self._results(None, items, options, synchronous=True))
        observation = self._observation(found, items, options)
        with observation:
            results = drive(self._results(observation.run, items, options, synchronous=True))
            observation.run.output = results
        return results

    def _observation(self, found: Listeners, items: list[Any], options: Options) -> Observation:
        return Observation.of(self._info, found, items[0] if options.single else items)

    async def _results(
        self, run: Run | None, items: list[Any], options: Options, *, synchronous: bool
    ) -> Any:
        mapped = self._map_inputs(items)
        call = self._call(run, mapped, options, streaming=False)
        del run  # the traceback of an error refers to this frame, and the run to the error
        if not mapped:
            results: list[Any] = []
        elif options.inline:
            request = InlineRequest(self._inline, call, self.surroundings(), synchronous=synchronous)
            results = await request.results(mapped)
        else:
            results = await self._request(call, mapped, options, synchronous=synchronous).results()
        results = self._map_results(results, len(items))
        return results[0] if options.single else results

    # -- streams ---------------------------------------------------------------------------------

    def stream(self, values: Iterable[Any], options: Options) -> AsyncGenerator[Any, None]:
        """Return the events for a task."""
        items = _items(values)
        source = self._events(items, options, synchronous=False)
        return ObservedAsyncGenerator(self._info, items[0] if options.single else items, source, join=_flat)

    def stream_sync(self, values: Iterable[Any], options: Options) -> Generator[Any, None, None]:
        """Return the events for a thread."""
        items = _items(values)
        return self._watched(items, options)

    def _watched(self, items: list[Any], options: Options) -> Generator[Any, None, None]:
        source = _driven(self._events(items, options, synchronous=True))
        found = listeners()
        if found is None:
            yield from source
        else:
            value = items[0] if options.single else items
            yield from watch_generator(self._info, value, found, source, join=_flat)

    async def _events(
        self, items: list[Any], options: Options, *, synchronous: bool
    ) -> AsyncGenerator[Any, None]:
        mapped = self._map_inputs(items)
        if len(mapped) != len(items):  # the parts of a stream have to be those of the caller's values
            listed(mapped, self._settings.name, "what map_inputs gives to a stream", len(items))
        if not mapped:
            return
        run = current.get()
        own = run if run is not None and run._info is self._info else None
        call = self._call(own, mapped, options, streaming=True)
        del run, own
        events = self._request(call, mapped, options, synchronous=synchronous).events()
        try:
            async for event in events:
                yield self._map_event(event)
        finally:
            await events.aclose()

    # -- what both share -------------------------------------------------------------------------

    def _call(self, run: Run | None, mapped: list[Any], options: Options, *, streaming: bool) -> Call:
        heard = streaming or (run is not None and bool(plan_of(run).events))
        return Call(
            len(mapped),
            run=run,
            listening=heard,
            streaming=streaming,
            return_exceptions=options.return_exceptions,
        )

    def _request(
        self, call: Call, mapped: list[Any], options: Options, *, synchronous: bool
    ) -> TaskRequest | ThreadRequest:
        engine, settings = self._started(), self._settings
        kind = ThreadRequest if synchronous else TaskRequest
        request = kind(engine, call, name=settings.name, timeout=options.timeout)
        request.submit(mapped, self.grading, options.priority)
        return request

    def _map_inputs(self, items: list[Any]) -> list[Any]:
        mapping = self._settings.map_inputs
        if mapping is None or not items:
            return items
        mapped = mapping(items)
        return listed(mapped, self._settings.name, "what map_inputs gives", None)

    def _map_results(self, results: list[Any], expected: int) -> list[Any]:
        mapping = self._settings.map_results
        if mapping is not None and expected:
            return listed(mapping(results), self._settings.name, "what map_results gives", expected)
        if len(results) != expected:
            raise LengthMismatchError(
                self._settings.name, "the results of the call", expected=expected, got=len(results)
            )
        return results

    def _map_event(self, event: HookEvent | BatchOutput[Any]) -> HookEvent | BatchOutput[Any]:
        if self._settings.map_results is None or isinstance(event, HookEvent):
            return event
        return BatchOutput(output=self._map_results(event.output, len(event.output)), offset=event.offset)


def _items(values: Iterable[Any]) -> list[Any]:
    if isinstance(values, str | bytes | bytearray):
        kind = type(values).__name__
        msg = f"values must be an iterable of items, got the single {kind} {values[:40]!r}; use dispatch"
        raise TypeError(msg)
    return list(values)


def _flat(events: list[HookEvent | BatchOutput[Any]]) -> list[Any]:
    return [result for event in events if isinstance(event, BatchOutput) for result in event.output]


def _driven(events: AsyncGenerator[Any, None]) -> Generator[Any, None, None]:
    # Awaitables, with a coroutine's methods.
    pull: Callable[[], Any] = events.__anext__
    close: Callable[[], Any] = events.aclose
    try:
        while True:
            try:
                event = drive(pull())
            except StopAsyncIteration:
                return
            yield event
    finally:
        drive(close())
