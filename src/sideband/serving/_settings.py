"""What a serving was told, checked once; and what it has counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, final, get_args

from sideband.handlers import HandlerLike

__all__ = ["Counters", "Executor", "ServingOptions", "Settings", "Stats"]

Executor = Literal["thread", "inline"]

OWN_EVENTS = ("queued", "executing")
"""What a serving itself emits on its callers' runs."""


class ServingOptions(TypedDict, total=False):
    """The options of a `Serving`, as the decorator takes them."""

    name: str | None
    batch_size: int
    batch_timeout: float
    partitions: int
    hooks: Sequence[str]
    map_inputs: Callable[[list[Any]], Sequence[Any]] | None
    map_results: Callable[[list[Any]], Sequence[Any]] | None
    max_queue: int
    shutdown_timeout: float
    isolate_errors: bool
    executor: Executor
    callbacks: Iterable[HandlerLike]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of a serving."""

    name: str
    batch_size: int
    batch_timeout: float
    partitions: int
    hooks: tuple[str, ...]
    map_inputs: Callable[[list[Any]], Sequence[Any]] | None
    map_results: Callable[[list[Any]], Sequence[Any]] | None
    max_queue: int
    shutdown_timeout: float
    isolate_errors: bool
    executor: Executor

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a number is out of range, the name of a hook cannot be one, the executor is unknown.
            TypeError: a value is of the wrong type.
        """
        for option in ("batch_size", "partitions", "max_queue"):
            _check_count(option, getattr(self, option))
        for option in ("batch_timeout", "shutdown_timeout"):
            _check_seconds(option, getattr(self, option))
        _check_hooks(self.hooks)
        for option in ("map_inputs", "map_results"):
            mapping = getattr(self, option)
            if mapping is not None and not callable(mapping):
                msg = f"{option} must be a function of a list, got {mapping!r}"
                raise TypeError(msg)
        _check_flag("isolate_errors", self.isolate_errors)
        if self.executor not in get_args(Executor):
            msg = f"executor must be one of {get_args(Executor)}, got {self.executor!r}"
            raise ValueError(msg)


def _check_count(option: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{option} must be a whole number, got {value!r}"
        raise TypeError(msg)
    if value < 1:
        msg = f"{option} must be at least 1, got {value!r}"
        raise ValueError(msg)


def _check_seconds(option: str, seconds: Any) -> None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        msg = f"{option} must be a number of seconds, got {seconds!r}"
        raise TypeError(msg)
    if not 0 <= seconds < float("inf"):
        msg = f"{option} must be a finite number of seconds, not negative, got {seconds!r}"
        raise ValueError(msg)


def _check_flag(option: str, value: Any) -> None:
    if not isinstance(value, bool):
        msg = f"{option} must be True or False, got {value!r}"
        raise TypeError(msg)


def _check_hooks(hooks: tuple[Any, ...]) -> None:
    if not all(isinstance(hook, str) and hook for hook in hooks) or len(set(hooks)) != len(hooks):
        msg = f"hooks must be different names, got {hooks!r}"
        raise ValueError(msg)
    if taken := [hook for hook in hooks if hook in OWN_EVENTS]:
        msg = f"hooks must not be named as the serving's own events {OWN_EVENTS!r}, got {taken!r}"
        raise ValueError(msg)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What a serving has done since it was made, and what it is doing now."""

    running: bool
    """Whether it is started."""
    waiting: int
    """Items that wait to be executed."""
    executing: int
    """Batches that are being executed."""
    batches: int
    """Batches that were executed, failed ones included."""
    items: int
    """Items of these batches."""
    failed_batches: int
    """Batches whose function raised or gave a wrong number of results."""
    withdrawn: int
    """Items taken out before they were executed: cancelled, timed out, or given up at the close."""
    mean_batch_size: float
    """Items a batch; 0 before the first."""
    mean_queue_time: float
    """Seconds that an executed item waited; 0 before the first."""
    mean_execute_time: float
    """Seconds that a batch took; 0 before the first."""


@final
class Counters:
    """Running totals, from any thread."""

    __slots__ = ("_lock", "batches", "execute_time", "failed", "items", "queue_time", "withdrawn")

    def __init__(self) -> None:
        """Start at zero."""
        self.batches = 0
        self.items = 0
        self.failed = 0
        self.withdrawn = 0
        self.queue_time = 0.0
        self.execute_time = 0.0
        self._lock = threading.Lock()

    def add(self, *, items: int, failed: bool, execute_time: float, queue_time: float) -> None:
        """Count a batch."""
        with self._lock:
            self.batches += 1
            self.items += items
            self.failed += failed
            self.execute_time += execute_time
            self.queue_time += queue_time

    def stats(self, *, running: bool, waiting: int, executing: int) -> Stats:
        """Return the totals as they stand."""
        with self._lock:
            return Stats(
                running=running,
                waiting=waiting,
                executing=executing,
                batches=self.batches,
                items=self.items,
                failed_batches=self.failed,
                withdrawn=self.withdrawn,
                mean_batch_size=self.items / self.batches if self.batches else 0.0,
                mean_queue_time=self.queue_time / self.items if self.items else 0.0,
                mean_execute_time=self.execute_time / self.batches if self.batches else 0.0,
            )
