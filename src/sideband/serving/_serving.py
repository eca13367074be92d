"""The serving: what users make, start, and send their items to."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import threading
from asyncio import get_running_loop
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Hashable, Iterable, Sequence
from threading import get_ident
from types import TracebackType
from typing import Any, Self, TypeVar, cast, final

from sideband.handlers import HandlerLike
from sideband.scope._scope import listeners
from sideband.serving._batch import BatchOutput, HookEvent
from sideband.serving._dispatcher import Dispatcher, Options
from sideband.serving._engine import Engine
from sideband.serving._host import Host
from sideband.serving._importable import check_importable
from sideband.serving._inline import Inline
from sideband.serving._model import BatchFunction, BatchModel, Blueprint, Processes
from sideband.serving._settings import Counters, Executor, OnFull, Oversized, Settings, Stats
from sideband.serving._sync_calls import SyncCalls

__all__ = ["Serving"]

T = TypeVar("T")
R = TypeVar("R")


@final
class Serving(SyncCalls[T, R]):
    """Merges the items of many callers into batches, executes them, and gives each caller its own.

    ```python
    async with Serving(embed, batch_size=32) as server:
        vector = await server.dispatch("one text")
    ```

    Order: a caller gets results in the order of its items, whichever batch finished first. Items wait
        in the order in which they came; a batch never exceeds `batch_size`.
    Cancellation: takes the caller's items out before they run; a batch that runs goes on without it.
    Closing: leaving the block executes what waits (after an exception: gives it up), within
        `shutdown_timeout`. It can be started again.
    Threads: methods with the suffix `_sync` may be called from any thread but that of the serving's
        own loop, coroutines on any loop. Callers are told of events in their own loop or thread.
    Cost: nothing wakes up while nothing waits.
    """

    def __init__(
        self,
        model: BatchFunction[T, R] | type[BatchModel[T, R]] | BatchModel[T, R],
        *,
        name: str | None = None,
        batch_size: int = 32,
        batch_timeout: float = 0.0,
        partitions: int = 1,
        hooks: Sequence[str] = (),
        map_inputs: Callable[[list[Any]], Sequence[Any]] | None = None,
        map_results: Callable[[list[Any]], Sequence[Any]] | None = None,
        max_queue: int = 65_536,
        on_full: OnFull = "refuse",
        key: Callable[[Any], Hashable] | None = None,
        cost: Callable[[Any], float] | None = None,
        max_cost: float | None = None,
        oversized: Oversized = "alone",
        ageing: float = 1.0,
        shutdown_timeout: float = 30.0,
        isolate_errors: bool = False,
        executor: Executor = "thread",
        callbacks: Iterable[HandlerLike] = (),
    ) -> None:
        """Describe the serving; nothing is started.

        Args:
            model: a function of a `Batch`, plain or a coroutine function; or a class (or an instance)
                with `handle_batch(batch)` and, if it wants, `setup(partition)`.
            name: for runs, errors and threads; the model's own name by default.
            batch_size: the most items of a batch.
            batch_timeout: seconds that an item waits for its batch to fill while a partition is free;
                0 executes at once whatever has come. While all partitions are busy a batch keeps growing.
            partitions: how many batches are executed at a time.
            hooks: the names of events that the model emits with `batch.emit`. With hooks, the items of
                one call that fit into a batch are never split over several.
            map_inputs: applied, in the caller, to the list of a call's values; may change their number.
            map_results: applied, in the caller, to the list of its results; has to give one a value.
            max_queue: the most items that wait.
            on_full: what happens to a call for which there is no room: "refuse" raises `QueueFullError`,
                "wait" lets it stand in line, first come, first served.
            key: a function of an item, as the model gets it; only items of equal keys get into one batch,
                and keys take turns.
            cost: a function of an item, as the model gets it: its tokens, pixels, nodes, ...
            max_cost: the most that the items of a batch may cost together.
            oversized: what happens to an item that costs more by itself: "alone" makes it a batch of its
                own, "refuse" raises `OversizedItemError`.
            ageing: seconds of waiting that count as much as a step of priority.
            shutdown_timeout: seconds that closing may take.
            isolate_errors: execute a batch that failed again in halves, and these in halves, so that only
                the items that fail by themselves do; an item of a batch of n is executed at most
                1 + ceil(log2 n) times. For functions that may be executed twice.
            executor: where the model is executed: a plain function in a "thread" of each partition, or
                "inline" on the event loop, if it takes microseconds; in a "process" of each partition,
                if it holds the interpreter's lock or may crash: it has to be defined at the top of a
                module then, and values, results and events are pickled.
            callbacks: handlers of the batches' own runs, which have no parent.

        Raises:
            TypeError: the model cannot be served, or an option is of the wrong type.
            ValueError: an option is out of range.
            HandlerRefusedError: a callback is no handler.
        """
        self._blueprint = Blueprint(model)
        hooks = (hooks,) if isinstance(hooks, str) else tuple(hooks)
        self._settings = Settings(
            name=name or self._blueprint.name, batch_size=batch_size, batch_timeout=batch_timeout,
            partitions=partitions, hooks=hooks, map_inputs=map_inputs, map_results=map_results,
            max_queue=max_queue, on_full=on_full, key=key, cost=cost, max_cost=max_cost, oversized=oversized,
            ageing=ageing, shutdown_timeout=shutdown_timeout, isolate_errors=isolate_errors, executor=executor,
        )  # fmt: skip
        self._processes: Callable[[], Processes] | None = None
        if executor == "process":
            check_importable(model)
            # Here, since few servings need what it loads, and not when it is started, on a loop.
            from sideband.serving._process import ProcessBlueprint  # noqa: PLC0415

            self._processes = functools.partial(
                ProcessBlueprint, model, serving=self._settings.name, hooks=hooks
            )
        self._counters = Counters()
        self._host = Host(self._settings.name, self._engine)
        self._dispatcher = Dispatcher(
            self._settings, self._host, Inline(self._blueprint, self._settings, self._counters), callbacks
        )
        self._asking = key is not None or cost is not None
        self._configuring = threading.Lock()
        # The engine, where a single item needs nothing before and after it.
        self._direct: Engine | None = None

    def _engine(self) -> Engine:
        around = self._dispatcher.surroundings()
        processes = None if self._processes is None else self._processes()
        return Engine(self._blueprint, self._settings, around, self._counters, processes=processes)

    @property
    def __sideband_model__(self) -> Any:
        """What it serves: a worker process that looks up a decorated function by name finds its serving."""
        return self._blueprint.source

    @property
    def name(self) -> str:
        """The serving's name."""
        return self._settings.name

    def __repr__(self) -> str:
        """Show the name and whether it is started."""
        return f"<Serving {self.name!r} {'started' if self._host.engine else 'not started'}>"

    # -- start and close -----------------------------------------------------------------------

    async def start(self) -> None:
        """Start on the running loop, and set up the model of each partition.

        Raises:
            ServingError: it is started already.
        """
        await self._host.start()
        if self._settings.map_inputs is None and self._settings.map_results is None:
            self._direct = self._host.engine

    async def aclose(self, *, drain: bool = True) -> None:
        """Close, within `shutdown_timeout` seconds; closing twice is harmless.

        Batches that are being executed are awaited, and their callers get their results. What cannot
        be done in time fails with `ServingClosedError`.

        Args:
            drain: execute what waits first; otherwise it fails at once.

        Raises:
            WrongThreadError: called on another loop than that on which it was started.
        """
        try:
            await self._host.aclose(drain=drain)
        finally:
            if self._host.engine is None:
                self._direct = None

    def start_sync(self) -> None:
        """Start on an event loop in a thread of its own, for a synchronous program.

        Raises:
            ServingError: it is started already.
        """
        self._host.start_sync()

    def aclose_sync(self, *, drain: bool = True) -> None:
        """Close what `start_sync` started; closing twice is harmless.

        Raises:
            WrongThreadError: it was started with `start`, on the loop of somebody else, or this is the
                thread of its own loop.
        """
        self._host.aclose_sync(drain=drain)

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; after an exception without executing what waits."""
        await self.aclose(drain=error is None)

    def __enter__(self) -> Self:
        """Start it on a loop in a thread of its own."""
        self.start_sync()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; after an exception without executing what waits."""
        self.aclose_sync(drain=error is None)

    def configure(
        self,
        *,
        batch_size: int | None = None,
        batch_timeout: float | None = None,
        max_cost: float | None = None,
        max_queue: int | None = None,
    ) -> None:
        """Change some options; from any thread, also while it runs, from the next batch on.

        What waits stays, whatever `max_queue` is now. The number of partitions cannot be changed.

        Raises:
            TypeError: as when it was made; then nothing is changed.
            ValueError: likewise.
        """
        given = {
            "batch_size": batch_size,
            "batch_timeout": batch_timeout,
            "max_cost": max_cost,
            "max_queue": max_queue,
        }
        changes: dict[str, Any] = {option: value for option, value in given.items() if value is not None}
        with self._configuring:
            settings = self._settings = dataclasses.replace(self._settings, **changes)
            self._dispatcher.configure(settings)
            self._host.configure(settings)

    def stats(self) -> Stats:
        """Return totals since it was made, and what is going on now; from any thread."""
        engine = self._host.engine
        return self._counters.stats(
            running=engine is not None,
            waiting=0 if engine is None else engine.waiting,
            in_line=0 if engine is None else engine.in_line,
            executing=0 if engine is None else engine.executing,
        )

    # -- calls from a task ---------------------------------------------------------------------

    async def dispatch(self, value: T, *, timeout: float | None = None, priority: int = 0) -> R:
        """Execute one item in a batch with those of other callers, and return its result.

        Args:
            value: the item, whatever it is; a list is one item.
            timeout: seconds to wait for the result; None waits as long as it takes.
            priority: items with a greater one go first, and count as having waited `ageing` seconds more
                for each step; 0 is usual, less is possible.

        Raises:
            NotStartedError: the serving is not started.
            ServingClosedError: it closed before the item was executed.
            QueueFullError: `max_queue` items wait.
            DispatchTimeoutError: no result in time.
            Exception: what the batch function raised, or gave as this item's result.
        """
        engine = self._direct
        if (
            engine is not None
            and timeout is None
            and engine.thread == get_ident()
            and engine.loop.is_running()
            and listeners() is None
            # Which loop runs is asked once in each of its turns, since that is a system call before Python 3.12; a part
            # grows in the turn alone in which it was begun.
            and (engine.growing or engine.loop is get_running_loop())
        ):
            # The hot path: a future for an item, and nothing else that waits.
            if priority or self._asking:
                singles = engine.submit_graded(value, priority, self._dispatcher.grading)
            else:
                singles = engine.submit_one(value)
            place = len(singles.futures) - 1
            try:
                result: R = await singles.futures[place]
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError):
                    engine.withdraw_one(singles, place)
                del singles  # the error's traceback refers to this frame, and a future to the error
                raise
            return result
        return cast(
            "R",
            await self._dispatcher.respond(
                (value,), Options(timeout=timeout, priority=priority, single=True)
            ),
        )

    async def dispatch_many(
        self,
        values: Iterable[T] | AsyncIterable[T],
        *,
        timeout: float | None = None,
        priority: int = 0,
        return_exceptions: bool = False,
    ) -> list[R]:
        """Execute items, and return their results in the order of the items.

        Args:
            values: the items; none give an empty list. A collection is read at once; an iterator or an
                asynchronous iterable as there is room for its items, and it is closed at the end.
            timeout: seconds to wait for all results.
            priority: as in `dispatch`.
            return_exceptions: give an item's exception as its result instead of raising it.

        Raises:
            TypeError: a string, which is one item and not many.
            Exception: as `dispatch`; the first failure of any item. What still waits is taken out.
        """
        options = Options(timeout=timeout, priority=priority, return_exceptions=return_exceptions)
        return cast("list[R]", await self._dispatcher.respond(values, options))

    def stream(
        self, value: T, *, timeout: float | None = None, priority: int = 0
    ) -> AsyncGenerator[HookEvent | BatchOutput[R], None]:
        """As `stream_many`, for one item."""
        return self._dispatcher.stream((value,), Options(timeout=timeout, priority=priority, single=True))

    def stream_many(
        self,
        values: Iterable[T] | AsyncIterable[T],
        *,
        timeout: float | None = None,
        priority: int = 0,
        return_exceptions: bool = False,
    ) -> AsyncGenerator[HookEvent | BatchOutput[R], None]:
        """Yield the caller's own hook events and results while its batches are executed.

        Order: that of the items. The events of one part come before its `BatchOutput`; a part that
            finishes early is held back until those before it are done.
        Cancellation: takes out what still waits.
        Closing: likewise; use `contextlib.aclosing` where you may stop early.

        Args:
            values: the items, as for `dispatch_many`; read from the first pull on.
            timeout: seconds to wait for the next event, each time.
            priority: as in `dispatch`.
            return_exceptions: give an item's exception as its result instead of raising it.

        Raises:
            TypeError: a string, which is one item and not many.
            Exception: as `dispatch`, while it is read, after the events before it.
        """
        return self._dispatcher.stream(
            values, Options(timeout=timeout, priority=priority, return_exceptions=return_exceptions)
        )

    async def inline(self, value: T) -> R:
        """Execute one item by itself, in the caller; needs no start.

        A plain function is executed in a worker thread (on the loop with `executor="inline"`). The
        model's `setup(0)` is called before its first use.
        """
        return cast("R", await self._dispatcher.respond((value,), Options(single=True, inline=True)))

    async def inline_many(self, values: Iterable[T], *, return_exceptions: bool = False) -> list[R]:
        """Execute items in batches of `batch_size`, one after the other, in the caller."""
        options = Options(return_exceptions=return_exceptions, inline=True)
        return cast("list[R]", await self._dispatcher.respond(values, options))
