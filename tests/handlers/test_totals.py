from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import add_global_handler, callbacks, component, metadata, observe
from sideband.components import Usage
from sideband.handlers import Total, Totals
from sideband.serving import Batch, Serving


def use(name: str, usage: Usage | None, *, kind: str = "ChatModel", inside: Any = None) -> None:
    """Be a run that consumes something, with another inside."""
    with observe(name, component=kind) as run:
        if inside is not None:
            inside()
        run.usage = usage


def test_runs_are_added_up_by_metadata() -> None:
    """Calls, errors, tokens and cost of each user, and of those without a name."""
    totals = Totals(by="user")
    with callbacks(totals):
        for user, tokens in (("Ann", 3), ("Bob", 5), ("Ann", 4)):
            with metadata(user=user):
                use("chat", Usage(input_tokens=tokens, output_tokens=1, cost=0.5))
        use("chat", Usage(input_tokens=9))
        with metadata(user="Bob"), pytest.raises(ZeroDivisionError):
            use("chat", None, inside=lambda: 1 / 0)

    found = totals.snapshot()
    assert {
        key: (one.calls, one.errors, one.input_tokens, one.output_tokens, one.cost)
        for key, one in found.items()
    } == {
        "Ann": (2, 0, 7, 2, 1.0),
        "Bob": (2, 1, 5, 1, 0.5),
        None: (1, 0, 9, 0, 0.0),
    }
    assert all(one.seconds > 0 for one in found.values())


@pytest.mark.parametrize(
    ("graph", "embedding", "serving", "expected"),
    [
        (None, None, 10, 10),
        (None, 10, 10, 10),
        (10, 10, 10, 10),
        (10, None, 10, 10),
        (None, 12, 10, 12),
        (20, None, None, 20),
        (5, 10, None, 10),
    ],
)
def test_nothing_counts_twice_whoever_of_parents_and_children_tells(
    graph: int | None, embedding: int | None, serving: int | None, expected: int
) -> None:
    """A run's usage is its own and that of the runs below it: only what is more than these counts."""

    def usage(tokens: int | None) -> Usage | None:
        return None if tokens is None else Usage(input_tokens=tokens)

    totals = Totals(by="user")
    with callbacks(totals), metadata(user="Ann"):
        use(
            "graph", usage(graph), kind="Graph",
            inside=lambda: use(
                "embed", usage(embedding), kind="Embedding", inside=lambda: use("s", usage(serving), kind="Serving")
            ),
        )  # fmt: skip

    assert totals.snapshot()["Ann"] == Total(
        calls=1, input_tokens=expected, seconds=totals.snapshot()["Ann"].seconds
    )


trees = st.recursive(
    st.tuples(st.integers(0, 20), st.sampled_from([None, "Ann", "Bob"]), st.just(())),
    lambda inner: st.tuples(
        st.integers(0, 20), st.sampled_from([None, "Ann", "Bob"]), st.lists(inner, max_size=4).map(tuple)
    ),
    max_leaves=12,
)


@given(trees)
def test_the_sum_over_keys_is_what_the_outermost_run_tells(tree: Any) -> None:
    """For any tree of runs that tell what they and those below consumed, some of them in another's name."""

    def consume(node: Any) -> int:
        own, user, inner = node
        with metadata(user=user) if user else nullcontext(), observe("run", component="Chain") as run:
            tokens = own + sum([consume(child) for child in inner])
            run.usage = Usage(input_tokens=tokens)
        return int(tokens)

    totals = Totals(by="user")
    with callbacks(totals):
        whole = consume(tree)

    found = totals.snapshot()
    assert sum(one.input_tokens for one in found.values()) == whole
    own: dict[Any, int] = {}

    def expect(node: Any, outer: Any) -> None:
        user = node[1] or outer
        own[user] = own.get(user, 0) + node[0]
        for child in node[2]:
            expect(child, user)

    expect(tree, None)
    assert {key: one.input_tokens for key, one in found.items()} == own


def test_a_call_inside_of_a_run_of_another_key_is_a_call() -> None:
    """The request that a server handles in its own name, and what it does inside in its user's."""
    totals = Totals(by="user")
    with callbacks(totals), observe("request", component="Chain"), metadata(user="Ann"):
        use("chat", Usage(input_tokens=1), inside=lambda: use("tool", None, kind="Tool"))
        use("chat", Usage(input_tokens=1))

    assert totals.snapshot()["Ann"].calls == 2
    assert totals.snapshot()[None].calls == 1


