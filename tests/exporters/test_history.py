"""What a history keeps, drops and tells: against real runs, and against a reader that only follows its changes."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import Run, add_global_handler, callbacks, component, emit, metadata, observe
from sideband.components import Usage
from sideband.exporters import History
from sideband.exporters.history import Position, Record
from sideband.serving import Batch, serving


@component("Tool")
def double(number: int) -> int:
    return 2 * number


@component("ChatModel")
def speak(text: str) -> Any:
    yield from text.split(" ")


def by_name(history: History) -> dict[str, Record]:
    return {record.name: record for record in history.latest(10_000)}


def follow(history: History) -> Follower:
    follower = Follower(history)
    follower.catch_up()
    return follower


class Follower:
    """A reader that knows nothing but what it was told."""

    def __init__(self, history: History, limit: int | None = None) -> None:
        self.history, self.limit = history, limit
        self.position: Position | None = None
        self.known: dict[int, tuple[str | None, int]] = {}
        self.begun = 0

    def catch_up(self, pages: int | None = None) -> None:
        while True:
            changes = self.history.changes(self.position, self.limit)
            if changes.anew:
                self.known.clear()
                self.begun += 1
            for record in changes.records:
                assert not record.gone
                self.known[record.number] = (record.outcome, record.chunk_count)
            for number in changes.dropped:
                self.known.pop(number, None)
            self.position = changes.position
            pages = None if pages is None else pages - 1
            if not changes.more or pages == 0:
                return

    def is_right(self) -> bool:
        kept = self.history.latest(10_000)
        return self.known == {record.number: (record.outcome, record.chunk_count) for record in kept}


def test_a_run_is_kept_with_what_is_told_of_it() -> None:
    """Identity, times, input, output, events, usage, metadata and attributes, as text and numbers."""
    history = History()
    with (
        callbacks(history),
        metadata(user="Ann"),
        observe("outer", component="Agent", type="Mine", input={"question": "why?"}) as outer,
    ):
        assert double(4) == 8
        emit("step", {"done": 1})
        outer.attributes["limit"] = 3
        outer.usage = Usage(input_tokens=3, output_tokens=5, cost=0.25)
        outer.output = ["because"]
    found = by_name(history)
    agent, tool = found["outer"], found["double"]

    assert (agent.id, agent.type, agent.component, agent.outcome) == (outer.id, "Mine", "Agent", "ok")
    assert agent.input == "question: why?"
    assert agent.output == "- because"
    assert agent.duration == outer.duration
    assert [(event.name, event.payload) for event in agent.events] == [("step", "done: 1")]
    assert (agent.input_tokens, agent.output_tokens, agent.cost) == (3, 5, 0.25)
    assert agent.metadata == {"user": "Ann"} == tool.metadata
    assert agent.attributes == {"limit": 3}
    assert (tool.parent, tool.trace_id, tool.output) == (agent.number, agent.trace_id, "8")
    assert history.children(agent) == [tool]


def test_a_stream_is_kept_as_it_comes() -> None:
    """Its text so far, how many chunks there were, and of too many the last ones."""
    history = History(max_chunks=3)
    with callbacks(history):
        chunks = speak("a sideband travels beside the carrier")
        assert [next(chunks), next(chunks)] == ["a", "sideband"]
        (record,) = history.latest()
        assert (record.text, record.running, record.chunk_count) == ("asideband", True, 2)
        assert list(chunks)[-1] == "carrier"

    assert (record.text, record.chunk_count, record.chunks[0].place) == ("besidethecarrier", 6, 3)
    assert record.outcome == "ok"
    assert record.time_to_first_chunk is not None


def test_an_error_is_kept_with_its_causes() -> None:
    """The chain of causes and contexts and the members of a group, with the places where they were raised."""
    history = History()

    @component("Tool")
    def fail() -> None:
        try:
            by_name(History())["key"]
        except KeyError as error:
            raise ExceptionGroup("two", [ValueError("one"), TypeError("other")]) from error

    with callbacks(history), pytest.raises(ExceptionGroup):
        fail()
    (record,) = history.latest()

    assert [(one.type, one.relation) for one in record.error] == [
        ("ExceptionGroup", ""), ("ValueError", "one of"), ("TypeError", "one of"), ("KeyError", "caused by"),
    ]  # fmt: skip
    assert record.error[0].text == "two (2 sub-exceptions)"
    assert record.error[0].frames[-1].endswith("fail")


async def test_a_cancelled_run_ends_as_such() -> None:
    """A cancellation has no place that is worth showing."""
    history = History()

    async def wait() -> None:
        async with observe("wait"):
            await asyncio.Event().wait()

    with callbacks(history):
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    (record,) = history.latest()

    assert (record.outcome, record.error[0].frames) == ("cancelled", ())
    assert history.totals.ended["cancelled"] == 1


async def test_a_batch_and_its_calls_refer_to_each_other() -> None:
    """By the ids of their runs, in both directions."""
    history = History()

    @serving(batch_size=4, callbacks=[history])
    async def embed(batch: Batch[str]) -> list[int]:
        return [len(text) for text in batch]

    with callbacks(history):
        async with embed:
            await asyncio.gather(embed.dispatch_many(["a", "b"]), embed.dispatch("c"))
    kept = history.latest()
    (batch,) = [record for record in kept if record.component == "Batch"]
    calls = [record for record in kept if record.component == "Serving"]

    assert sorted(batch.links) == sorted(call.id for call in calls)
    assert {call.links for call in calls} == {(batch.id,)}
    assert all(call.waiting == 0 for call in calls)
    assert [batch.attributes[name] for name in ("batch_size", "max_batch_size")] == [3, 4]
    assert batch.attributes["items"] in ((1, 2), (2, 1))
    assert history.totals.queue_time.count == 2


def test_what_ended_first_is_dropped_first() -> None:
    """What goes on stays, however old; the run around one that is dropped says how many."""
    history = History(max_runs=3)
    with callbacks(history), observe("outer", component="Agent"):
        for number in range(5):
            double(number)
        kept = history.latest()
        assert [(record.name, record.input) for record in kept] == [
            ("outer", None),
            ("double", "4"),
            ("double", "3"),
        ]
        assert kept[0].dropped_children == 3
    totals = history.totals

    assert (totals.runs, totals.dropped_runs, totals.running, len(history)) == (6, 3, 0, 3)


def test_more_runs_going_on_than_there_is_room_for() -> None:
    """The oldest are dropped, and counted when they end."""
    history = History(max_runs=2)
    with callbacks(history), observe("a"), observe("b"), observe("c"):
        assert [record.name for record in history.latest()] == ["c", "b"]

    assert history.totals.ended["ok"] == 3
    assert history.totals.running == 0


def test_payloads_are_dropped_before_runs() -> None:
    """Beyond `max_bytes` the oldest payloads go, and their runs stay and say so."""
    history = History(max_bytes=1_000)
    with callbacks(history):
        for _ in range(4):
            with observe("large", input="x" * 400):
                pass
    kept = history.latest()

    assert [record.input is None for record in kept] == [False, False, True, True]
    assert [record.dropped_payload for record in kept] == [False, False, True, True]
    assert history.totals.dropped_payloads == 2


def test_nothing_of_the_programs_is_held() -> None:
    """Neither runs nor what they were given live on in a history."""

    class Large:
        pass

    history = History()
    with callbacks(history), observe("uses", input=Large()) as run:
        run.output = [Large()]
    own = run.id
    del run
    gc.collect()

    objects = gc.get_objects()
    assert not [one for one in objects if isinstance(one, Large) or (type(one) is Run and one.id == own)]
    assert history.latest()[0].input == "Large"


def test_what_a_handler_is_told_late_is_not_its_concern() -> None:
    """A run that began before the history was attached is not in it."""
    history = History()
    with observe("before") as run:
        registration = add_global_handler(history)
        run.emit("x")
    registration.remove()

    assert history.latest() == []


steps = st.lists(
    st.tuples(st.sampled_from(["start", "end", "chunk", "read", "page", "lose"]), st.integers(0, 5)),
    max_size=60,
)


@given(steps=steps, most=st.integers(1, 6), limit=st.integers(1, 4))
def test_a_reader_that_follows_changes_knows_what_is_kept(
    steps: list[tuple[str, int]], most: int, limit: int
) -> None:
    """Whenever it reads, page by page or all, and however long it was away: never a run too many or too few."""
    history = History(max_runs=most)
    streams: list[Any] = []
    follower = Follower(history, limit)
    for step, which in steps:
        with callbacks(history):
            if step == "start":
                streams.append(speak("a b c"))
                next(streams[-1])
            elif step == "chunk" and streams:
                next(streams[which % len(streams)], None)
            elif step == "end" and streams:
                streams.pop(which % len(streams)).close()
        if step == "page":
            follower.catch_up(pages=1)
        elif step == "read":
            follower.catch_up()
            assert follower.is_right()
        elif step == "lose":  # what came last got lost on its way: it goes on from where it was before
            position, known = follower.position, dict(follower.known)
            follower.catch_up(pages=1)
            follower.position, follower.known = position, known
    for stream in streams:
        stream.close()
    follower.catch_up()

    assert follower.is_right()


def test_a_reader_that_was_away_for_longer_than_drops_are_kept_begins_anew() -> None:
    """Only then; one that missed fewer goes on."""
    history = History(max_runs=5)
    with callbacks(history):
        double(0)
        near, far = follow(history), follow(history)
        for number in range(6):
            double(number)
        near.catch_up()
        for number in range(5):
            double(number)
        near.catch_up()
        far.catch_up()

    assert (near.begun, far.begun) == (1, 2)
    assert near.is_right()
    assert far.is_right()


def test_a_position_in_another_history_is_none() -> None:
    """As after a restart: all is told."""
    history = History()
    with callbacks(history):
        double(1)

    changes = history.changes(Position(1_000, 1_000))
    assert (changes.anew, len(changes.records)) == (True, 1)


def test_threads_that_write_and_read_lose_nothing() -> None:
    """Eight threads of runs, and a reader all the while, that in the end knows each run's end."""
    history = History(max_runs=100_000)
    follower = Follower(history, 50)
    done = threading.Event()

    def work() -> None:
        with callbacks(history):
            for number in range(250):
                double(number)
                list(speak("a b"))

    def read() -> None:
        while not done.is_set():
            follower.catch_up()

    workers = [threading.Thread(target=work) for _ in range(8)]
    reader = threading.Thread(target=read)
    for thread in [*workers, reader]:
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    reader.join()
    follower.catch_up()

    assert follower.begun == 1
    assert len(follower.known) == 4_000
    assert set(follower.known.values()) == {("ok", 0), ("ok", 2)}


