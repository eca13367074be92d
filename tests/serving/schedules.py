"""Random schedules of arrivals, departures, partitions and closings in virtual time, and what must hold in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sideband.serving._lane import Limits
from sideband.serving._policy import BatchPolicy

from .policy_model import Lot, Model

FOREVER = float("inf")


@dataclass
class Sent:
    """What became of the items of one caller's lots."""

    lots: list[Lot]
    numbers: set[int]
    ends: Counter[str] = field(default_factory=Counter)


class Schedule:
    """One server's life: callers with keys, costs, priorities and deadlines, partitions that are busy for a while."""

    def __init__(self, seed: int, policy: Callable[..., BatchPolicy[Lot]] = BatchPolicy) -> None:
        self.random = random = Random(seed)
        self.keyed = random.random() < 0.6
        self.keys = "abcd"[: random.randint(1, 4)] if self.keyed else [None]
        self.priorities = random.choice([[0], [0], [0, 1], [0, 2, -1, 5]])
        self.costs = random.choice([[0.0], [1.0], [0.5, 1.0, 2.0], [0.0, 1.0, 3.0, 9.0]])
        self.partitions = random.randint(1, 4)
        self.wait = random.random() < 0.5
        self.limits = self.some_limits(whole=random.random() < 0.3)
        self.policy = policy(self.limits, keyed=self.keyed)
        self.model = Model(self.limits)
        self.now = 0.0
        self.busy: list[float] = []
        self.count = 0
        self.sent: list[Sent] = []
        self.executed: Counter[int] = Counter()
        self.ended: Counter[int] = Counter()
        self.lots: dict[int, Lot] = {}  # as they came, by the numbers of their items
        self.grown: dict[
            int, Lot
        ] = {}  # what the policy was given in their place, where lots were put together
        self.overdue: dict[
            Any, set[tuple[Any, int]]
        ] = {}  # what was due when a key had its turn, and is since
        self.last: dict[Any, int] = {}

    def some_limits(self, whole: bool) -> Limits:
        random = self.random
        return Limits(
            batch_size=random.choice([1, 2, 3, 5]),
            batch_timeout=random.choice([0.0, 0.5, 2.0]),
            max_cost=random.choice([FOREVER, 2.0, 4.0]) if any(self.costs) else FOREVER,
            max_queue=random.choice([3, 6, 100, 100]),
            whole=whole,
            ageing=random.choice([0.0, 0.5, 2.0]) if not hasattr(self, "limits") else self.limits.ageing,
        )

    # -- the schedule --------------------------------------------------------------------------

    def run(self) -> None:
        random = self.random
        for _ in range(random.randint(5, 25)):
            random.choices(
                [self.arrive, self.leave, self.pass_time, self.reconfigure], weights=[8, 3, 5, 0.3]
            )[0]()
            self.check_state()
        self.finish()

    def arrive(self) -> None:
        random = self.random
        for _ in range(random.choice([1, 1, 2, 4, 6])):
            lots = [self.lot(random.choice([1, 1, 2, 5])) for _ in range(random.choice([1, 1, 1, 2]))]
            numbers = {number for lot in lots for number in lot.numbers}
            alone = len(numbers) == 1 and lots[0].deadline == FOREVER
            taken = self.grow(lots[0]) if alone else self.policy.offer(lots, wait=self.wait)
            assert taken == self.model.offer(lots, self.wait)
            self.sent.append(Sent(lots, numbers))
            if not taken:
                self.end(numbers, "refused")
            if random.random() < 0.2:
                self.leave(self.sent[-3:])
        self.pump()

    def grow(self, lot: Lot) -> bool:
        """Let a lot of one item wait: as the last of one that may grow, or as one that may, while there is room."""
        policy = self.policy
        mark = (lot.key, lot.priority if self.limits.ageing else None)
        grown = policy.growing.get(mark)
        number, cost = lot.numbers[0], lot.costs[0]
        if grown is not None and policy.waiting < policy.gate:
            grown.numbers.append(number)
            grown.costs.append(cost)
            policy.queue.grown(grown, cost)
        else:
            grown = Lot([number], [cost], lot.arrived, lot.key, lot.priority, divisible=True)
            if not policy.grow(grown, mark) and not policy.offer([grown], wait=self.wait):
                return False
        self.grown[number] = grown
        return True

    def shrink(self, number: int) -> int:
        """Take one item out of a lot that has grown."""
        grown = self.grown[number]
        if grown.size == 1 or not grown.waiting:
            return self.policy.remove(grown) if grown.numbers == [number] else 0
        if number not in grown.numbers:  # split off with those in front of it
            return 0
        place = grown.numbers.index(number)
        grown.numbers.pop(place)
        self.policy.shrunk(grown, grown.costs.pop(place))
        return 1

    def lot(self, size: int) -> Lot:
        random = self.random
        numbers = list(range(self.count, self.count + size))
        self.count += size
        deadline = self.now + random.choice([0.25, 1.0, 4.0]) if random.random() < 0.2 else FOREVER
        costs = [random.choice(self.costs) for _ in numbers]
        lot = Lot(
            numbers, costs, self.now, random.choice(self.keys), random.choice(self.priorities), deadline
        )
        came = Lot(list(numbers), list(costs), self.now, lot.key, lot.priority, deadline)
        self.lots.update(dict.fromkeys(numbers, came))
        return lot

    def leave(self, some: list[Sent] | None = None) -> None:
        if sent := some or self.sent:
            lot = self.random.choice(self.random.choice(sent).lots)
            left = set(lot.numbers)
            grown = next((number for number in left if number in self.grown), None)
            count = self.policy.remove(lot) if grown is None else self.shrink(grown)
            assert count == self.model.remove(lot)
            if count:
                assert count == len(left)
                self.end(left, "removed")
            assert self.policy.remove(lot) == 0

    def pass_time(self) -> None:
        """Let time pass, and do what is due meanwhile."""
        until = self.now + self.random.choice([0.25, 0.5, 1.0, 3.0])
        while True:
            due = self.policy.due() if len(self.busy) < self.partitions else None
            times = [*self.busy, *([] if due is None else [max(due, self.now)])]
            if not times or min(times) > until:
                break
            self.now = min(times)
            self.pump()
        self.now = until
        self.pump()

    def reconfigure(self) -> None:
        self.limits = self.some_limits(whole=self.limits.whole)
        self.policy.configure(self.limits)
        self.model.limits = self.limits
        self.model.admit()
        self.pump()

    def finish(self) -> None:
        """Close: execute what waits, or give it up."""
        drain = self.random.random() < 0.7
        self.policy.close()
        self.model.closed = True
        if drain:
            while self.policy.waiting or self.policy.in_line:
                self.pump()
                self.now = min(self.busy, default=self.now)
        given_up = [number for lot in self.policy.drain() for number in lot.numbers]
        assert sorted(given_up) == sorted(self.model.drain())
        assert not (drain and given_up)
        self.end(given_up, "given up")
        assert (self.policy.waiting, self.policy.in_line, self.policy.due()) == (0, 0, None)
        assert not self.policy.offer([self.lot(1)], wait=True)
        self.count -= 1
        assert set(range(self.count)) == set(self.ended)  # nothing lost
        assert set(self.ended.values()) <= {1}  # nothing twice

    # -- what has to hold ----------------------------------------------------------------------

    def pump(self) -> None:
        self.busy = [until for until in self.busy if until > self.now]
        free = self.partitions - len(self.busy)
        due = self.due_keys()
        batches = self.policy.cut(self.now, free)
        expected = self.model.cut(self.now, free)
        expired = self.policy.expired()
        self.end([number for lot in expired for number in lot.numbers], "expired")
        assert all(lot.deadline <= self.now for lot in expired)
        assert {id(lot) for lot in expired} == {id(lot) for lot in self.model.expired}
        self.model.expired.clear()
        for batch in batches:
            self.check_batch(batch, due)
        assert [[number for lot in batch for number in lot.numbers] for batch in batches] == expected
        assert len(batches) <= free
        # Failed or not, a partition is free after a while.
        self.busy += [self.now + self.random.choice([0.25, 1.0, 2.0]) for _ in batches]
        if free > len(batches):
            self.check_nobody_waits_too_long()

    def end(self, numbers: Any, how: str) -> None:
        for number in numbers:
            self.ended[number] += 1
            assert self.ended[number] == 1, how

    def check_batch(self, batch: list[Lot], due: set[tuple[Any, int]]) -> None:
        numbers = [number for lot in batch for number in lot.numbers]
        costs = [cost for lot in batch for cost in lot.costs]
        self.executed.update(numbers)
        self.end(numbers, "executed")
        assert 1 <= len(numbers) <= self.limits.batch_size
        assert sum(costs) <= self.limits.max_cost or len(numbers) == 1
        assert len({lot.key for lot in batch}) == 1
        assert all(lot.deadline > self.now and not lot.waiting for lot in batch)
        self.check_order(batch, numbers)
        self.check_fairness(batch[0].key, due)

    def check_order(self, batch: list[Lot], numbers: list[int]) -> None:
        """No item goes in front of an equal one, nor of one that waits for long enough."""
        for number in numbers:
            new = self.lots[number]
            mark = (new.key, new.priority)
            assert number > self.last.get(mark, -1)
            self.last[mark] = number
        chosen = set(numbers)
        for one in self.model.queue:
            for number in chosen:
                new, old = self.lots[number], one.lot
                if old.key == new.key and one.items and one.items[0][0] not in chosen:
                    ahead = (new.priority - old.priority) * self.limits.ageing
                    assert new.arrived < old.arrived + max(ahead, 0) or number < one.items[0][0]

    def due_keys(self) -> set[tuple[Any, int]]:
        """Return the keys that are due, each with its first item."""
        model = self.model
        late = {id(one) for one in model.queue if one.lot.deadline <= self.now}
        if late or model.line or model.waiting >= self.limits.max_queue:
            return set()  # others come or go before the batch is cut
        keys = [key for key in model.turns if model.due(key) <= self.now]
        return {(key, model.row(key)[0].items[0][0]) for key in keys}

    def check_fairness(self, key: Any, due: set[tuple[Any, int]]) -> None:
        """Between two turns of a key every other key that was due, its first item waiting still, has one."""
        if len(self.priorities) == 1:
            waits = {number for one in self.model.queue for number, _ in one.items}
            assert not [item for _, item in self.overdue.get(key, set()) & due if item in waits]
        due -= {passed for passed in due if passed[0] == key}
        self.overdue = {other: passed & due for other, passed in self.overdue.items()}
        self.overdue[key] = set(due)

    def check_nobody_waits_too_long(self) -> None:
        """While a partition is free nothing that is due waits."""
        assert not self.model.closed or not self.policy.waiting
        for key in self.model.turns:
            assert self.model.due(key) > self.now
        assert self.model.waiting < self.limits.max_queue or not self.model.waiting

    def check_state(self) -> None:
        policy, model = self.policy, self.model
        due = self.due_keys()
        self.overdue = {key: passed & due for key, passed in self.overdue.items()}
        assert (policy.waiting, policy.in_line) == (model.waiting, model.in_line)
        told = policy.due()
        if not model.queue:
            assert told is None
            return
        exact = min(model.due(key) for key in model.turns)
        assert told is not None
        if exact <= self.now or model.line or model.waiting >= self.limits.max_queue:
            assert told <= self.now
        else:
            assert told == exact


def run(seed: int, policy: Callable[..., BatchPolicy[Lot]] = BatchPolicy) -> None:
    """Run one schedule; what goes wrong is told with the seed."""
    try:
        Schedule(seed, policy).run()
    except Exception as error:
        error.add_note(f"schedule {seed}")
        raise
