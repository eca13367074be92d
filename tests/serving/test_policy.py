from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sideband.serving._policy import PartQueue


@dataclass(eq=False)
class Lot:
    """Items of one call, by their numbers."""

    items: list[int]
    arrived: float
    waiting: bool = False
    whole: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.whole = list(self.items)

    @property
    def size(self) -> int:
        return len(self.items)

    def split(self, count: int) -> Lot:
        first = Lot(self.items[:count], self.arrived)
        first.whole = self.whole
        self.items = self.items[count:]
        return first


class Policy(RuleBasedStateMachine):
    """Calls come, go, and are cut into batches, in virtual time."""

    queue_type: type[PartQueue[Lot]] = PartQueue

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.count = 0
        self.lots: list[Lot] = []
        # The numbers of the items that wait, in order, and the lot of each.
        self.expected: dict[int, Lot] = {}

    @initialize(
        batch_size=st.integers(1, 8), batch_timeout=st.sampled_from([0.0, 0.5, 2.0]), whole=st.booleans()
    )
    def make(self, batch_size: int, batch_timeout: float, whole: bool) -> None:
        self.whole = whole
        self.queue = self.queue_type(batch_size=batch_size, batch_timeout=batch_timeout, whole=whole)

    @rule(size=st.integers(1, 3) | st.integers(1, 15), times=st.integers(1, 2))
    def add(self, size: int, times: int) -> None:
        size = min(size, self.queue.batch_size) if self.whole else size
        for _ in range(times):
            lot = Lot(list(range(self.count, self.count + size)), self.now)
            self.count += size
            self.lots.append(lot)
            self.expected.update(dict.fromkeys(lot.items, lot))
            self.queue.add(lot)

    @precondition(lambda self: self.lots)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        lot = data.draw(st.sampled_from(self.lots))
        left = [item for item, owner in self.expected.items() if owner is lot]
        assert self.queue.remove(lot) == len(left)
        for item in left:
            del self.expected[item]

    @rule(seconds=st.sampled_from([0.1, 0.3, 0.5, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(size=st.integers(1, 2), seconds=st.sampled_from([0.1, 0.3, 0.5]))
    def trickle(self, size: int, seconds: float) -> None:
        self.add(size, 1)
        self.wait(seconds)
        self.cut(1, False)

    @rule(free=st.integers(0, 4), flush=st.booleans())
    def cut(self, free: int, flush: bool) -> None:
        due = self.queue.due()
        batches = self.queue.cut(self.now, free, flush=flush)

        assert len(batches) <= free
        if free:  # `due` is truthful, and nobody waits longer than promised while a partition is free
            assert bool(batches) == (due is not None and (flush or due <= self.now))
        for batch in batches:
            self.check_due(flush)
            self.check_batch(batch)
        if len(batches) < free:
            self.check_nothing_more_is_due(flush)

    def check_due(self, flush: bool) -> None:
        full = len(self.expected) >= self.queue.batch_size
        assert flush or full or self.oldest() + self.queue.batch_timeout <= self.now

    def check_batch(self, batch: list[Lot]) -> None:
        items = [item for lot in batch for item in lot.items]
        assert 1 <= len(items) <= self.queue.batch_size
        assert items == list(self.expected)[: len(items)]  # none lost, none twice, in order
        assert not any(lot.waiting for lot in batch)
        if self.whole:
            assert all(lot.items == lot.whole for lot in batch)
        for item in items:
            del self.expected[item]
        room = self.queue.batch_size - len(items)
        if room and self.expected:  # it could not be fuller
            assert self.whole
            assert next(iter(self.expected.values())).size > room

    def check_nothing_more_is_due(self, flush: bool) -> None:
        if self.expected:
            assert not flush
            assert len(self.expected) < self.queue.batch_size
            assert self.now < self.oldest() + self.queue.batch_timeout

    def oldest(self) -> float:
        return next(iter(self.expected.values())).arrived

    @rule()
    def drain(self) -> None:
        drained = self.queue.drain()
        assert [item for lot in drained for item in lot.items] == list(self.expected)
        assert not any(lot.waiting for lot in drained)
        self.expected.clear()

    @invariant()
    def knows_how_many_wait_and_when_they_are_due(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert self.queue.waiting == len(self.expected)
        if not self.expected:
            assert self.queue.due() is None
            return
        full = len(self.expected) >= self.queue.batch_size
        assert self.queue.due() == self.oldest() + (0 if full else self.queue.batch_timeout)


TestPolicy = Policy.TestCase
TestPolicy.settings = settings(stateful_step_count=40)


class TooLong(PartQueue[Lot]):
    def _take(self) -> list[Lot]:
        self.batch_size += 1
        taken = super()._take()
        self.batch_size -= 1
        return taken


class SplitsWholeParts(PartQueue[Lot]):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "whole": False})


class LastInFirstOut(PartQueue[Lot]):
    def add(self, part: Lot) -> None:
        super().add(part)
        self._parts.rotate(1)


class RunsWhatWasTakenOut(PartQueue[Lot]):
    def remove(self, part: Lot) -> int:
        count = part.size if part.waiting else 0
        self.waiting -= count
        return count


class MiscountsWhatWaits(PartQueue[Lot]):
    def remove(self, part: Lot) -> int:
        count = super().remove(part)
        self.waiting += count > 1
        return count


class LetsTheOldestWait(PartQueue[Lot]):
    def _head(self) -> Lot:
        super()._head()
        return self._parts[-1]


class CutsEarly(PartQueue[Lot]):
    def cut(self, now: float, free: int, *, flush: bool = False) -> list[list[Lot]]:
        return super().cut(now + 0.25, free, flush=flush)


class LetsFullBatchesWait(PartQueue[Lot]):
    def cut(self, now: float, free: int, *, flush: bool = False) -> list[list[Lot]]:
        late = self.waiting and now < self._head().arrived + self.batch_timeout
        return [] if late and not flush else super().cut(now, free, flush=flush)


class ForgetsToFlush(PartQueue[Lot]):
    def cut(self, now: float, free: int, *, flush: bool = False) -> list[list[Lot]]:
        return super().cut(now, free)


class TakesMorePartitionsThanThereAre(PartQueue[Lot]):
    def cut(self, now: float, free: int, *, flush: bool = False) -> list[list[Lot]]:
        return super().cut(now, free + 1, flush=flush)


class CutsOneBatchOnly(PartQueue[Lot]):
    def cut(self, now: float, free: int, *, flush: bool = False) -> list[list[Lot]]:
        return super().cut(now, min(free, 1), flush=flush)


class OnePartABatch(PartQueue[Lot]):
    def _take(self) -> list[Lot]:
        taken = self._take_some()
        for part in reversed(taken[1:]):
            self._parts.appendleft(part)
            self.waiting += part.size
        taken[0].waiting = False
        return taken[:1]


class LosesTheRest(PartQueue[Lot]):
    def _take(self) -> list[Lot]:
        taken = super()._take()
        if self._parts and taken[-1].whole is self._parts[0].whole:
            self.waiting -= self._parts.popleft().size
        return taken


class CutsEmptyBatches(PartQueue[Lot]):
    def cut(self, now: float, free: int, *, flush: bool = False) -> list[list[Lot]]:
        return super().cut(now, free, flush=flush) or [[]] * min(free, 1)


class DrainsInAnyOrder(PartQueue[Lot]):
    def drain(self) -> list[Lot]:
        return super().drain()[::-1]


class SaysTooLate(PartQueue[Lot]):
    def due(self) -> float | None:
        return self._head().arrived + self.batch_timeout if self.waiting else None


@pytest.mark.parametrize(
    "mutant",
    [
        TooLong, SplitsWholeParts, LastInFirstOut, RunsWhatWasTakenOut, MiscountsWhatWaits, LetsTheOldestWait, CutsEarly,
        LetsFullBatchesWait, ForgetsToFlush, TakesMorePartitionsThanThereAre, CutsOneBatchOnly, OnePartABatch, LosesTheRest,
        CutsEmptyBatches, DrainsInAnyOrder, SaysTooLate,
    ],
)  # fmt: skip
def test_a_policy_that_breaks_a_promise_is_found_out(mutant: type[PartQueue[Lot]]) -> None:
    """The properties above tell each of these policies from the right one."""

    class Mutated(Policy):
        queue_type = mutant

    found = settings(
        max_examples=300, stateful_step_count=40, phases=[Phase.generate], database=None, deadline=None
    )
    with pytest.raises((AssertionError, IndexError)):
        run_state_machine_as_test(Mutated, settings=found)


def cut_all(parts: str, *, batch_size: int, whole: bool) -> list[str]:
    """Let parts wait, one letter an item and a blank between parts, and cut all batches."""
    queue: PartQueue[Lot] = PartQueue(batch_size=batch_size, batch_timeout=0.0, whole=whole)
    letters: dict[int, str] = dict(enumerate(parts.replace(" ", "")))
    place = 0
    for part in parts.split():
        queue.add(Lot(list(range(place, place + len(part))), 0.0))
        place += len(part)
    return ["".join(letters[item] for lot in batch for item in lot.items) for batch in queue.cut(0.0, 100)]


@pytest.mark.parametrize(
    ("parts", "whole", "batches"),
    [
        ("AA BB CC", False, ["AAB", "BCC"]),
        ("AA BB CC", True, ["AA", "BB", "CC"]),
        ("A BBBB", False, ["ABB", "BB"]),
        ("A BBB", False, ["ABB", "B"]),
        ("A BBB", True, ["A", "BBB"]),
        ("A B C D", True, ["ABC", "D"]),
        ("A BB C DD", True, ["ABB", "CDD"]),
        ("AAA", True, ["AAA"]),
        ("AAAAAAA", False, ["AAA", "AAA", "A"]),
    ],
)
def test_lists_fill_batches_in_order(parts: str, whole: bool, batches: list[str]) -> None:
    """A list is split to fill batches, unless hooks keep it whole: then it closes the batch it does not fit into."""
    assert cut_all(parts, batch_size=3, whole=whole) == batches


@pytest.mark.parametrize("keep", [1, 3])
def test_what_was_taken_out_does_not_pile_up(keep: int) -> None:
    """Callers who come and go by the thousand while all partitions are busy leave nothing in the queue."""
    queue: PartQueue[Lot] = PartQueue(batch_size=8, batch_timeout=1.0, whole=False)
    for number in range(keep):
        queue.add(Lot([number], 0.0))

    for number in range(10_000):
        passing = Lot([number], 0.0)
        queue.add(passing)
        queue.remove(passing)

    assert queue.waiting == keep
    assert len(queue._parts) < 200
    assert [lot.items for lot in queue.drain()] == [[number] for number in range(keep)]


def test_a_part_that_is_taken_out_half_executed_gives_only_its_rest() -> None:
    """Removing a part whose head has been cut takes out the items that still wait, and counts those."""
    queue: PartQueue[Lot] = PartQueue(batch_size=3, batch_timeout=0.0, whole=False)
    lot = Lot([0, 1, 2, 3, 4], 0.0)
    queue.add(lot)

    [[first]] = queue.cut(0.0, 1)

    assert first.items == [0, 1, 2]
    assert queue.remove(lot) == 2
    assert queue.remove(lot) == 0
    assert queue.cut(0.0, 1, flush=True) == []
