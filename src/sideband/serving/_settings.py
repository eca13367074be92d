"""What a serving was told, checked once; and what it has counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, final, get_args

from sideband.handlers import HandlerLike
from sideband.serving._lane import Limits

__all__ = ["Counters", "Executor", "OnFull", "Oversized", "ServingOptions", "Settings", "Stats"]

Executor = Literal["thread", "inline", "process"]
OnFull = Literal["refuse", "wait"]
Oversized = Literal["alone", "refuse"]

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
    on_full: OnFull
    key: Callable[[Any], Hashable] | None
    cost: Callable[[Any], float] | None
    max_cost: float | None
    oversized: Oversized
    ageing: float
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
    on_full: OnFull
    key: Callable[[Any], Hashable] | None
    cost: Callable[[Any], float] | None
    max_cost: float | None
    oversized: Oversized
    ageing: float
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
            check_count(option, getattr(self, option))
        for option in ("batch_timeout", "shutdown_timeout", "ageing"):
            check_seconds(option, getattr(self, option))
        _check_hooks(self.hooks)
        for option, of in (
            ("map_inputs", "a list"),
            ("map_results", "a list"),
            ("key", "an item"),
            ("cost", "an item"),
        ):
            _check_function(option, getattr(self, option), of)
        _check_max_cost(self.max_cost, self.cost)
        _check_flag("isolate_errors", self.isolate_errors)
        for option, choices in (("executor", Executor), ("on_full", OnFull), ("oversized", Oversized)):
            check_choice(option, getattr(self, option), get_args(choices))

    @property
    def limits(self) -> Limits:
        """By what batches are cut."""
        return Limits(
            batch_size=self.batch_size,
            batch_timeout=self.batch_timeout,
            max_cost=float("inf") if self.max_cost is None else self.max_cost,
            max_queue=self.max_queue,
            whole=bool(self.hooks),
            ageing=self.ageing,
        )


def check_count(option: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{option} must be a whole number, got {value!r}"
        raise TypeError(msg)
    if value < 1:
        msg = f"{option} must be at least 1, got {value!r}"
        raise ValueError(msg)


def check_seconds(option: str, seconds: Any) -> None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        msg = f"{option} must be a number of seconds, got {seconds!r}"
        raise TypeError(msg)
    if not 0 <= seconds < float("inf"):
        msg = f"{option} must be a finite number of seconds, not negative, got {seconds!r}"
        raise ValueError(msg)


def _check_function(option: str, function: Any, of: str) -> None:
    if function is not None and not callable(function):
        msg = f"{option} must be a function of {of}, got {function!r}"
        raise TypeError(msg)


def _check_max_cost(max_cost: Any, cost: Any) -> None:
    if max_cost is None:
        return
    if not isinstance(max_cost, int | float) or isinstance(max_cost, bool):
        msg = f"max_cost must be a number, got {max_cost!r}"
        raise TypeError(msg)
    if not 0 < max_cost < float("inf"):
        msg = f"max_cost must be a finite number greater than 0, got {max_cost!r}"
        raise ValueError(msg)
    if cost is None:
        msg = f"max_cost={max_cost!r} needs cost, a function of an item"
        raise ValueError(msg)


def check_choice(option: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        msg = f"{option} must be one of {choices}, got {value!r}"
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
    in_line: int
    """Items that wait for room in the queue."""
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

    def stats(self, *, running: bool, waiting: int, in_line: int, executing: int) -> Stats:
        """Return the totals as they stand."""
        with self._lock:
            return Stats(
                running=running,
                waiting=waiting,
                in_line=in_line,
                executing=executing,
                batches=self.batches,
                items=self.items,
                failed_batches=self.failed,
                withdrawn=self.withdrawn,
                mean_batch_size=self.items / self.batches if self.batches else 0.0,
                mean_queue_time=self.queue_time / self.items if self.items else 0.0,
                mean_execute_time=self.execute_time / self.batches if self.batches else 0.0,
            )
