"""What may be served: a function of a batch, a class with state, or an instance of one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, final

from sideband.serving._batch import Batch

__all__ = ["BatchFunction", "BatchModel", "Blueprint", "Processes", "Results", "Source"]

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Results(Protocol[R_co]):
    """What a batch function returns: a list, a tuple, an array; one entry an item, in their order."""

    def __len__(self) -> int:
        """Return the number of entries."""
        ...

    def __getitem__(self, index: int, /) -> R_co:
        """Return the entry of one item; an exception there fails that item alone."""
        ...


class BatchModel(Protocol[T, R_co]):
    """A model with state; give the class, and each partition gets an instance of its own.

    `setup(partition)`, plain or asynchronous, is called once for each partition, if there is one.
    """

    def handle_batch(self, batch: Batch[T], /) -> Results[R_co] | Awaitable[Results[R_co]]:
        """Return the results of a batch; may be a coroutine function."""
        ...


BatchFunction = Callable[[Batch[T]], Results[R] | Awaitable[Results[R]]]


class Source(Protocol):
    """How an engine gets the functions that execute its batches."""

    @property
    def asynchronous(self) -> bool:
        """Whether these are coroutine functions."""
        ...

    def prepare(self, partition: int) -> tuple[Any, Awaitable[Any] | None]:
        """Return what serves one partition, and what is left to await of its set-up."""
        ...

    def function(self, instance: Any) -> Callable[[Any], Any]:
        """Return the function of a batch of what `prepare` returned."""
        ...


class Processes(Source, Protocol):
    """A source whose functions are worker processes, which have to be ended."""

    def close_soon(self, then: Callable[[], Any]) -> None:
        """End them all without waiting for it, then call a function, in another thread."""


@final
class Blueprint:
    """How to get the function that executes the batches of one partition."""

    __slots__ = ("asynchronous", "name", "source", "stateful")

    def __init__(self, source: Any) -> None:
        """Check what is to be served.

        Raises:
            TypeError: it is neither a function of a batch nor has a method `handle_batch`.
        """
        self.source = source
        self.stateful = hasattr(source, "handle_batch")
        function = source.handle_batch if self.stateful else source
        if isinstance(source, type) and not self.stateful:
            msg = f"the class {source.__name__} cannot be served: it has no method handle_batch(batch)"
            raise TypeError(msg)
        if not callable(function):
            msg = f"{source!r} cannot be served: give a function of a batch, or a class with handle_batch(batch)"
            raise TypeError(msg)
        call = getattr(function, "__call__", None)  # noqa: B004 - an instance's own, which may be a coroutine function
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            msg = f"{source!r} cannot be served: a batch function returns its results, it does not yield them"
            raise TypeError(msg)
        self.asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
        self.name: str = getattr(source, "__name__", None) or type(source).__name__

    def prepare(self, partition: int) -> tuple[Any, Awaitable[Any] | None]:
        """Return what serves one partition, set up, and what is left to await of its `setup`.

        A class is instantiated anew each time; a function or an instance serves all partitions.
        """
        instance = self.source() if isinstance(self.source, type) else self.source
        setup = getattr(instance, "setup", None) if self.stateful else None
        result = None if setup is None else setup(partition)
        return instance, result if inspect.isawaitable(result) else None

    def function(self, instance: Any) -> Callable[[Any], Any]:
        """Return the instance's function of a batch."""
        found: Callable[[Any], Any] = instance.handle_batch if self.stateful else instance
        return found
