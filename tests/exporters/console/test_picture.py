from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.exporters.console.test_forest import node

from sideband.exporters.console._forest import Forest
from sideband.exporters.console._line import ASCII, UNICODE
from sideband.exporters.console._node import Node, duration
from sideband.exporters.console._picture import Picture
from sideband.exporters.console._reading import clean

NOW = 10.0


def forest() -> Forest:
    """An agent at work: what is done, what failed and why, a model that writes, a call that waits for its batches."""
    found = Forest()
    found.tell([
        node(1, kind="Agent", name="answer", started=0.0, about="what is a sideband"),
        node(2, 1, kind="Retriever", name="search", started=1.0, duration=0.0123, outcome="ok"),
        *[node(order, 1, name="lookup", duration=0.003, outcome="ok") for order in range(3, 12)],
        node(12, 1, name="fetch", duration=0.2, outcome="error", error=("ValueError: no such page", "KeyError: 'x'")),
        node(13, 1, kind="ChatModel", name="tiny", started=4.0, first_chunk=2.0, chunks=128, tail="and then it is closed"),
        node(14, 1, kind="Serving", name="embed", started=9.2, done=24.0, total=40.0, facts=("batch of 8",)),
    ])  # fmt: skip
    return found


def drawn(found: Forest, width: int, height: int, marks: Any = UNICODE) -> list[str]:
    return [line.plain for line in Picture(marks).live(found, width=width, height=height, now=NOW)]


def test_a_tree_that_goes_on() -> None:
    """Each run on a line with its sign, kind, name, what is to be said, and its time at the right edge."""
    assert drawn(forest(), 72, 20) == [
        "⠋ Agent answer  what is a sideband                                10.0 s",
        "├─ ✓ Retriever search                                              12 ms",
        "├─ ✓ Tool lookup \N{MULTIPLICATION SIGN}9                                                 3 ms",
        "├─ ✗ Tool fetch  ValueError: no such page                         200 ms",
        "│     caused by KeyError: 'x'",
        "├─ ⠋ ChatModel tiny  128 chunks · 32/s                             6.0 s",
        "│     ▏ and then it is closed",
        "└─ ⠋ Serving embed  ━━━━━━━───── 24/40 · batch of 8               800 ms",
        "3 running  10 done · 1 failed",
    ]


def test_where_there_is_little_room_what_is_done_is_left_out_and_counted() -> None:
    """What goes on and what failed stays longest."""
    assert drawn(forest(), 72, 7) == [
        "⠋ Agent answer  what is a sideband                                10.0 s",
        "├─ … 10 more: 9 Tool, 1 Retriever",
        "├─ ✗ Tool fetch  ValueError: no such page                         200 ms",
        "│     caused by KeyError: 'x'",
        "├─ ⠋ ChatModel tiny  128 chunks · 32/s                             6.0 s",
        "└─ ⠋ Serving embed  ━━━━━━━───── 24/40 · batch of 8               800 ms",
        "3 running  10 done · 1 failed",
    ]


def test_where_there_is_no_room_at_all_the_rest_is_counted() -> None:
    """The last line before the summary says how many runs are not seen."""
    assert drawn(forest(), 72, 4)[-2:] == ["… 2 more", "3 running  10 done · 1 failed"]


def test_in_forty_columns_numbers_are_left_out_and_not_cut() -> None:
    """Names and messages are shortened; times stay."""
    assert drawn(forest(), 40, 20) == [
        "⠋ Agent answer  what is a sideba… 10.0 s",
        "├─ ✓ Retriever search              12 ms",
        "├─ ✓ Tool lookup \N{MULTIPLICATION SIGN}9                 3 ms",
        "├─ ✗ Tool fetch  ValueError: no … 200 ms",
        "│     caused by KeyError: 'x'",
        "├─ ⠋ ChatModel tiny  128 chunks    6.0 s",
        "│     ▏ and then it is closed",
        "└─ ⠋ Serving embed  24/40         800 ms",
        "3 running  10 done · 1 failed",
    ]


def test_a_batch_is_drawn_as_boxes_that_are_filled() -> None:
    """While it is executed."""
    found = Forest()
    found.tell([node(1, kind="Batch", name="embed", started=9.5, done=5.0, total=8.0)])

    assert drawn(found, 40, 5)[0] == "⠋ Batch embed  ▪▪▪▪▪▫▫▫ 5/8       500 ms"


def test_where_the_encoding_has_no_signs_there_are_letters() -> None:
    """A tree in ASCII."""
    assert all(line.isascii() for line in drawn(forest(), 72, 20, ASCII))


def test_a_tree_that_ended_stays_without_the_text_that_it_streamed() -> None:
    """Runs that are alike stand on one line, with the mean of their times."""
    found = forest()
    found.tell([node(order, 1, kind=kind, name=name, outcome="ok", duration=6.0, tail="all of it")
                for order, kind, name in ((13, "ChatModel", "tiny"), (14, "Serving", "embed"))])  # fmt: skip
    found.tell(
        [node(1, kind="Agent", name="answer", outcome="ok", duration=10.0, output_tokens=5, cost=0.00125)]
    )
    (root,) = found.take_ended()
    lines = [line.plain for line in Picture(UNICODE).ended([root], width=60, now=NOW)]

    assert lines == [
        "✓ Agent answer  5 tokens · $0.00125                   10.0 s",
        "├─ ✓ Retriever search                                  12 ms",
        "├─ ✓ Tool lookup \N{MULTIPLICATION SIGN}9                                     3 ms",
        "├─ ✗ Tool fetch  ValueError: no such page             200 ms",
        "│     caused by KeyError: 'x'",
        "├─ ✓ ChatModel tiny                                    6.0 s",
        "└─ ✓ Serving embed                                     6.0 s",
    ]
    assert drawn(found, 60, 20) == []


