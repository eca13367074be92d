from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import callbacks, component, observe
from sideband.components import ChatModelInput, Message, Usage
from sideband.exporters.console._node import Node
from sideband.exporters.console._reading import clean, from_wire, node_of, to_wire
from sideband.exporters.history import History
from sideband.serving import Batch, Serving


def seen(history: History) -> list[Node]:
    return [node_of(record) for record in sorted(history.latest(), key=lambda record: record.number)]


def test_a_run_is_read_with_what_it_consumed_and_what_it_is_about() -> None:
    """Kind, name, parent, outcome, tokens, cost, and the beginning of its input."""
    history = History()
    inside = observe("answer", component="ChatModel", input="why?\nI ask")
    with callbacks(history), observe("outer", component="Agent"), inside as run:
        run.usage = Usage(input_tokens=7, output_tokens=3, cost=0.25)
        run.output = "because"
    outer, inner = seen(history)

    assert (outer.kind, outer.name, outer.parent, outer.outcome) == ("Agent", "outer", None, "ok")
    assert (inner.parent, inner.about, inner.input_tokens, inner.output_tokens, inner.cost) == (
        outer.id, "why? I ask", 7, 3, 0.25,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given_", "about"),
    [
        ("why?", "why?"),
        ({"question": "why?"}, "question: why?"),
        (["one", "two"], ""),
        ([0.25, 0.5], ""),
        (ChatModelInput((Message.user("why?"),)), ""),
        (None, ""),
    ],
)
def test_the_beginning_of_an_input_is_shown_where_it_says_something(given_: Any, about: str) -> None:
    """Of a text or of arguments; not of a list, nor of an object."""
    history = History()
    with callbacks(history), observe("answer", input=given_):
        pass

    assert seen(history)[0].about == about


async def test_the_end_of_a_streamed_text_is_shown_as_long_as_it_is_streamed() -> None:
    """Pieces are put together as they were written."""

    @component("ChatModel")
    async def chat(_: str) -> AsyncIterator[str]:
        for word in ("The ", "cat ", "sat."):
            yield word

    history = History()
    with callbacks(history):
        async for word in chat("x"):
            if word == "cat ":
                assert seen(history)[0].tail == "The cat"
                assert seen(history)[0].chunks == 2

    assert seen(history)[0].tail == ""
    assert seen(history)[0].chunks == 3


def test_an_error_is_read_with_what_it_was_caused_by() -> None:
    """Each on one line, the error first."""
    history = History()
    with pytest.raises(ValueError, match="no"), callbacks(history), observe("fails"):
        try:
            raise KeyError("x\ny")
        except KeyError as error:
            raise ValueError("no\x1b[2J") from error

    assert seen(history)[0].error == ("ValueError: no [2J", "KeyError: 'x\\ny'")


async def test_a_call_of_a_serving_tells_of_its_batch_its_wait_and_its_progress() -> None:
    """While it waits how many items do; at the end the size of the batch and the time in the queue."""
    go_on = asyncio.Event()

    async def work(batch: Batch[int]) -> list[int]:
        batch.emit("progress", [{"tokens": 1}] * batch.size)
        await go_on.wait()
        return list(batch)

    history = History()
    async with Serving(work, batch_size=2, hooks=("progress",)) as serving:
        with callbacks(history):
            call = asyncio.create_task(serving.dispatch_many([1, 2, 3]))
        while not (told := seen(history)) or told[0].done != 2:
            await asyncio.sleep(0)
        assert (told[0].done, told[0].total, told[0].facts) == (2, 3, ("1 waiting",))
        go_on.set()
        await call

    assert seen(history)[0].facts[0] == "batch of 2"
    assert seen(history)[0].facts[1].startswith("queued ")


async def test_a_batch_tells_how_full_it_is() -> None:
    """Its items, and how many there may be."""

    async def work(batch: Batch[int]) -> list[int]:
        return list(batch)

    history = History()
    async with Serving(work, batch_size=8, callbacks=[history]) as serving:
        await serving.dispatch_many([1, 2, 3])
    (batch,) = seen(history)

    assert (batch.kind, batch.done, batch.total, batch.size) == ("Batch", 3, 8, 3)


@given(st.text(), st.integers(2, 40))
def test_clean_text_has_one_line_and_nothing_that_drives_a_terminal(text: str, limit: int) -> None:
    """Nor more letters than it may have."""
    shown = clean(text, limit)

    assert shown.isprintable()
    assert len(shown) <= limit
    assert shown == clean(shown, limit)


def test_marks_of_direction_and_escape_sequences_are_taken_out() -> None:
    """What would turn the rest of the line around, or the terminal into something else."""
    assert clean("a\u202eb\x1b[31mc\x9b2Jd\u200de\r\nf\u2028g") == "a b [31mc 2Jd e f g"


def nodes() -> st.SearchStrategy[Node]:
    text = st.text(min_size=1, max_size=20).map(clean).filter(bool)
    number = st.floats(0, 1e9)
    return st.builds(
        Node, id=text, kind=text, name=text, started=number, order=st.integers(1, 10**9), parent=st.none() | text,
        duration=st.none() | number, outcome=st.none() | st.just("ok"), error=st.lists(text, max_size=3).map(tuple),
        tail=st.just("") | text, about=st.just("") | text, chunks=st.integers(0, 10**9), first_chunk=st.none() | number,
        input_tokens=st.integers(0, 10**9), output_tokens=st.integers(0, 10**9), cost=st.none() | number, done=number,
        total=number, size=st.integers(0, 10**6), facts=st.lists(text, max_size=3).map(tuple),
    )  # fmt: skip


@given(nodes())
def test_a_run_is_the_same_at_the_other_end_of_a_socket(node: Node) -> None:
    """But for its process, which stands before its ids."""
    told = from_wire(json.loads(json.dumps(to_wire(node))), "p")

    parent = None if node.parent is None else f"p/{node.parent}"
    assert told is not None
    assert asdict(told) == asdict(replace(node, id=f"p/{node.id}", parent=parent, process="p"))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=500),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([*to_wire(Node("1", "Tool", "n", 1.0)), "cost", "error", "tail", "facts"]),
        ANYTHING,
    )
    | ANYTHING
)
def test_whatever_comes_over_a_socket_is_a_run_that_can_be_shown_or_none(told: Any) -> None:
    """Texts are clean and short, numbers finite and not negative."""
    node = from_wire(told, "p")

    if node is not None:
        texts = [node.name, node.kind, node.tail, node.about, *node.error, *node.facts]
        assert all(text.isprintable() and len(text) <= 400 for text in texts)
        numbers = [
            node.started,
            node.done,
            node.total,
            node.cost or 0,
            node.duration or 0,
            node.chunks,
            node.order,
        ]
        assert all(0 <= number < 1e15 for number in numbers)
