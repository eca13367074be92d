"""What a batch function is given, and what a caller's stream yields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast, final, overload

from sideband.components import Usage
from sideband.errors import LateEmitError, LengthMismatchError, UnknownHookError

__all__ = ["Batch", "BatchOutput", "HookEvent", "listed"]

T = TypeVar("T")
R = TypeVar("R")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HookEvent:
    """An event that the batch function emitted, reduced to the items of one caller."""

    name: str
    """One of the serving's `hooks`."""
    payload: list[Any]
    """One entry for each of the caller's items in that batch, in their order."""
    offset: int
    """The place of the first of these items in the caller's request."""
    attempt: int = 1
    """Which execution of these items it comes from; more than 1 after a failure, with `isolate_errors`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutput(Generic[R]):
    """The results of one executed part of a caller's request."""

    output: list[R]
    """One result for each of the caller's items in that batch, in their order."""
    offset: int
    """The place of the first of these items in the caller's request."""


@final
class Batch(Sequence[T]):
    """The items that are executed together; also a sequence of them.

    Threads: it may be used from any thread until the batch function has returned.
    """

    __slots__ = ("_ended", "_hooks", "_sink", "_usage", "partition", "serving", "values")

    values: list[T]
    """The items, in the order in which they came."""
    partition: int
    """Which of the serving's partitions executes it, from 0."""
    serving: str
    """The serving's name."""

    def __init__(
        self,
        values: list[T],
        *,
        serving: str,
        partition: int = 0,
        hooks: Collection[str] = (),
        sink: Callable[[str, list[Any]], None] | None = None,
    ) -> None:
        """Make a batch; a serving does, and so may a test of a batch function.

        Args:
            values: the items.
            serving: the serving's name, for errors.
            partition: which partition executes it.
            hooks: the names that `emit` knows.
            sink: who is told of emitted events; None if nobody listens.
        """
        self.values = values
        self.partition = partition
        self.serving = serving
        self._hooks = hooks
        self._sink = sink
        self._ended = False
        self._usage: Usage | list[Usage] | None = None

    @property
    def usage(self) -> Usage | Sequence[Usage] | None:
        """What the model consumed for the batch; set it before the function returns, and callers get their parts.

        Either one `Usage` for the whole batch, which is divided among its callers by their shares, or a
        sequence with one entry an item, so that each has exactly its own. Set again, it replaces what was.

        Raises:
            TypeError: set to what is neither.
            LengthMismatchError: not one entry an item.
        """
        return self._usage

    @usage.setter
    def usage(self, usage: Usage | Sequence[Usage] | None) -> None:
        if usage is None or isinstance(usage, Usage):
            self._usage = usage
            return
        entries = listed(
            usage, self.serving, "the usage of a batch, unless one Usage for all of it,", self.size
        )
        for entry in entries:
            if not isinstance(entry, Usage):
                msg = f"serving {self.serving!r}: the usage of an item must be a Usage, got {entry!r}"
                raise TypeError(msg)
        self._usage = entries

    @property
    def size(self) -> int:
        """The number of items."""
        return len(self.values)

    def wants(self, hook: str) -> bool:
        """Tell whether any caller in the batch listens to a hook, to save making its payload.

        Raises:
            UnknownHookError: the serving does not declare it.
        """
        self._check(hook)
        return self._sink is not None

    def emit(self, hook: str, payload: Sequence[Any]) -> None:
        """Tell the callers of a named event: each gets the entries of its own items.

        Order: events of one batch reach a caller in the order of emission, before the batch's results.
        Threads: callers are told in their own loop or thread, never in the worker's.
        Cost: a check where nobody listens.

        Args:
            hook: one of the serving's `hooks`.
            payload: one entry an item of the batch, in its order.

        Raises:
            UnknownHookError: the serving does not declare the hook.
            LengthMismatchError: not one entry an item.
            TypeError: the payload is no sequence (a list, a tuple, an array).
            LateEmitError: the batch function has returned.
        """
        self._check(hook)
        entries = listed(payload, self.serving, f"the payload of hook {hook!r}", self.size)
        sink = self._sink
        if self._ended:
            raise LateEmitError(self.serving, hook)
        if sink is not None:
            sink(hook, entries)

    def end(self) -> None:
        """Refuse whatever is emitted from now on; the serving calls it when the function has returned."""
        self._ended = True
        self._sink = None

    def _check(self, hook: str) -> None:
        if hook not in self._hooks:
            raise UnknownHookError(self.serving, hook, self._hooks)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.values)

    @overload
    def __getitem__(self, index: int, /) -> T: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[T]: ...
    def __getitem__(self, index: int | slice, /) -> T | list[T]:
        """Return an item, or a list of some."""
        return self.values[index]

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items."""
        return iter(self.values)

    def __repr__(self) -> str:
        """Show the size and place, never the items."""
        return f"<Batch of {len(self.values)} in partition {self.partition} of {self.serving!r}>"


def listed(entries: Any, serving: str, what: str, expected: int | None) -> list[Any]:
    """Return a copy of what user code gave for some items as a list, checked; None expects any length.

    A copy, since it is sliced later, perhaps when that code already uses its list for the next batch.

    Raises:
        TypeError: it is not a sequence of entries.
        LengthMismatchError: it has another length than expected.
    """
    if type(entries) is not list and not _sequential(entries):
        msg = (
            f"serving {serving!r}: {what} must be a sequence with one entry an item (a list, a tuple, an "
            f"array), got {type(entries).__name__}"
        )
        raise TypeError(msg)
    copy = list(cast("Iterable[Any]", entries))
    if expected is not None and len(copy) != expected:
        raise LengthMismatchError(serving, what, expected=expected, got=len(copy))
    return copy


def _sequential(entries: object) -> bool:
    kind = type(entries)
    if issubclass(kind, str | bytes | bytearray | Mapping | AbstractSet):
        return False
    return hasattr(entries, "__len__") and hasattr(entries, "__getitem__")
