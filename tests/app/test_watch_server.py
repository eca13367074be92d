"""What watched processes may send, and what becomes of those that send anything else."""

from __future__ import annotations

import json
import selectors
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("needs Unix sockets", allow_module_level=True)

from sideband.app.errors import WatchError
from sideband.app.watch_server import WatchServer
from sideband.exporters.console._forest import Forest


class Served:
    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.forest = Forest()
        self.server = WatchServer(self.selector, self.forest)
        self.connections: list[socket.socket] = []

    def connect(self, pid: int = 7) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.server.path))
        self.connections.append(connection)
        self.send(connection, {"pid": pid, "program": "app.py"})
        return connection

    def send(self, connection: socket.socket, told: Any) -> None:
        self.send_raw(connection, json.dumps(told).encode() + b"\n")

    def send_raw(self, connection: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        connection.setblocking(False)
        while view:
            try:
                view = view[connection.send(view) :]
            except BlockingIOError:
                self.take()
            except OSError:  # it is not listened to any more
                return
        self.take()

    def take(self) -> None:
        while ready := self.selector.select(0):
            for key, _ in ready:
                key.data()

    def close(self) -> None:
        self.server.__exit__(None, None, None)
        for connection in self.connections:
            connection.close()
        self.selector.close()


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.close()


def run(order: int, **known: Any) -> dict[str, Any]:
    return {"id": str(order), "order": order, "kind": "Tool", "name": "look up", "started": 1.0, **known}


def test_the_socket_is_in_a_folder_of_its_owners_alone(served: Served) -> None:
    """Nobody else can tell anything, or read along."""
    assert stat.S_IMODE(served.server.path.parent.stat().st_mode) == 0o700


def test_the_folder_is_gone_when_it_is_closed() -> None:
    """With the socket."""
    found = Served()
    folder = found.server.path.parent
    found.close()

    assert not folder.exists()


def test_what_a_process_tells_is_shown(served: Served) -> None:
    """Under its number; when it is gone, what went on is lost."""
    connection = served.connect()
    served.send(connection, {"runs": [run(1)], "gone": [], "unseen": 0})
    assert [root.process for root in served.forest.roots] == ["7 app.py"]
    connection.close()
    served.take()

    assert [root.outcome for root in served.forest.take_ended()] == ["lost"]


def test_a_line_may_come_in_pieces(served: Served) -> None:
    """As streams do."""
    connection = served.connect()
    line = json.dumps({"runs": [run(1, name="é")], "gone": []}, ensure_ascii=False).encode() + b"\n"
    for place in range(len(line)):
        served.send_raw(connection, line[place : place + 1])

    assert [root.name for root in served.forest.roots] == ["é"]


def test_what_is_told_in_several_lines_is_seen_at_once(served: Served) -> None:
    """A tree that has ended already is whole when it is shown."""
    connection = served.connect()
    served.send(connection, {"runs": [run(1, outcome="ok")], "gone": [], "more": True})
    assert served.forest.take_ended() == []
    served.send(connection, {"runs": [run(2, parent="1", outcome="ok")], "gone": []})

    assert [len(list(root.walk())) for root in served.forest.take_ended()] == [2]


def test_runs_that_were_never_told_are_counted(served: Served) -> None:
    """The watcher says how many it did not see."""
    served.send(served.connect(), {"runs": [], "gone": [], "unseen": 1200})

    assert served.forest.notes == ["1,200 runs too fast to be told"]


HOSTILE = [
    b"not JSON\n",
    b"\xff\xfe\n",
    b"[]\n",
    b'{"runs": 3, "gone": []}\n',
    b'{"runs": [], "gone": {}}\n',
    b"[" * 100_000 + b"\n",
    b"1" * 100_000 + b"\n",
    json.dumps({"runs": [run(1)] * 10_001, "gone": []}).encode() + b"\n",
    b"x" * 16_500_000,
    (json.dumps({"runs": [run(1)] * 1_000, "gone": [], "more": True}).encode() + b"\n") * 11,
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_who_sends_anything_else_is_not_listened_to_any_more(served: Served, data: bytes) -> None:
    """The others are; and it is said."""
    bad, good = served.connect(1), served.connect(2)
    served.send_raw(bad, data)
    served.send(bad, {"runs": [run(1)], "gone": []})
    served.send(good, {"runs": [run(1)], "gone": []})

    assert [root.process for root in served.forest.roots] == ["2 app.py"]
    assert served.forest.notes == ["1 process not listened to"]


def test_entries_that_are_no_runs_are_left_out(served: Served) -> None:
    """The runs beside them are shown; text that would drive the terminal is cleaned."""
    served.send(
        served.connect(),
        {"runs": [None, 3, {}, run(1, name="\x1b[2Jx", error=[1, "\x9b"])], "gone": [None, "x"]},
    )

    assert [root.name for root in served.forest.roots] == ["[2Jx"]


def test_more_runs_than_there_is_room_for_are_counted(served: Served) -> None:
    """A process cannot fill the watcher's memory with runs that never end."""
    connection = served.connect()
    for start in range(1, 30_001, 5_000):
        served.send(connection, {"runs": [run(order) for order in range(start, start + 5_000)], "gone": []})

    assert served.forest.running == 20_000
    assert served.forest.left_out == 10_000


def test_more_processes_than_are_listened_to_are_refused(served: Served) -> None:
    """They go on; nobody sees their runs."""
    for number in range(300):
        served.connect(number)

    assert served.server.heard == 256
    assert served.forest.notes == ["44 processes not listened to"]


def test_a_folder_with_too_long_a_name_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systems allow a socket some hundred bytes."""
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    with selectors.DefaultSelector() as selector, pytest.raises(WatchError, match="set TMPDIR to a folder"):
        WatchServer(selector, Forest())
    assert list(folder.iterdir()) == []
