"""Where graphs that wait are kept: by a process that is killed, by hostile hands, in any order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.errors import Interrupted
from sideband.graph import (
    START,
    AnswerError,
    Chain,
    CheckpointError,
    Checkpoints,
    GraphError,
    InterruptError,
    MemoryCheckpoints,
    Runnable,
    SqliteCheckpoints,
    UnknownCheckpointError,
    Workflow,
    interrupt,
)
from sideband.testing import Recorder, check_lifecycle, run_virtual

from .mapped import same


def store_in(folder: Path, kind: str) -> Checkpoints:
    """Make a store of a kind."""
    return MemoryCheckpoints() if kind == "memory" else SqliteCheckpoints(folder / "kept.db")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_texts_are_kept_by_id(tmp_path: Path, kind: str) -> None:
    """Replaced, forgotten, listed in their order."""
    store = store_in(tmp_path, kind)
    assert isinstance(store, Checkpoints)
    assert (store.load("a"), store.ids()) == (None, [])

    for key, text in (("b", "1"), ("a", "2"), ("c", "3")):
        store.save(key, text)
    store.save("b", "ü")
    store.delete("c")
    store.delete("none")

    assert (store.load("a"), store.load("b"), store.load("c")) == ("2", "ü", None)
    assert sorted(store.ids()) == ["a", "b"]


def ask(value: Any) -> Any:
    return [value, interrupt("?")]


def waiting(store: Checkpoints) -> tuple[Runnable[Any, Any], str]:
    """Return a graph that waits, and the id by which it does."""
    runnable = Chain[Any, Any]("c").append(ask).append(same).compile(checkpoints=store)
    with pytest.raises(Interrupted) as raised:
        runnable.invoke_sync(1)
    return runnable, raised.value.id


def test_another_graph_is_not_resumed() -> None:
    """Nor the same one with other nodes; nothing is executed."""
    store = MemoryCheckpoints()
    _, key = waiting(store)

    for other in (Chain[Any, Any]("other").append(ask).append(same), Chain[Any, Any]("c").append(ask)):
        with pytest.raises(CheckpointError, match="with other nodes or edges"):
            other.compile(checkpoints=store).resume_sync(key, "a")


def test_answers_have_to_be_to_questions() -> None:
    """There they are listed."""
    runnable, key = waiting(MemoryCheckpoints())

    with pytest.raises(AnswerError, match=r"got answers for 'nobody'.*'ask'"):
        runnable.resume_sync(key, answers={"nobody": 1})
    with pytest.raises(AnswerError, match="one answer does not do"):
        runnable.resume_sync(key, answers={})
    with pytest.raises(UnknownCheckpointError, match="'gone'"):
        runnable.resume_sync("gone", 1)
    with pytest.raises(InterruptError, match="checkpoints=…"):
        Chain[Any, Any]("c").append(ask).append(same).compile().resume_sync(key, 1)
    assert runnable.resume_sync(key, answers={"ask": 1}) == [1, 1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_what_is_damaged_is_told_and_never_executed(data: st.DataObject) -> None:
    """A text that anybody has written: an error, or another question of the graph's own."""
    store = MemoryCheckpoints()
    runnable, key = waiting(store)
    kept: Any = json.loads(store.load(key) or "")
    place: Any = kept
    while True:
        step = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[step], dict | list) or not place[step] or data.draw(st.booleans()):
            break
        place = place[step]
    if data.draw(st.booleans()) and isinstance(place, dict):
        del place[step]
    else:
        place[step] = data.draw(json_values)
    store.save(key, json.dumps(kept))

    # A schedule that was changed by hand may lead anywhere but out of the graph.
    try:
        runnable.resume_sync(key, "a")
    except (GraphError, Interrupted, LookupError, TypeError, ValueError, AttributeError):
        return


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "3", '{"version": 2}', '{"version": 1}', "[" * 100_000]
)
def test_what_is_no_checkpoint_is_told(text: str) -> None:
    """By one error, with its id."""
    store = MemoryCheckpoints()
    runnable, _ = waiting(store)
    store.save("bad", text)

    with pytest.raises(CheckpointError, match="'bad'") as raised:
        runnable.resume_sync("bad", "a")
    assert raised.value.id == "bad"


