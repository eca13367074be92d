from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from typing import Any

import pytest

import sideband.errors
from sideband.components import Document, Usage
from sideband.errors import (
    DispatchTimeoutError,
    HandlerRefusedError,
    LateEmitError,
    LengthMismatchError,
    QueueFullError,
    RemoteError,
    ServingClosedError,
    SidebandError,
    UnknownHookError,
    UnpicklableError,
    WorkerCrashedError,
)
from sideband.serving import Batch
from sideband.serving._channel import Channel, pack, pack_singly, portable, unpack, unpack_singly
from sideband.serving._importable import reference
from sideband.serving._process import WorkerProcess
from sideband.serving._worker_process import Session

from . import models
from .helpers import PATIENCE


@pytest.mark.parametrize(
    "error",
    [
        QueueFullError("s", waiting=1, offered=2, max_queue=2),
        LengthMismatchError("s", "results", expected=2, got=1),
        UnknownHookError("s", "other", ["progress"]),
        LateEmitError("s", "progress"),
        DispatchTimeoutError("s", 0.5),
        ServingClosedError("s"),
        WorkerCrashedError("s", "while idle", pid=7, exitcode=-9, executing=False),
        UnpicklableError("s", "an item", "lock", "cannot be pickled"),
        RemoteError("s", "m.E", "m.E: text"),
        HandlerRefusedError(3, "no handler"),
        sideband.errors.StreamBusyError("stream"),
    ],
)
def test_an_error_of_the_library_can_be_pickled(error: SidebandError) -> None:
    """It keeps its type, text, attributes and notes, whatever its `__init__` takes."""
    error.add_note("note")
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


@pytest.mark.parametrize(
    ("exitcode", "text"),
    [
        (0, "exited with code 0"),
        (-9, "was ended by SIGKILL"),
        (-999, "was ended by signal 999"),
        (None, "7 ended"),
    ],
)
def test_a_crash_says_how_the_process_ended(exitcode: int | None, text: str) -> None:
    """By its exit code, by a signal's name, by the number of one that has none."""
    assert text in str(WorkerCrashedError("s", "", pid=7, exitcode=exitcode, executing=True))


def test_entries_cross_together_or_one_by_one() -> None:
    """Those that cannot be pickled, or not be made again, are errors at their places; the rest crosses."""
    entries = [1, threading.Lock(), "a", models.Unreadable()]
    assert pack(entries) is None
    crossed, failed = unpack_singly(pack_singly(entries), "s", "an item")

    assert crossed == [1, "a"]
    assert {place: error.kind for place, error in failed.items()} == {
        1: "_thread.lock",
        3: "tests.serving.models.Unreadable",
    }
    together = pack([models.Unreadable()])
    assert together is not None
    assert unpack(together) is None
    assert unpack(pack([1, 2]) or b"") == [1, 2]


def test_values_of_the_library_can_cross() -> None:
    """A document, a usage."""
    values = [Document("1", "text", {"page": 3}), Usage(input_tokens=3, cost=0.5)]

    assert unpack(pack(values) or b"") == values


def test_an_exception_that_is_not_made_again_as_it_was_crosses_as_text() -> None:
    """One whose copy would be of another type, or none at all."""

    class Local(Exception):  # noqa: N818 - its name is what the test looks for
        pass

    fine = ValueError("fine")
    assert portable(fine, "s") is fine
    for error in (Local("text"), models.AwkwardError(7, reason="text")):
        crossing = portable(error, "s")
        assert isinstance(crossing, RemoteError)
        assert "text" in crossing.text


