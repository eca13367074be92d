"""From a caller's values to its results: the run, the maps, the request. Written once for all callers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Any, final

from sideband.errors import LengthMismatchError, NotStartedError
from sideband.handlers import HandlerLike, Listeners
from sideband.observe._lifecycle import plan_of
from sideband.observe._observation import Observation
from sideband.observe._streamed import ObservedAsyncGenerator, watch_generator
from sideband.observe._tap import Tap, listen
from sideband.runs import Component, Run, RunInfo
from sideband.scope._scope import current, listeners, scope_of
from sideband.serving._batch import BatchOutput, HookEvent, listed
from sideband.serving._call import Call
from sideband.serving._engine import Engine
from sideband.serving._execution import Surroundings
from sideband.serving._feeding import Feeding, Values, given, watched
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
        return Surroundings(
            self._batch_info,
            self._scope,
            settings.hooks,
            batch_size=settings.batch_size,
            isolate=settings.isolate_errors,
        )

    def _started(self) -> Engine:
        if self._host.engine is None:
            raise NotStartedError(self._settings.name)
        return self._host.engine

    # -- results ---------------------------------------------------------------------------------

    async def respond(self, values: Values, options: Options) -> Any:
        """Return the results, or the one result of a single value, to a task."""
        found = listeners()
        if found is None:
            return await self._results(None, given(values, inline=options.inline), options, synchronous=False)
        items, tapped = watched(values, inline=options.inline)
        observation = self._observation(found, values if tapped else items, options)
        listen(observation.run, tapped, asynchronous=True)
        async with observation:
            results = await self._results(observation.run, items, options, synchronous=False)
            observation.run.output = results
        return results

    def respond_sync(self, values: Values, options: Options) -> Any:
        """Return the results, or the one result of a single value, to a thread."""
        found = listeners()
        if found is None:
            items = given(values, synchronous=True, inline=options.inline)
            return drive(self._results(None, items, options, synchronous=True))
        items, tapped = watched(values, synchronous=True, inline=options.inline)
        observation = self._observation(found, values if tapped else items, options)
        listen(observation.run, tapped, asynchronous=False)
        with observation:
            results = drive(self._results(observation.run, items, options, synchronous=True))
            observation.run.output = results
        return results

    def _observation(self, found: Listeners, items: Any, options: Options) -> Observation:
        return Observation.of(self._info, found, _one(items) if options.single else items)

    async def _results(self, run: Run | None, items: Values, options: Options, *, synchronous: bool) -> Any:
        mapped = self._to_do(items, options, streaming=False)
        call = self._call(run, mapped, options, streaming=False)
        del run  # the traceback of an error refers to this frame, and the run to the error
        if isinstance(mapped, Feeding):
            try:
                results = await self._request(call, mapped, options, synchronous=synchronous).results()
            finally:
                await mapped.aclose()
        elif not mapped:
            results = []
        elif options.inline:
            request = InlineRequest(self._inline, call, self.surroundings(), synchronous=synchronous)
            results = await request.results(mapped, self.grading)
        else:
            results = await self._request(call, mapped, options, synchronous=synchronous).results()
        read = len(items) if isinstance(items, list) else mapped.read if isinstance(mapped, Feeding) else 0
        results = self._map_results(results, read)
        return results[0] if options.single else results

    # -- streams ---------------------------------------------------------------------------------

    def stream(self, values: Values, options: Options) -> AsyncGenerator[Any, None]:
        """Return the events for a task."""
        items, tapped = watched(values)
        source = self._events(items, options, synchronous=False)
        value = values if tapped else items
        return ObservedAsyncGenerator(
            self._info,
            _one(value) if options.single else value,
            source,
            join=_flat,
            tap=None if tapped is None else lambda: (source, tapped),
        )

    def stream_sync(self, values: Values, options: Options) -> Generator[Any, None, None]:
        """Return the events for a thread."""
        items, tapped = watched(values, synchronous=True)
        return self._watched(values if tapped else items, items, tapped, options)

    def _watched(
        self, value: Any, items: Values, tapped: Tap | None, options: Options
    ) -> Generator[Any, None, None]:
        source = _driven(self._events(items, options, synchronous=True))
        found = listeners()
        if found is None:
            yield from source
        else:
            value = _one(value) if options.single else value
            yield from watch_generator(self._info, value, found, source, join=_flat, tapped=tapped)

    async def _events(
        self, items: Values, options: Options, *, synchronous: bool
    ) -> AsyncGenerator[Any, None]:
        mapped = self._to_do(items, options, streaming=True)
        if not mapped:
            return
        run = current.get()
        own = run if run is not None and run._info is self._info else None
        call = self._call(own, mapped, options, streaming=True)
        del run, own
        try:
            events = self._request(call, mapped, options, synchronous=synchronous).events()
            try:
                async for event in events:
                    yield self._map_event(event)
            finally:
                await events.aclose()
        finally:
            if isinstance(mapped, Feeding):
                await mapped.aclose()

    # -- what both share -------------------------------------------------------------------------

    def _to_do(self, items: Values, options: Options, *, streaming: bool) -> list[Any] | Feeding:
        """Return the items to execute, or how to read them if they are too many to wait all at once."""
        settings = self._settings
        mapping = self._map_one_to_one if streaming else self._map_inputs
        step = 1
        if isinstance(items, list):
            items = mapping(items)
            if options.inline or settings.on_full == "refuse" or len(items) <= settings.max_queue:
                return items
            mapping, step = _same, settings.batch_size
        # Enough for each partition to find a batch while the one before is executed.
        window = min(settings.max_queue, 2 * settings.batch_size * settings.partitions)
        return Feeding(items, mapping, window=window, step=step)

    def _call(
        self, run: Run | None, mapped: list[Any] | Feeding, options: Options, *, streaming: bool
    ) -> Call:
        heard = streaming or (run is not None and bool(plan_of(run).events))
        return Call(
            None if isinstance(mapped, Feeding) else len(mapped),
            run=run,
            listening=heard,
            streaming=streaming,
            return_exceptions=options.return_exceptions,
        )

    def _request(
        self, call: Call, mapped: list[Any] | Feeding, options: Options, *, synchronous: bool
    ) -> TaskRequest | ThreadRequest:
        kind = ThreadRequest if synchronous else TaskRequest
        request = kind(
            self._started(),
            call,
            self.grading,
            name=self._settings.name,
            timeout=options.timeout,
            priority=options.priority,
        )
        if isinstance(mapped, Feeding):
            request.feed(mapped)
        else:
            request.submit(mapped)
        return request

    def _map_inputs(self, items: list[Any]) -> list[Any]:
        mapping = self._settings.map_inputs
        if mapping is None or not items:
            return items
        mapped = mapping(items)
        return listed(mapped, self._settings.name, "what map_inputs gives", None)

    def _map_one_to_one(self, items: list[Any]) -> list[Any]:
        mapped = self._map_inputs(items)
        if len(mapped) != len(items):  # the parts of a stream have to be those of the caller's values
            listed(mapped, self._settings.name, "what map_inputs gives to a stream", len(items))
        return mapped

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


def _same(items: list[Any]) -> list[Any]:
    return items


def _one(values: Any) -> Any:
    return values[0]


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
