"""Batching policies with one fault each: what the schedules have to notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sideband.serving._lane import Lane
from sideband.serving._lanes import Lanes, _KeyLane
from sideband.serving._policy import BatchPolicy

Mutation = Callable[[pytest.MonkeyPatch], None]
mutants: dict[str, Mutation] = {}


def mutant(apply: Mutation) -> Mutation:
    """Register a mutant under its function's name."""
    mutants[apply.__name__] = apply
    return apply


def wrap(patch: pytest.MonkeyPatch, owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Replace a method by one that is given the right one first."""
    right = getattr(owner, name)
    patch.setattr(owner, name, lambda *args, **options: around(right, *args, **options))


# -- which items are in a batch --------------------------------------------------------------------


@mutant
def makes_a_batch_too_long(patch: pytest.MonkeyPatch) -> None:
    """One item more than `batch_size`."""

    def take(right: Any, lane: Any) -> Any:
        limits = lane.limits
        lane.limits = replace(limits, batch_size=limits.batch_size + 1)
        taken = right(lane)
        lane.limits = limits
        return taken

    wrap(patch, Lane, "take", take)


@mutant
def ignores_the_cost(patch: pytest.MonkeyPatch) -> None:
    """A batch may cost anything."""

    def take(right: Any, lane: Any) -> Any:
        limits = lane.limits
        lane.limits = replace(limits, max_cost=float("inf"))
        taken = right(lane)
        lane.limits = limits
        return taken

    wrap(patch, Lane, "take", take)


@mutant
def lets_a_dear_item_share_its_batch(patch: pytest.MonkeyPatch) -> None:
    """What is dearer than a batch may be is not alone."""

    def take(right: Any, lane: Any) -> Any:
        taken = right(lane)
        alone = taken[0].cost > lane.limits.max_cost
        return taken + right(lane) if alone and lane.waiting and lane.limits.batch_size > 1 else taken

    wrap(patch, Lane, "take", take)


@mutant
def splits_whole_parts(patch: pytest.MonkeyPatch) -> None:
    """Parts are torn apart although they are to be kept whole."""

    def take(right: Any, lane: Any) -> Any:
        limits = lane.limits
        lane.limits = replace(limits, whole=False)
        taken = right(lane)
        lane.limits = limits
        return taken

    wrap(patch, Lane, "take", take)


@mutant
def takes_the_last_first(patch: pytest.MonkeyPatch) -> None:
    """Who comes is put in front of everybody."""

    def add(right: Any, lane: Any, part: Any) -> None:
        right(lane, part)
        lane._parts.rotate(1)

    wrap(patch, Lane, "add", add)


@mutant
def executes_what_was_taken_out(patch: pytest.MonkeyPatch) -> None:
    """A part that was removed is counted out, but stays."""

    def remove(_right: Any, lane: Any, part: Any) -> int:
        count = part.size if part.waiting else 0
        lane.waiting -= count
        return count

    wrap(patch, Lane, "remove", remove)


@mutant
def miscounts_what_waits(patch: pytest.MonkeyPatch) -> None:
    """A part of several items counts one too much when it is removed."""

    def remove(right: Any, lane: Any, part: Any) -> int:
        count: int = right(lane, part)
        lane.waiting += count > 1
        return count

    wrap(patch, Lane, "remove", remove)


@mutant
def loses_the_rest(patch: pytest.MonkeyPatch) -> None:
    """What is left of a part that was split is forgotten."""

    def take(right: Any, lane: Any) -> Any:
        taken = right(lane)
        if (
            lane.waiting
            and taken[-1] not in lane._parts
            and lane.first().numbers[0] == taken[-1].numbers[-1] + 1
        ):
            lane.remove(lane.first())
        return taken

    wrap(patch, Lane, "take", take)


@mutant
def gives_priority_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Nobody gets older: urgent parts starve the others."""

    def add(right: Any, lane: Any, part: Any) -> Any:
        limits = lane.limits
        lane.limits = replace(limits, ageing=1000.0)
        news = right(lane, part)
        lane.limits = limits
        return news

    wrap(patch, Lane, "add", add)


@mutant
def ignores_priority(patch: pytest.MonkeyPatch) -> None:
    """First come, first served."""
    patch.setattr(Lane, "_rank_all", lambda lane: None)


@mutant
def keeps_whole_what_is_of_different_callers(patch: pytest.MonkeyPatch) -> None:
    """A part that has grown is kept whole as if it were one caller's."""

    def fitting(right: Any, lane: Any, part: Any, room: int, used: float, *, alone: bool) -> Any:
        part.divisible = False
        return right(lane, part, room, used, alone=alone)

    wrap(patch, Lane, "_fitting", fitting)


@mutant
def lets_a_part_grow_past_others(patch: pytest.MonkeyPatch) -> None:
    """Who is put into a part that has grown jumps over those who came after its first."""

    def add(_right: Any, policy: Any, part: Any) -> None:
        policy.queue.add(part)
        if part.deadline != float("inf"):
            policy._expire_later(part)

    wrap(patch, BatchPolicy, "add", add)


@mutant
def lets_a_part_grow_that_is_executed(patch: pytest.MonkeyPatch) -> None:
    """Who is put into it is in no batch, and waits no more."""

    def cut(right: Any, policy: Any, now: float, free: int) -> Any:
        growing = dict(policy.growing)
        batches = right(policy, now, free)
        policy.growing.update(growing)
        return batches

    wrap(patch, BatchPolicy, "cut", cut)


@mutant
def lets_a_part_grow_that_was_taken_out(patch: pytest.MonkeyPatch) -> None:
    """Who is put into it never gets into a batch."""

    def remove(right: Any, policy: Any, part: Any) -> Any:
        growing = dict(policy.growing)
        count = right(policy, part)
        policy.growing.update(growing)
        return count

    wrap(patch, BatchPolicy, "remove", remove)


@mutant
def does_not_count_what_a_part_has_grown_by(patch: pytest.MonkeyPatch) -> None:
    """The queue is longer than it knows."""
    patch.setattr(Lane, "grown", lambda lane, part, cost: False)


@mutant
def does_not_count_who_left_a_part_that_has_grown(patch: pytest.MonkeyPatch) -> None:
    """The queue is shorter than it knows."""
    patch.setattr(Lane, "shrunk", lambda lane, part, cost: None)


# -- when ------------------------------------------------------------------------------------------


@mutant
def cuts_early(patch: pytest.MonkeyPatch) -> None:
    """A batch is due before its time."""
    wrap(patch, Lane, "_due", lambda right, lane: right(lane) - 0.25)


@mutant
def lets_full_batches_wait(patch: pytest.MonkeyPatch) -> None:
    """Only the time counts."""
    patch.setattr(Lane, "full", property(lambda lane: False))


@mutant
def takes_a_dear_batch_for_open(patch: pytest.MonkeyPatch) -> None:
    """A batch that has reached `max_cost` is not full."""
    patch.setattr(Lane, "full", property(lambda lane: lane.waiting >= lane.limits.batch_size))


@mutant
def counts_from_the_last_item(patch: pytest.MonkeyPatch) -> None:
    """Later arrivals extend the wait."""

    def due(_right: Any, lane: Any) -> float:
        arrived: float = lane._oldest().arrived
        latest: float = lane._parts[-1].arrived
        return arrived if lane.full else latest + lane.limits.batch_timeout

    wrap(patch, Lane, "_due", due)


@mutant
def takes_more_partitions_than_there_are(patch: pytest.MonkeyPatch) -> None:
    """One batch too many."""
    wrap(patch, Lane, "cut", lambda right, lane, now, free: right(lane, now, free + 1))


@mutant
def executes_after_the_deadline(patch: pytest.MonkeyPatch) -> None:
    """A part whose deadline has passed is executed none the less."""
    patch.setattr(BatchPolicy, "_expire", lambda policy, now: False)


@mutant
def drops_the_expired(patch: pytest.MonkeyPatch) -> None:
    """Nobody is told of a part whose deadline has passed."""
    patch.setattr(BatchPolicy, "expired", lambda policy: [])


# -- among keys ------------------------------------------------------------------------------------


@mutant
def mixes_keys(patch: pytest.MonkeyPatch) -> None:
    """All keys are one."""
    patch.setattr(BatchPolicy, "__init__", _unkeyed(BatchPolicy.__init__))


def _unkeyed(right: Any) -> Any:
    return lambda policy, limits, keyed: right(policy, limits, keyed=False)


@mutant
def lets_a_flood_pass(patch: pytest.MonkeyPatch) -> None:
    """The key with the oldest item has every turn."""
    patch.setattr(
        _KeyLane, "claim", lambda lane: lane.first().arrived - lane.first().priority * lane.limits.ageing
    )


@mutant
def serves_keys_as_they_became_due(patch: pytest.MonkeyPatch) -> None:
    """Priority counts within a key alone."""
    patch.setattr(_KeyLane, "claim", lambda lane: max(lane.first().arrived, lane.served))


@mutant
def forgets_a_key(patch: pytest.MonkeyPatch) -> None:
    """What is left of a key after its turn is not looked at again until more of it comes."""

    def serve(right: Any, lanes: Any, lane: Any) -> Any:
        batch = right(lanes, lane)
        if lane.waiting:
            lanes._timed = [place for place in lanes._timed if place[2] is not lane]
        return batch

    wrap(patch, Lanes, "_serve", serve)


@mutant
def overlooks_an_urgent_item(patch: pytest.MonkeyPatch) -> None:
    """A key that is due already keeps its claim when something more urgent comes."""
    wrap(patch, Lane, "add", lambda right, lane, part: right(lane, part) and lane._ranked is None)


@mutant
def overlooks_that_a_part_has_grown_full(patch: pytest.MonkeyPatch) -> None:
    """The batch of a key waits for its timeout although it is full."""

    def grown(right: Any, lane: Any, part: Any, cost: float) -> bool:
        right(lane, part, cost)
        return False

    wrap(patch, Lane, "grown", grown)


@mutant
def forgets_a_key_that_somebody_left(patch: pytest.MonkeyPatch) -> None:
    """A key whose batch is full no more, since an item left a part that had grown, is taken for full."""

    def shrunk(_right: Any, lanes: Any, part: Any, cost: float) -> None:
        lanes.waiting -= 1
        lanes._lanes[part.key].shrunk(part, cost)

    wrap(patch, Lanes, "shrunk", shrunk)


# -- who may wait ----------------------------------------------------------------------------------


@mutant
def takes_one_too_many(patch: pytest.MonkeyPatch) -> None:
    """The queue is longer than `max_queue`."""

    def set_gate(right: Any, policy: Any) -> None:
        right(policy)
        policy.gate += 1

    wrap(patch, BatchPolicy, "_set_gate", set_gate)


@mutant
def lets_others_jump_the_line(patch: pytest.MonkeyPatch) -> None:
    """Who fits enters, although others stand in line."""

    def set_gate(_right: Any, policy: Any) -> None:
        policy.gate = 0 if policy._closed else policy.limits.max_queue

    wrap(patch, BatchPolicy, "_set_gate", set_gate)


@mutant
def forgets_the_line(patch: pytest.MonkeyPatch) -> None:
    """Room that a batch makes is given to nobody in line."""
    patch.setattr(BatchPolicy, "_refill", lambda policy, now: None)


@mutant
def forgets_who_left_the_line(patch: pytest.MonkeyPatch) -> None:
    """A part that stands in line cannot be taken out."""

    def remove(right: Any, policy: Any, part: Any) -> Any:
        return right(policy, part) if part.waiting else 0

    wrap(patch, BatchPolicy, "remove", remove)


@mutant
def waits_for_a_full_queue(patch: pytest.MonkeyPatch) -> None:
    """A queue that is full waits for its timeout although nothing more can come."""
    wrap(patch, BatchPolicy, "due", lambda right, policy: policy.queue.due())
    patch.setattr(Lane, "take_next", lambda lane, now: [])