class Parent:
    """The other end of a session that runs in a thread of this process."""

    def __init__(self, model: Any, hooks: tuple[str, ...] = ()) -> None:
        ours, theirs = Pipe()
        self.channel = Channel(ours)
        self.thread = threading.Thread(target=Session(Channel(theirs)).run, daemon=True)
        self.thread.start()
        assert self.channel.receive()[0] == ("hello",)
        self.channel.send(reference(model), 0, "s", hooks)
        self.batches = 0

    def send(self, items: list[Any], *, listening: bool = False) -> None:
        """Send a batch."""
        self.batches += 1
        self.channel.send(self.batches, listening, True, body=pack(items) or b"")

    def receive(self) -> tuple[tuple[Any, ...], bytes]:
        return self.channel.receive()

    def end(self) -> None:
        self.channel.close()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def parent(request: pytest.FixtureRequest) -> Iterator[Parent]:
    """Serve a model in a thread, through a real pipe."""
    made = Parent(*request.param)
    yield made
    made.end()


@pytest.mark.parametrize("parent", [(models.tell, ("progress",))], indirect=True)
def test_a_session_serves_what_came_and_says_what_did_not(parent: Parent) -> None:
    """Events, results and usage stand at the items' own places."""
    assert parent.receive()[0] == ("ready",)
    items = [("say", 1), ("say", models.Unreadable()), ("say", 3)]
    parent.send(items, listening=True)
    assert parent.receive()[0] == ("singly",)
    parent.channel.send("singly", body=pack_singly(items))
    header, body = parent.receive()
    assert header == ("event", 1, "progress")
    assert unpack(body) == [1, None, 3]
    header, body = parent.receive()
    assert header == ("done", [Usage(input_tokens=3), Usage(), Usage(input_tokens=3)], False)
    crossed, failed = unpack_singly(body, "s", "a result")
    assert (crossed[0], crossed[2], failed) == (1, 3, {})
    assert isinstance(crossed[1], UnpicklableError)


@pytest.mark.parametrize("parent", [(models.tell, ("progress",))], indirect=True)
def test_a_session_reports_what_cannot_be_emitted(parent: Parent) -> None:
    """A payload that cannot be pickled raises where it is emitted, and names its type."""
    parent.receive()
    parent.send([("emit lock", None)], listening=True)
    header, body = parent.receive()
    assert header[0] == "failed"
    [error] = unpack(body) or []
    assert isinstance(error, UnpicklableError)
    assert "the payload of hook 'progress' of type lock cannot be pickled" in str(error)


@pytest.mark.parametrize("parent", [(models.Asynchronous,)], indirect=True)
def test_a_session_keeps_one_loop_for_an_asynchronous_model(parent: Parent) -> None:
    """From its set-up to its last batch."""
    assert parent.receive()[0] == ("ready",)
    for _ in range(2):
        parent.send([1, 2])
        header, body = parent.receive()
        assert header == ("done", None, True)
        assert unpack(body) == [2, 4]


@pytest.mark.parametrize("parent", [(models.Counted("/nowhere/at all"),)], indirect=True)
def test_a_session_whose_set_up_fails_says_so_and_ends(parent: Parent) -> None:
    """With the exception and its traceback."""
    header, body = parent.receive()
    [error] = unpack(body) or []

    assert isinstance(error, FileNotFoundError)
    assert "in setup" in header[2]
    with pytest.raises((EOFError, OSError)):
        parent.receive()


def test_an_event_that_comes_after_its_batch_reaches_nobody_in_the_next_one() -> None:
    """A thread of the model's may emit at the very moment at which its batch ends. Statement 77."""
    ours, theirs = Pipe()
    worker = WorkerProcess(("module", "name"), "s", ("progress",), 0)
    told: list[Any] = []

    def late() -> None:
        other = Channel(theirs)
        for number in (1, 2):
            (received, _, _), body = other.receive()
            assert received == number
            other.send("event", number - 1, "progress", body=pack(["of the batch before"]) or b"")
            other.send("event", number, "progress", body=pack([number]) or b"")
            other.send("done", None, True, body=body)

    thread = threading.Thread(target=late, daemon=True)
    thread.start()
    for number in (1, 2):
        batch = Batch(
            [number], serving="s", hooks=("progress",), sink=lambda _, payload: told.append(payload)
        )
        assert worker._exchange(Channel(ours), batch) == [number]
    thread.join(PATIENCE)

    assert told == [[1], [2]]