def test_among_many_runs_those_alike_stand_on_one_line_wherever_they_are() -> None:
    """A few are shown in their order."""
    found = Forest()
    found.tell([node(1, kind="Workflow", name="index")])
    for order in range(2, 202, 2):
        found.tell([
            node(order, 1, kind="Loader", name="read", outcome="ok", duration=0.01),
            node(order + 1, 1, kind="Transformer", name="cut", outcome="ok", duration=0.02),
        ])  # fmt: skip
    found.tell([node(1, kind="Workflow", name="index", outcome="ok", duration=3.0)])
    lines = [line.plain for line in Picture(UNICODE).ended(found.take_ended(), width=40, now=NOW)]

    assert lines == [
        "✓ Workflow index                   3.0 s",
        "├─ ✓ Loader read \N{MULTIPLICATION SIGN}100              10 ms",
        "└─ ✓ Transformer cut \N{MULTIPLICATION SIGN}100          20 ms",
    ]


def test_of_very_many_trees_those_that_failed_are_shown_and_the_others_counted() -> None:
    """A thousand trees a frame would be read by nobody."""
    found = Forest()
    found.tell([node(order, name=f"run {order}", outcome="ok") for order in range(1, 1_001)])
    found.tell([node(1_001, name="bad", outcome="error", error=("ValueError: no",))])
    lines = [line.plain for line in Picture(UNICODE).ended(found.take_ended(), width=60, now=NOW)]

    assert len(lines) == 18
    assert "bad" in lines[-2]
    assert lines[-1] == "… 984 more trees that ended well"


def test_of_very_many_trees_that_failed_the_rest_are_counted_too() -> None:
    """There is a bound for them as well."""
    found = Forest()
    found.tell(
        [
            node(order, name=f"run {order}", outcome="error", error=("ValueError: no",))
            for order in range(1, 1_001)
        ]
    )
    lines = [line.plain for line in Picture(UNICODE).ended(found.take_ended(), width=60, now=NOW)]

    assert len(lines) == 65
    assert lines[-1] == "… 936 more trees, of which 936 failed"


def test_a_plain_line_tells_of_the_whole_tree() -> None:
    """Sign, kind, name, time, error, and how many runs there were."""
    found = Forest()
    error = ("ValueError: no", "KeyError: 'x'")
    found.tell(
        [
            node(1, kind="Agent", name="answer", outcome="error", duration=2.31, error=error),
            node(2, 1, outcome="ok"),
        ]
    )
    (root,) = found.take_ended()

    assert Picture(UNICODE).plain(root, now=NOW) == (
        "✗ Agent answer  2.3 s · ValueError: no · 2 runs · caused by KeyError: 'x'"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0.0 ms"), (0.0004, "0.4 ms"), (0.012, "12 ms"), (0.9996, "1.0 s"), (59.9, "59.9 s"), (59.96, "1:00"), (3_723.0, "1:02:03")],
)  # fmt: skip
def test_times_are_in_the_unit_that_suits_them(seconds: float, shown: str) -> None:
    """From tenths of milliseconds to hours."""
    assert duration(seconds) == shown


TEXT = st.text(max_size=60).map(clean)


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    """Draw a tree of any shape and content."""
    found: list[Node] = []
    for order in range(1, draw(st.integers(1, 14)) + 1):
        over = draw(st.sampled_from([None, "ok", "error", "cancelled", "closed", "interrupted"]))
        found.append(
            node(
                order, draw(st.integers(0, order - 1)), kind=draw(st.sampled_from(["Tool", "Batch", "ChatModel"])),
                name=draw(TEXT), tail=draw(TEXT), about=draw(TEXT), outcome=over, duration=draw(st.floats(0, 1e9)) if over else None,
                error=tuple(draw(st.lists(TEXT, max_size=3))) if over == "error" else (), chunks=draw(st.integers(0, 10**12)),
                input_tokens=draw(st.integers(0, 10**12)), cost=draw(st.none() | st.floats(0, 1e9)),
                done=draw(st.floats(0, 1e12)), total=draw(st.floats(0, 1e12)),
            )
        )  # fmt: skip
    return found


@given(nodes(), st.integers(20, 90), st.integers(1, 12), st.sampled_from([UNICODE, ASCII]))
def test_no_line_is_too_wide_and_there_are_not_too_many(
    found: list[Node], width: int, height: int, marks: Any
) -> None:
    """Whatever the runs are called, said and cost; wide letters included."""
    shown = Forest()
    shown.tell(found)
    picture = Picture(marks)
    live = picture.live(shown, width=width, height=height, now=NOW)
    ended = picture.ended(shown.take_ended(), width=width, now=NOW)

    assert len(live) <= height
    assert all(cell_len(line.plain) == line.width <= width for line in [*live, *ended])
    assert all(line.plain.isprintable() for line in [*live, *ended])
