"""What a background handler's queue holds and what it drops, without threads or clocks. Knows nothing of the rest.

1. Starts, details (chunks and events) and endings stand in one line, in the order in which they were offered.
2. A track is what one handler is told of one run. If its start is dropped, so is the rest of it. If its
   start is kept, so is its ending, whatever the limits.
3. Where there is no room, details go first; then starts, each with the ending that waits behind it, and
   endings without a track. A detail never takes the place of a start or an ending.
4. At all times what was offered is what was delivered, what was dropped and what is pending.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from typing import Generic, Literal, TypeAlias, TypeVar, final

__all__ = ["BoundedQueue", "Entry", "Mark", "Overflow", "Sort", "Track"]

Overflow: TypeAlias = Literal["drop_oldest", "drop_newest", "block"]
"""What a full queue does with one event more."""


class Sort(enum.IntEnum):
    """How much is lost with an event."""

    START = 0
    DETAIL = 1
    ENDING = 2


class Track:
    """What one handler is told of one run, from start to ending."""

    __slots__ = ("ending", "home", "refused", "told")

    def __init__(self) -> None:
        """Start before the start."""
        self.home: object = None
        """Where the start was offered; a forked process has a queue of its own."""
        self.refused: bool = False
        """Whether the start was dropped, and all else has to be."""
        self.told: bool = False
        """Whether the start was delivered."""
        self.ending: int | None = None
        """The number of its ending, while that is queued."""


class Entry:
    """One event on its way to a handler."""

    __slots__ = ("number", "size", "sort", "track")

    def __init__(self, sort: Sort, size: int, track: Track | None) -> None:
        """Say what it is, how many bytes it counts for, and whose track it belongs to, if to any."""
        self.sort = sort
        self.size = size
        self.track = track
        self.number: int = 0


@final
class Mark:
    """A place in the line: the last event that had been offered when it was set."""

    __slots__ = ("lost", "number")

    def __init__(self, number: int) -> None:
        """Stand behind an event."""
        self.number = number
        self.lost: bool = False
        """Whether something before it was dropped since."""


E = TypeVar("E", bound=Entry)


@final
class BoundedQueue(Generic[E]):
    """A line of events within limits."""

    __slots__ = (
        "_bytes",
        "_details",
        "_heads",
        "_identity",
        "_line",
        "_marks",
        "_max_bytes",
        "_max_events",
        "_number",
        "_overflow",
        "_taken",
        "closed",
        "delivered",
        "dropped",
    )

    def __init__(self, max_events: int, max_bytes: int, overflow: Overflow) -> None:
        """Start empty."""
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._overflow = overflow
        self._identity = object()
        self._number = 0
        self._bytes = 0
        self._line: OrderedDict[int, E] = OrderedDict()
        self._details: deque[int] = deque()
        self._heads: deque[int] = deque()
        """What goes once no detail is left: starts, and endings without a track."""
        self._marks: list[Mark] = []
        self._taken: tuple[int, Track | None] | None = None
        self.closed: bool = False
        self.delivered: int = 0
        self.dropped: int = 0

    def __len__(self) -> int:
        """Count the events in the line, without the one that is being delivered."""
        return len(self._line)

    @property
    def bytes(self) -> int:
        """How many bytes the events in the line count for."""
        return self._bytes

    @property
    def pending(self) -> int:
        """Count the events in the line and the one that is being delivered."""
        return len(self._line) + (self._taken is not None)

    def fits(self, entry: E) -> bool:
        """Tell whether waiting for room is of no use: there is room, none is needed, or there never will be."""
        return (
            self.closed
            or self._is_kept(entry)
            or self._is_refused(entry)
            or entry.size > self._max_bytes
            or not self._is_over(entry.size)
        )

    def offer(self, entry: E) -> None:
        """Put an event at the end of the line, or drop it, or others in its favour."""
        self._number = entry.number = self._number + 1
        track = entry.track
        if track is not None and entry.sort == Sort.START:
            track.home = self._identity
        if self.closed or self._is_refused(entry):
            self._drop(entry)
            return
        if not self._is_kept(entry) and not self._make_room(entry):
            self._drop(entry)
            return
        self._line[entry.number] = entry
        self._bytes += entry.size
        if entry.sort == Sort.DETAIL:
            self._details.append(entry.number)
        elif track is not None and entry.sort == Sort.ENDING:
            track.ending = entry.number
        else:
            self._heads.append(entry.number)

    def take(self) -> E | None:
        """Take the first event out of the line to deliver it; None if there is none."""
        if not self._line:
            return None
        number, entry = self._line.popitem(last=False)
        self._bytes -= entry.size
        if entry.sort == Sort.DETAIL:
            self._details.popleft()
        elif entry.track is None or entry.sort == Sort.START:
            self._heads.popleft()
        self._taken = (number, entry.track if entry.sort == Sort.START else None)
        return entry

    def done(self) -> None:
        """Count what was taken as delivered; nothing, if nothing was taken."""
        if self._taken is None:
            return
        _, begun = self._taken
        if begun is not None:
            begun.told = True
        self._taken = None
        self.delivered += 1

    def abandon(self) -> int:
        """Drop the whole line, and return how many events that were."""
        count = len(self._line)
        while self._line:
            self._remove(next(reversed(self._line)))
        self._details.clear()
        self._heads.clear()
        return count

    def mark(self) -> Mark:
        """Mark the end of the line as it is now."""
        mark = Mark(self._number)
        self._marks.append(mark)
        return mark

    def unmark(self, mark: Mark) -> None:
        """Forget a mark."""
        self._marks.remove(mark)

    def reached(self, mark: Mark) -> bool:
        """Tell whether all that stood before a mark has been delivered or dropped."""
        first = self._taken[0] if self._taken is not None else next(iter(self._line), mark.number + 1)
        return first > mark.number

    def _is_kept(self, entry: E) -> bool:
        """Tell whether it is the ending of a start that was kept."""
        return entry.sort == Sort.ENDING and entry.track is not None and not self._is_refused(entry)

    def _is_refused(self, entry: E) -> bool:
        track = entry.track
        if track is None or entry.sort == Sort.START:
            return False
        # A start that another process had not delivered when it forked is delivered there, not here.
        return track.refused or (track.home is not self._identity and not track.told)

    def _is_over(self, size: int) -> bool:
        return len(self._line) >= self._max_events or self._bytes + size > self._max_bytes

    def _make_room(self, entry: E) -> bool:
        if entry.size > self._max_bytes:
            return False
        while self._is_over(entry.size):
            if not self._evict(entry):
                return False
        return True

    def _evict(self, entry: E) -> bool:
        """Drop what has to go first for an event; tell whether there was anything."""
        if self._overflow == "block":
            return False
        if self._details and self._overflow == "drop_oldest":
            self._remove(self._details.popleft())
        elif self._details and entry.sort != Sort.DETAIL:
            self._remove(self._details.pop())
        elif self._heads and self._overflow == "drop_oldest" and entry.sort != Sort.DETAIL:
            self._remove(self._heads.popleft())
        else:
            return False
        return True

    def _remove(self, number: int) -> None:
        entry = self._line.pop(number)
        self._bytes -= entry.size
        self._drop(entry)
        track = entry.track
        if track is None or entry.sort == Sort.DETAIL:
            return
        ending, track.ending = track.ending, None
        if entry.sort == Sort.START and ending is not None:
            self._remove(ending)

    def _drop(self, entry: E) -> None:
        self.dropped += 1
        if entry.track is not None and entry.sort == Sort.START:
            entry.track.refused = True
        for mark in self._marks:
            if entry.number <= mark.number:
                mark.lost = True
