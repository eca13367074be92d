from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sideband.exporters.console._forest import Forest
from sideband.exporters.console._node import Node


def node(order: int, parent: int = 0, **known: Any) -> Node:
    process = known.pop("process", "")
    given_: dict[str, Any] = {"kind": "Tool", "name": f"run {order}", "started": float(order), **known}
    if "outcome" in given_:
        given_.setdefault("duration", 0.5)
    around = f"{process}/{parent}" if parent else None
    return Node(id=f"{process}/{order}", order=order, parent=around, process=process, **given_)


def test_runs_are_put_together_to_a_tree() -> None:
    """Each run stands in the run that it started in, in the order of the starts."""
    forest = Forest()
    forest.tell([node(1), node(2, 1), node(3, 1), node(4, 2)])

    (root,) = forest.roots
    assert [inside.name for inside in root.walk()] == ["run 1", "run 2", "run 4", "run 3"]
    assert forest.running == 4


def test_a_tree_that_began_and_ended_between_two_looks_is_whole() -> None:
    """Its root may be told before what is inside of it, and over already."""
    forest = Forest()
    forest.tell([node(1, outcome="ok"), node(2, 1, outcome="ok"), node(3, 2, outcome="error")])

    (root,) = forest.take_ended()
    assert [inside.name for inside in root.walk()] == ["run 1", "run 2", "run 3"]
    assert root.failed_inside
    assert (forest.running, forest.done, forest.failed) == (0, 3, 1)
    assert forest.roots == []


def test_a_run_that_outlives_its_tree_becomes_a_root() -> None:
    """It goes on, so it stays in sight; and it ends as its own tree."""
    forest = Forest()
    forest.tell([node(1), node(2, 1)])
    forest.tell([node(1, outcome="ok")])
    assert [root.name for root in forest.roots] == ["run 2"]
    forest.tell([node(2, 1, outcome="ok")])

    assert [root.name for root in forest.take_ended()] == ["run 1", "run 2"]


def test_what_is_told_again_after_its_tree_is_gone_is_no_new_tree() -> None:
    """A history tells of a run once more when it drops its payloads."""
    forest = Forest()
    forest.tell([node(1, outcome="ok"), node(2, outcome="ok")])
    forest.take_ended()
    forest.tell([node(1, outcome="ok")])

    assert forest.take_ended() == []
    assert forest.done == 2


def test_many_runs_of_one_parent_that_are_alike_become_one() -> None:
    """A parent of a hundred thousand runs takes no more room than one of fifty; failed ones stay as they are."""
    forest = Forest()
    forest.tell([node(1)])
    forest.tell([node(2, 1, outcome="error")])
    for order in range(3, 1_003):
        forest.tell([node(order, 1, name=f"part {order % 2}", outcome="ok", duration=0.5, output_tokens=1)])

    (root,) = forest.roots
    assert len(root.children) < 60
    assert root.children[0].outcome == "error"
    alike = [child for child in root.children if child.name == "part 1"]
    assert sum(child.count for child in alike) == 500
    assert sum(child.duration or 0.0 for child in alike) == 250.0
    assert root.used[1] == 1_000


def test_of_many_runs_of_one_parent_that_are_not_alike_the_oldest_are_counted() -> None:
    """By their kind, with what was inside of them."""
    forest = Forest()
    forest.tell([node(1)])
    for order in range(2, 1_002, 2):
        forest.tell([node(order, 1, outcome="ok"), node(order + 1, order, kind="Agent", outcome="ok")])

    (root,) = forest.roots
    assert len(root.children) < 60
    assert root.folded["Tool"] == root.folded["Agent"] == 500 - len(root.children)


def test_usage_counts_once_whoever_tells_it() -> None:
    """A run's usage is its own and that of the runs inside of it, so the larger of the two counts."""
    forest = Forest()
    forest.tell([node(1), node(2, 1)])
    forest.tell([node(2, 1, outcome="ok", input_tokens=7, output_tokens=3, cost=0.5)])
    forest.tell([node(3, 1, outcome="ok", input_tokens=1)])
    (root,) = forest.roots
    assert root.used == (8, 3, 0.5)
    forest.tell([node(1, outcome="ok", input_tokens=9, output_tokens=3)])

    assert forest.tokens == 12
    assert forest.cost == 0.5


def test_a_batch_that_ended_well_is_counted_and_one_that_failed_stays() -> None:
    """Those whom it served tell of it."""
    forest = Forest()
    forest.tell([node(1, kind="Batch", size=8, outcome="ok"), node(2, kind="Batch", size=4, outcome="ok")])
    forest.tell([node(3, kind="Batch", size=4, outcome="error")])

    assert [root.name for root in forest.take_ended()] == ["run 3"]
    assert (forest.batches, forest.items) == (3, 16)


def test_the_runs_of_a_process_that_is_gone_end_as_lost() -> None:
    """Nobody will tell how they ended; those of other processes go on."""
    forest = Forest()
    forest.tell([node(1, process="a"), node(2, 1, process="a"), node(1, process="b")])
    forest.lose("a")

    (root,) = forest.take_ended()
    assert [inside.outcome for inside in root.walk()] == ["lost", "lost"]
    assert [root.process for root in forest.roots] == ["b"]


def test_runs_of_which_nothing_more_will_be_told_are_left_out_and_counted() -> None:
    """They did not fail, so they are no tree that ended; what goes on in them does."""
    forest = Forest()
    forest.tell([node(1), node(2, 1), node(3, 2), node(4)])
    forest.forget(["/1", "/4", "/9"])

    assert [root.name for root in forest.roots] == ["run 2"]
    assert (forest.running, forest.left_out, forest.failed, forest.take_ended()) == (2, 2, 0, [])


@st.composite
def histories(draw: st.DrawFn) -> list[list[tuple[int, int, bool]]]:
    """Draw trees, and how far they are at each look: (order, parent, ended)."""
    count = draw(st.integers(1, 12))
    parents = [draw(st.integers(0, order - 1)) for order in range(1, count + 1)]
    starts = sorted(draw(st.lists(st.integers(0, 5), min_size=count, max_size=count)))
    ends = [start + draw(st.integers(0, 5)) for start in starts]
    for order in range(count, 0, -1):  # a run ends after those inside of it
        parent = parents[order - 1]
        if parent:
            ends[parent - 1] = max(ends[parent - 1], ends[order - 1])
    looks: list[list[tuple[int, int, bool]]] = []
    for look in range(max(ends) + 1):
        told = [
            (order, parents[order - 1], ends[order - 1] <= look)
            for order in range(1, count + 1)
            if look in {starts[order - 1], ends[order - 1]}
        ]
        looks.append(draw(st.permutations(told)))
    return looks


@given(histories())
def test_every_tree_ends_once_and_holds_all_its_runs(looks: list[list[tuple[int, int, bool]]]) -> None:
    """However the starts and endings fall between the looks."""
    forest = Forest()
    ended: list[Node] = []
    for told in looks:
        forest.tell([
            node(order, parent, outcome="ok" if over else None, duration=0.5 if over else None)
            for order, parent, over in told
        ])  # fmt: skip
        ended += forest.take_ended()
    names = [inside.name for root in ended for inside in root.walk()]

    assert sorted(names) == sorted({f"run {order}" for told in looks for order, _, _ in told})
    assert (forest.running, forest.roots) == (0, [])