def child(tmp_path: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the program that waits."""
    program = Path(__file__).with_name("waiting.py")
    environment = {**os.environ, "TRACE": str(tmp_path / "trace"), **more}
    return subprocess.run(
        [sys.executable, str(program), str(tmp_path / "kept.db"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_process_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    """Neither while it waits nor while it goes on; what was done before the question is done once."""
    asked = child(tmp_path, "invoke", "hello")
    assert asked.returncode == -signal.SIGKILL, asked.stderr
    key = asked.stdout.strip()

    died = child(tmp_path, "resume", key, "no", DIE="in send")
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "")

    done = child(tmp_path, "resume", key, "yes")
    assert (done.returncode, done.stdout) == (0, "sent HELLO: yes\n"), done.stderr
    assert (tmp_path / "trace").read_text(encoding="utf-8") == "plan\n"
    assert SqliteCheckpoints(tmp_path / "kept.db").ids() == []


def asking(key: str, questions: int, executed: list[str]) -> Callable[[Any], Any]:
    """Make a node that asks so many questions, and notes each time that it comes to its end."""

    async def node(value: Any) -> Any:
        await asyncio.sleep(0)
        answers = [interrupt(f"{key} {number}") for number in range(questions)]
        executed.append(key)
        return [value, *answers]

    return node


@st.composite
def drawn(draw: st.DrawFn) -> list[tuple[int, tuple[int, ...]]]:
    """Draw nodes: how often each asks, and which earlier ones it takes from; -1 is START."""
    return [
        (
            draw(st.integers(0, 2)),
            tuple(draw(st.lists(st.integers(-1, place - 1), min_size=1, max_size=3, unique=True))),
        )
        for place in range(draw(st.integers(1, 6)))
    ]


def build(nodes: list[tuple[int, tuple[int, ...]]], executed: list[str], *, nest: bool) -> Runnable[Any, Any]:
    """Make a workflow of them, each in a graph of its own or not."""
    workflow = Workflow[Any, Any]("random")
    for place, (questions, sources) in enumerate(nodes):
        node: Any = asking(f"n{place}", questions, executed)
        if nest:
            node = Chain[Any, Any]("inner").append(node, key="in").compile()
        takes = {
            START if source < 0 else f"n{source}": START if source < 0 else f"n{source}" for source in sources
        }
        workflow.add_node(f"n{place}", node, inputs=takes)
    workflow.output({f"n{place}": f"n{place}" for place in range(len(nodes))})
    return workflow.compile(checkpoints=MemoryCheckpoints())


@given(drawn(), st.booleans(), st.data())
def test_however_often_it_waits_each_node_ends_once_with_its_own_answers(
    nodes: list[tuple[int, tuple[int, ...]]], nest: bool, data: st.DataObject
) -> None:
    """Whichever questions are answered first; every run ends once, inside of its graph's."""
    executed: list[str] = []
    runnable = build(nodes, executed, nest=nest)

    async def play() -> Any:
        call: Any = runnable.invoke
        arguments: dict[str, Any] = {"input": 0}
        while True:
            recorder = Recorder()
            try:
                result = await call(**arguments, callbacks=[recorder])
            except Interrupted as waits:
                check_lifecycle(recorder)
                assert len(asyncio.all_tasks()) == 1
                ids = sorted(question.id for question in waits.questions)
                chosen = data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))
                asked = {question.id: question.question for question in waits.questions}
                call, arguments = (
                    runnable.resume,
                    {"id": waits.id, "answers": {key: asked[key] for key in chosen}},
                )
            else:
                check_lifecycle(recorder)
                return result

    result = asyncio.run(play())

    assert sorted(executed) == [f"n{place}" for place in range(len(nodes))]
    for place, (questions, _) in enumerate(nodes):
        assert result[f"n{place}"][1:] == [f"n{place} {number}" for number in range(questions)]


@pytest.mark.parametrize("cancel", [False, True])
def test_who_fails_or_is_cancelled_beside_one_that_asks_comes_first(cancel: bool) -> None:
    """The error is raised as it is, every run ends once, and nothing is kept."""
    store, recorder = MemoryCheckpoints(), Recorder()

    async def fail(_: Any) -> None:
        if cancel:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        raise KeyError

    workflow = Workflow[Any, Any]("w").add_node("ask", ask, inputs=START).add_node("fail", fail, inputs=START)
    runnable = workflow.output({"ask": "ask", "fail": "fail"}).compile(checkpoints=store)

    async def play() -> None:
        async with asyncio.timeout(1):
            await runnable.invoke(1, callbacks=[recorder])

    with pytest.raises(TimeoutError if cancel else KeyError):
        run_virtual(play())

    check_lifecycle(recorder)
    assert {run.name: str(run.outcome) for run in recorder.runs()} == {
        "w": "cancelled" if cancel else "error",
        "ask": "interrupted",
        "fail": "cancelled" if cancel else "error",
    }
    assert store.ids() == []