def test_keys_may_be_several_entries() -> None:
    """Of several names the key is a tuple of their values."""
    totals = Totals(by=("team", "user"))
    with callbacks(totals), metadata(user="Ann"):
        use("chat", None)

    assert list(totals.snapshot()) == [(None, "Ann")]


def test_callers_who_invent_keys_do_not_exhaust_the_memory() -> None:
    """Beyond `max_keys`, and for what cannot be a key, all is counted for `OTHER`, and nothing is lost."""
    totals = Totals(by="user", max_keys=3)
    with callbacks(totals):
        for user in [*map(str, range(100)), ["no key"], "0"]:
            with metadata(user=user):
                use("chat", Usage(input_tokens=1))

    found = totals.snapshot()
    assert list(found) == ["0", "1", "2", Totals.OTHER]
    assert [one.calls for one in found.values()] == [2, 1, 1, 98]
    assert repr(Totals.OTHER) == "<other keys>"


async def test_callers_of_a_serving_have_their_parts_and_batches_none() -> None:
    """Also where one handler sees calls, batches, and the model's own runs inside of batches."""

    @component("Embedding")
    def embed(texts: list[str]) -> list[int]:
        return [len(text) for text in texts]

    def model(batch: Batch[str]) -> list[int]:
        use("embed", Usage(input_tokens=sum(map(len, batch))), kind="Embedding")
        batch.usage = [Usage(input_tokens=len(text)) for text in batch]
        return embed(batch.values)

    async def work(user: str, texts: list[str]) -> None:
        with metadata(user=user):
            await serving.dispatch_many(texts)

    totals = Totals(by="user")
    with add_global_handler(totals):
        async with Serving(model, batch_size=8) as serving:
            await asyncio.gather(work("Ann", ["a"] * 2), work("Bob", ["bbb"] * 6))

    found = totals.snapshot()
    assert set(found) == {"Ann", "Bob"}
    assert [(one.calls, one.items, one.input_tokens) for one in found.values()] == [(1, 2, 2), (1, 6, 18)]
    assert found["Ann"].execute_seconds * 3 == pytest.approx(found["Bob"].execute_seconds)
    batches = totals.batches
    assert (batches.calls, batches.items, batches.input_tokens) == (1, 8, 20)
    assert sum(one.execute_seconds for one in found.values()) == pytest.approx(batches.execute_seconds)


async def test_cancelled_calls_are_counted_as_such() -> None:
    """They are no errors."""

    async def stuck() -> None:
        async with observe("stuck", component="Tool"):
            await asyncio.get_running_loop().create_future()

    totals = Totals(by="user")
    with callbacks(totals):
        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (totals.snapshot()[None].cancelled, totals.snapshot()[None].errors) == (1, 0)


def test_streams_are_counted_when_they_end() -> None:
    """With what they tell by then."""

    @component("ChatModel")
    def chat() -> Iterator[str]:
        yield "a"
        yield "b"

    totals = Totals(by="user")
    with callbacks(totals):
        stream = chat()
        next(stream)
        assert totals.snapshot() == {}
        assert list(stream) == ["b"]

    assert totals.snapshot()[None].calls == 1


def test_resetting_loses_nothing_while_threads_count() -> None:
    """What the resets gave and what is left add up to what was counted."""
    totals = Totals(by="user")
    parts: list[int] = []

    def work() -> None:
        with callbacks(totals):
            for _ in range(200):
                use("chat", Usage(input_tokens=1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        parts += [one.input_tokens for one in totals.reset().values()]
    parts += [one.input_tokens for one in totals.reset().values()]

    assert sum(parts) == 800
    assert totals.snapshot() == {}
    assert totals.batches == Total()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"by": ()}, ValueError, "by must not be empty"),
        ({"by": ""}, ValueError, "by must not be empty"),
        ({"by": (1,)}, TypeError, "by must be the name of an entry"),
        ({"max_keys": 0}, ValueError, "max_keys must be at least 1, got 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options: Any, error: type[Exception], message: str) -> None:
    """The error names the option and the value."""
    with pytest.raises(error, match=message):
        Totals(**options)
