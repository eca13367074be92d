"""The serving: what users make, start, and send their items to."""

from __future__ import annotations

import asyncio
import functools
from asyncio import get_running_loop
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar, Unpack, cast, final, overload

from sideband.handlers import HandlerLike
from sideband.scope._scope import listeners
from sideband.serving._batch import BatchOutput, HookEvent
from sideband.serving._dispatcher import Dispatcher, Options
from sideband.serving._engine import Engine
from sideband.serving._host import Host
from sideband.serving._inline import Inline
from sideband.serving._model import BatchFunction, BatchModel, Blueprint
from sideband.serving._settings import Counters, Executor, ServingOptions, Settings, Stats

__all__ = ["Serving", "serving"]

T = TypeVar("T")
R = TypeVar("R")


@final
class Serving(Generic[T, R]):
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
            max_queue: the most items that wait; a call over it is refused with `QueueFullError`.
            shutdown_timeout: seconds that closing may take.
            isolate_errors: execute a batch that failed again in halves, and these in halves, so that only
                the items that fail by themselves do; an item of a batch of n is executed at most
                1 + ceil(log2 n) times. For functions that may be executed twice.
            executor: where a plain function is executed: in a "thread" of each partition, or "inline"
                on the event loop, for functions that take microseconds.
            callbacks: handlers of the batches' own runs, which have no parent.

        Raises:
            TypeError: the model cannot be served, or an option is of the wrong type.
            ValueError: an option is out of range.
            HandlerRefusedError: a callback is no handler.
        """
        self._blueprint = Blueprint(model)
        hooks = (hooks,) if isinstance(hooks, str) else tuple(hooks)
        self._settings = Settings(
            name=name or self._blueprint.name,
            batch_size=batch_size,
            batch_timeout=batch_timeout,
            partitions=partitions,
            hooks=hooks,
            map_inputs=map_inputs,
            map_results=map_results,
            max_queue=max_queue,
            shutdown_timeout=shutdown_timeout,
            isolate_errors=isolate_errors,
            executor=executor,
        )
        self._counters = Counters()
        self._host = Host(self._settings.name, self._engine)
        self._dispatcher = Dispatcher(
            self._settings, self._host, Inline(self._blueprint, self._settings, self._counters), callbacks
        )
        # The engine, where a single item needs nothing before and after it.
        self._direct: Engine | None = None

    def _engine(self) -> Engine:
        return Engine(self._blueprint, self._settings, self._dispatcher.surroundings(), self._counters)

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

    def stats(self) -> Stats:
        """Return totals since it was made, and what is going on now; from any thread."""
        engine = self._host.engine
        return self._counters.stats(
            running=engine is not None,
            waiting=0 if engine is None else engine.waiting,
            executing=0 if engine is None else engine.executing,
        )

    # -- calls from a task ---------------------------------------------------------------------

    async def dispatch(self, value: T, *, timeout: float | None = None) -> R:
        """Execute one item in a batch with those of other callers, and return its result.

        Args:
            value: the item, whatever it is; a list is one item.
            timeout: seconds to wait for the result; None waits as long as it takes.

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
            and listeners() is None
            and engine.loop is get_running_loop()
        ):
            # The hot path: a future for an item, and nothing else that waits.
            single = engine.submit_one(value)
            try:
                result: R = await single.future
            except asyncio.CancelledError:
                engine.withdraw((single,))
                raise
            except BaseException:
                del single  # the error's traceback refers to this frame, and its future to the error
                raise
            return result
        return cast("R", await self._dispatcher.respond((value,), Options(timeout=timeout, single=True)))

    async def dispatch_many(
        self, values: Iterable[T], *, timeout: float | None = None, return_exceptions: bool = False
    ) -> list[R]:
        """Execute items, and return their results in the order of the items.

        Args:
            values: the items; read to the end before anything is executed. None give an empty list.
            timeout: seconds to wait for all results.
            return_exceptions: give an item's exception as its result instead of raising it.

        Raises:
            TypeError: a string, which is one item and not many.
            Exception: as `dispatch`; the first failure of any item. What still waits is taken out.
        """
        options = Options(timeout=timeout, return_exceptions=return_exceptions)
        return cast("list[R]", await self._dispatcher.respond(values, options))

    def stream(
        self, value: T, *, timeout: float | None = None
    ) -> AsyncGenerator[HookEvent | BatchOutput[R], None]:
        """As `stream_many`, for one item."""
        return self._dispatcher.stream((value,), Options(timeout=timeout, single=True))

    def stream_many(
        self, values: Iterable[T], *, timeout: float | None = None, return_exceptions: bool = False
    ) -> AsyncGenerator[HookEvent | BatchOutput[R], None]:
        """Yield the caller's own hook events and results while its batches are executed.

        Order: that of the items. The events of one part come before its `BatchOutput`; a part that
            finishes early is held back until those before it are done.
        Cancellation: takes out what still waits.
        Closing: likewise; use `contextlib.aclosing` where you may stop early.

        Args:
            values: the items; submitted at the first pull.
            timeout: seconds to wait for the next event, each time.
            return_exceptions: give an item's exception as its result instead of raising it.

        Raises:
            TypeError: a string, which is one item and not many.
            Exception: as `dispatch`, while it is read, after the events before it.
        """
        return self._dispatcher.stream(values, Options(timeout=timeout, return_exceptions=return_exceptions))

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

    # -- the same from a thread ----------------------------------------------------------------

    def dispatch_sync(self, value: T, *, timeout: float | None = None) -> R:
        """As `dispatch`, from any thread.

        Raises:
            WrongThreadError: the thread of the serving's own loop, which would wait for itself.
        """
        return cast("R", self._dispatcher.respond_sync((value,), Options(timeout=timeout, single=True)))

    def dispatch_many_sync(
        self, values: Iterable[T], *, timeout: float | None = None, return_exceptions: bool = False
    ) -> list[R]:
        """As `dispatch_many`, from any thread.

        Raises:
            WrongThreadError: the thread of the serving's own loop, which would wait for itself.
        """
        options = Options(timeout=timeout, return_exceptions=return_exceptions)
        return cast("list[R]", self._dispatcher.respond_sync(values, options))

    def stream_sync(
        self, value: T, *, timeout: float | None = None
    ) -> Generator[HookEvent | BatchOutput[R], None, None]:
        """As `stream`, from any thread."""
        return self._dispatcher.stream_sync((value,), Options(timeout=timeout, single=True))

    def stream_many_sync(
        self, values: Iterable[T], *, timeout: float | None = None, return_exceptions: bool = False
    ) -> Generator[HookEvent | BatchOutput[R], None, None]:
        """As `stream_many`, from any thread.

        Raises:
            WrongThreadError: the thread of the serving's own loop, which would wait for itself.
        """
        return self._dispatcher.stream_sync(
            values, Options(timeout=timeout, return_exceptions=return_exceptions)
        )

    def inline_sync(self, value: T) -> R:
        """As `inline`, in the calling thread."""
        return cast("R", self._dispatcher.respond_sync((value,), Options(single=True, inline=True)))

    def inline_many_sync(self, values: Iterable[T], *, return_exceptions: bool = False) -> list[R]:
        """As `inline_many`, in the calling thread."""
        options = Options(return_exceptions=return_exceptions, inline=True)
        return cast("list[R]", self._dispatcher.respond_sync(values, options))


class _Decorate(Protocol):
    @overload
    def __call__(self, model: type[BatchModel[T, R]], /) -> Serving[T, R]: ...
    @overload
    def __call__(self, model: BatchFunction[T, R], /) -> Serving[T, R]: ...


@overload
def serving(model: type[BatchModel[T, R]], /) -> Serving[T, R]: ...
@overload
def serving(model: BatchFunction[T, R], /) -> Serving[T, R]: ...
@overload
def serving(**options: Unpack[ServingOptions]) -> _Decorate: ...
def serving(model: Any = None, /, **options: Any) -> Any:
    """Make a `Serving` of the decorated function or class; takes its options.

    ```python
    @serving(batch_size=32, hooks=("progress",))
    def embed(batch: Batch[str]) -> list[Vector]: ...
    ```
    """
    if model is not None:
        return Serving(model, **options)
    return functools.partial(_make, options)


def _make(options: dict[str, Any], model: Any) -> Serving[Any, Any]:
    return Serving(model, **options)