def test_a_run_that_ends_amid_the_bookkeeping_waits_for_nobody() -> None:
    """A finalizer may end a stream while its own thread reads the history: it must not wait for itself."""
    history = History()
    with callbacks(history):
        chunks = [speak("a b c") for _ in range(200)]
        for stream in chunks:
            next(stream)
        with history._lock:  # as whoever reads has it
            for stream in chunks:
                stream.close()

    assert history.totals.ended["closed"] == 200


@pytest.mark.parametrize("limit", ["max_runs", "max_bytes", "max_value", "max_chunks", "max_events"])
def test_a_limit_that_leaves_no_room_is_refused(limit: str) -> None:
    """Each is 1 at least."""
    with pytest.raises(ValueError, match=f"{limit} must be at least 1, got 0"):
        History(**{limit: 0})  # type: ignore[arg-type]


def test_what_ended_is_let_go_of_when_it_is_dropped() -> None:
    """Runs that are no longer kept are held by nothing, also where their payloads never filled the room for them."""
    history = History(max_runs=3)
    with callbacks(history):
        for number in range(50):
            double(number)
    gc.collect()

    held = [one for one in gc.get_objects() if isinstance(one, Record) and one.name == "double" and one.gone]

    assert len(history) == 3
    assert held == []


def test_what_errors_say_counts_and_is_dropped_with_payloads() -> None:
    """The room for payloads is that of errors, too; of an old one its type remains."""
    history = History(max_bytes=5_000)
    with callbacks(history):
        for _ in range(10):
            with pytest.raises(LookupError), observe("fail", component="Tool"):
                raise LookupError("x" * 1_000)

    *_, oldest = history.latest()

    assert history.totals.dropped_payloads >= 6
    assert [(one.type, one.text, one.frames) for one in oldest.error] == [("LookupError", None, ())]
