"""The queue of a background handler: what it holds, what it drops, and what it never drops."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sideband.handlers._queue import BoundedQueue, Entry, Mark, Overflow, Sort, Track

POLICIES: tuple[Overflow, ...] = ("drop_oldest", "drop_newest", "block")


class Run:
    """One run as one handler is told of it, and what became of that."""

    def __init__(self, tracked: bool) -> None:
        self.track = Track() if tracked else None
        self.ended = False
        self.offered: list[Entry] = []
        self.delivered: list[Entry] = []


class Queues(RuleBasedStateMachine):
    """Offers, takes and deliveries in any order, held against what must be true of any of them."""

    @initialize(
        max_events=st.integers(1, 5),
        max_bytes=st.sampled_from((5, 30, 500)),
        overflow=st.sampled_from(POLICIES),
    )
    def make(self, max_events: int, max_bytes: int, overflow: Overflow) -> None:
        self.max_events, self.max_bytes = max_events, max_bytes
        self.queue: BoundedQueue[Entry] = BoundedQueue(max_events, max_bytes, overflow)
        self.runs: list[Run] = []
        self.owner: dict[Entry, Run] = {}
        self.taken: Entry | None = None
        self.order: list[int] = []
        self.marks: list[tuple[Mark, set[Entry]]] = []

    def offer(self, run: Run, sort: Sort, size: int) -> None:
        entry = Entry(sort, size, run.track)
        others = {queued for queued in self.queue._line.values() if queued.sort != Sort.DETAIL}
        run.offered.append(entry)
        self.owner[entry] = run

        self.queue.offer(entry)

        if sort == Sort.DETAIL:
            assert others <= set(self.queue._line.values()), "a detail took the place of something else"

    def going_on(self) -> list[Run]:
        return [run for run in self.runs if not run.ended]

    @rule(tracked=st.booleans(), size=st.integers(0, 20))
    def begin(self, tracked: bool, size: int) -> None:
        self.runs.append(Run(tracked))
        if tracked:
            self.offer(self.runs[-1], Sort.START, size)

    @precondition(lambda self: self.going_on())
    @rule(data=st.data(), size=st.integers(0, 50))
    def tell(self, data: st.DataObject, size: int) -> None:
        self.offer(data.draw(st.sampled_from(self.going_on())), Sort.DETAIL, size)

    @precondition(lambda self: self.going_on())
    @rule(data=st.data(), size=st.integers(0, 50))
    def end(self, data: st.DataObject, size: int) -> None:
        run = data.draw(st.sampled_from(self.going_on()))
        run.ended = True
        self.offer(run, Sort.ENDING, size)

    @rule(details=st.integers(0, 3), size=st.integers(0, 5))
    def whole(self, details: int, size: int) -> None:
        self.begin(tracked=True, size=size)
        for _ in range(details):
            self.offer(self.runs[-1], Sort.DETAIL, size)
        self.runs[-1].ended = True
        self.offer(self.runs[-1], Sort.ENDING, size)

    @rule()
    def work(self) -> None:
        self.deliver()

    def deliver(self) -> None:
        """Finish what was taken, and take the next one, as the worker does."""
        self.queue.done()
        if self.taken is not None:
            self.owner[self.taken].delivered.append(self.taken)
            self.order.append(self.taken.number)
        self.taken = self.queue.take()

    @rule()
    def mark(self) -> None:
        pending = {*self.queue._line.values(), *([self.taken] if self.taken is not None else [])}
        self.marks.append((self.queue.mark(), pending))

    @precondition(lambda self: len(self.owner) > 30)
    @rule()
    def close_and_abandon(self) -> None:
        self.queue.closed = True
        self.queue.abandon()

    @invariant()
    def nothing_is_lost_without_being_counted(self) -> None:
        queue = self.queue
        assert len(self.owner) == queue.delivered + queue.dropped + queue.pending
        assert queue.delivered == sum(len(run.delivered) for run in self.runs)
        assert queue.bytes == sum(entry.size for entry in queue._line.values())

    @invariant()
    def the_limits_hold(self) -> None:
        line = self.queue._line.values()
        kept = [entry for entry in line if entry.track is not None and entry.sort == Sort.ENDING]
        others = [entry for entry in line if entry not in kept]
        assert len(others) <= self.max_events
        assert sum(entry.size for entry in others) <= self.max_bytes
        assert len({id(entry.track) for entry in kept}) == len(kept), "one ending a run"

    @invariant()
    def the_order_is_kept(self) -> None:
        assert self.order == sorted(self.order)

    @invariant()
    def a_mark_tells_the_truth(self) -> None:
        delivered = {entry for run in self.runs for entry in run.delivered}
        line = set(self.queue._line.values())
        for mark, before in self.marks:
            waiting = before & {*line, *([self.taken] if self.taken is not None else [])}
            assert self.queue.reached(mark) == (not waiting)
            assert mark.lost == bool(before - delivered - waiting)

    def teardown(self) -> None:
        if not hasattr(self, "queue"):
            return
        while self.queue.pending:
            self.deliver()
        for run in self.runs:
            if run.track is None or not run.offered:
                continue
            told = [entry.sort for entry in run.delivered]
            if not self.queue.closed:
                assert (Sort.ENDING in told) == (Sort.START in told and run.ended), "all or nothing"
            assert not told or told[0] == Sort.START, "told of a run without its start"


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=max(200, settings().max_examples), stateful_step_count=40)


def offered(queue: BoundedQueue[Entry], *entries: Entry) -> list[Entry]:
    """Offer entries, and return what is left of all."""
    for entry in entries:
        queue.offer(entry)
    return list(queue._line.values())


def detail(track: Track | None = None, size: int = 1) -> Entry:
    """Make a chunk or an event."""
    return Entry(Sort.DETAIL, size, track)


@pytest.mark.parametrize(("overflow", "left"), [("drop_oldest", [1, 2]), ("drop_newest", [0, 1])])
def test_a_full_queue_drops_by_its_policy(overflow: Any, left: list[int]) -> None:
    """The details that wait longest, or those that come last."""
    details = [detail(), detail(), detail()]

    assert offered(BoundedQueue(2, 100, overflow), *details) == [details[place] for place in left]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
@pytest.mark.parametrize("sort", [Sort.START, Sort.ENDING])
def test_a_start_or_an_ending_takes_the_place_of_a_detail(overflow: Any, sort: Sort) -> None:
    """Whatever the policy: less is lost with a chunk."""
    entry = Entry(sort, 1, None)

    assert entry in offered(BoundedQueue(2, 100, overflow), detail(), detail(), entry)


def test_the_oldest_start_goes_with_its_ending() -> None:
    """Where only starts and endings are left, whole runs are dropped."""
    queue: BoundedQueue[Entry] = BoundedQueue(2, 100, "drop_oldest")
    first, second = Track(), Track()
    start = Entry(Sort.START, 1, second)

    left = offered(queue, Entry(Sort.START, 1, first), detail(first), Entry(Sort.ENDING, 1, first), start)

    assert left == [start]
    assert first.refused
    assert queue.dropped == 3


@pytest.mark.parametrize("overflow", POLICIES)
def test_an_ending_is_kept_beyond_the_limits(overflow: Any) -> None:
    """If its start was: what a handler opened at the start it has to close."""
    queue: BoundedQueue[Entry] = BoundedQueue(1, 10, overflow)
    track = Track()
    start, ending = Entry(Sort.START, 10, track), Entry(Sort.ENDING, 1000, track)

    assert offered(queue, start, ending) == [start, ending]


@pytest.mark.parametrize("overflow", POLICIES)
def test_an_event_larger_than_the_queue_is_dropped_alone(overflow: Any) -> None:
    """Nothing that waits has to go for it, since it would not fit in any case; and it is not waited for."""
    queue: BoundedQueue[Entry] = BoundedQueue(5, 10, overflow)
    small, large = detail(size=9), detail(size=11)

    assert queue.fits(large)
    assert offered(queue, small, large) == [small]
    assert queue.dropped == 1


def test_a_start_that_another_queue_has_is_not_begun_here() -> None:
    """After a fork, the child drops the rest of runs whose start the parent has not delivered."""
    parent: BoundedQueue[Entry] = BoundedQueue(5, 100, "drop_oldest")
    child: BoundedQueue[Entry] = BoundedQueue(5, 100, "drop_oldest")
    told, untold = Track(), Track()
    parent.offer(Entry(Sort.START, 1, told))
    parent.take()
    parent.done()
    parent.offer(Entry(Sort.START, 1, untold))

    ending = Entry(Sort.ENDING, 1, told)

    assert offered(child, detail(untold), Entry(Sort.ENDING, 1, untold), ending) == [ending]
    assert child.dropped == 2
