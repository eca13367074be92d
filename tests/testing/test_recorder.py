"""The recorder and its matchers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sideband
from sideband import callbacks, component, observe
from sideband.testing import Recorder


@component("ChatModel", type="Parrot")
def parrot(text: str) -> Iterator[str]:
    """Repeat."""
    sideband.emit("thinking", text)
    yield from text


@component("Tool")
def tool(fail: bool) -> str:
    """Use the model."""
    if fail:
        raise LookupError
    return "".join(parrot("ab"))


@pytest.fixture
def recorder() -> Recorder:
    """Record a small program."""
    recorder = Recorder()
    with callbacks(recorder):
        tool(fail=False)
        with pytest.raises(LookupError):
            tool(fail=True)
    return recorder


def test_it_keeps_everything_in_the_order_in_which_it_fired(recorder: Recorder) -> None:
    """Each record has timing, run, payload, and what was true then."""
    names = [(record.run.name, record.timing) for record in recorder]

    assert names == [
        ("tool", "on_start"),
        ("parrot", "on_start"),
        ("parrot", "on_event"),
        ("parrot", "on_chunk"),
        ("parrot", "on_chunk"),
        ("parrot", "on_end"),
        ("tool", "on_end"),
        ("tool", "on_start"),
        ("tool", "on_error"),
    ]
    assert [record.outcome for record in recorder.of("parrot")] == [None] * 4 + ["ok"]
    assert repr(recorder.records[2]) == f"<on_event 'thinking' of 'parrot' {recorder.run('parrot').id}: 'ab'>"
    assert repr(recorder) == "<Recorder of 3 runs, 9 records>"


def test_its_matchers_find_runs_timings_chunks_and_events(recorder: Recorder) -> None:
    """By name, kind and outcome; of all runs or of one."""
    parrot_run = recorder.run(component="ChatModel")

    assert recorder.runs("tool", outcome="error") == [recorder.runs("tool")[1]]
    assert recorder.children(recorder.runs("tool")[0]) == [parrot_run]
    assert recorder.timings(parrot_run) == ["on_start", "on_event", "on_chunk", "on_chunk", "on_end"]
    assert recorder.chunks() == recorder.chunks("parrot") == ["a", "b"]
    assert recorder.events() == [("thinking", "ab")]
    assert recorder.events("thinking", run="parrot") == ["ab"]
    assert recorder.events("other") == []
    assert recorder.tree() == "tool (Tool): ok\n  parrot (ChatModel): ok\ntool (Tool): error"


def test_asking_for_one_run_where_there_are_others_says_which_there_are(recorder: Recorder) -> None:
    """The message of the failing test is enough to mend it."""
    with pytest.raises(AssertionError, match="2 runs match name='tool'") as caught:
        recorder.run("tool")
    assert "parrot (ChatModel): ok" in str(caught.value)
    with pytest.raises(AssertionError, match="no runs"):
        Recorder().run()


def test_it_forgets_when_it_is_told_to(recorder: Recorder) -> None:
    """A cleared recorder goes on recording; an empty one is still true."""
    recorder.clear()
    assert len(recorder) == 0
    assert recorder

    with callbacks(recorder), observe("block"):
        pass
    assert recorder.timings() == ["on_start", "on_end"]
