"""The console in a real process at a real pseudo-terminal."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from tests.exporters.console.pty_process import PtyProcess

PROGRAM = """
import logging, sys
from sideband import observe
from sideband.exporters.console import console

logging.basicConfig(format="%(levelname)s %(message)s")
print("before")
with console(max_lines=12):
    with observe("answer", component="Agent", input="why") as run:
        for number in range(3):
            with observe("lookup", component="Tool"):
                print("line", number)
        logging.warning("a log line")
        sys.stdout.write("unfinished ")
        sys.stdin.readline()  # until the tree has been seen
        print("line, finished")
print("after")
"""


def test_a_tree_is_drawn_while_it_goes_on_and_stays_when_it_has_ended(tmp_path: Path) -> None:
    """With what the program prints and logs above it, in order, and nothing of the drawing left."""
    with PtyProcess.python(tmp_path, PROGRAM) as program:
        program.read_until("running")
        assert not program.screen.cursor
        program.write("\n")
        assert program.end() == 0
    screen = program.screen

    assert screen.lines[:6] == [
        "before",
        "line 0",
        "line 1",
        "line 2",
        "WARNING a log line",
        "unfinished line, finished",
    ]
    assert screen.lines[6].startswith("✓ Agent answer  why")
    assert screen.lines[7].startswith("└─ ✓ Tool lookup \N{MULTIPLICATION SIGN}3")
    assert screen.lines[8:] == ["after"]
    assert screen.cursor
    assert screen.colours


def test_without_colours_there_are_none(tmp_path: Path) -> None:
    """`NO_COLOR` is heeded; the tree is drawn all the same."""
    with PtyProcess.python(tmp_path, PROGRAM, env={"NO_COLOR": "1"}) as program:
        program.read_until("running")
        program.write("\n")
        assert program.end() == 0

    assert not [colour for colour in program.screen.colours if colour[2:-1] not in {"", "0", "1", "3", "1;3"}]


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    """No sequence at all."""
    with PtyProcess.python(tmp_path, PROGRAM, env={"TERM": "dumb"}) as program:
        program.write("\n")
        assert program.end() == 0

    assert "\x1b" not in program.output
    assert "✓ Agent answer" in program.output


@pytest.mark.parametrize("columns", [20, 40])
def test_a_narrow_terminal_has_no_line_broken(tmp_path: Path, columns: int) -> None:
    """Nothing of a drawing is left behind, which it would be if lines were too long."""
    with PtyProcess.python(tmp_path, PROGRAM, columns=columns, rows=10) as program:
        program.read_until("running")
        program.write("\n")
        assert program.end() == 0

    assert program.screen.lines.count("after") == 1
    assert not [line for line in program.screen.lines if "running" in line]


def test_ctrl_c_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    """The traceback is below, the cursor is back, and what went on is shown as it ended."""
    with PtyProcess.python(tmp_path, PROGRAM) as program:
        program.read_until("running")
        program.send(signal.SIGINT)
        assert program.end() == -signal.SIGINT

    assert program.screen.cursor
    assert program.screen.lines[-1] == "KeyboardInterrupt"
    assert not [line for line in program.screen.lines if "running" in line]
    assert [line for line in program.screen.lines if line.startswith("✗ Agent answer")]


HOSTILE = """
from sideband import component, observe
from sideband.exporters.console import console

BAD = "\\x1b[2J\\x1b[H\\x1b]0;title\\x07\\x9b5A\\u202e\\r\\n\\x1b[?1049hend"

@component("ChatModel", name=BAD)
def chat(prompt):
    for _ in range(3):
        yield BAD
    input()

with console():
    print("printed")
    try:
        with observe(BAD, input=BAD):
            list(chat(BAD))
            raise ValueError(BAD)
    except ValueError:
        pass
"""


def test_hostile_text_does_not_drive_the_terminal(tmp_path: Path) -> None:
    """Names, inputs, chunks and errors full of sequences are shown as text; the emulator refuses any other sequence."""
    with PtyProcess.python(tmp_path, HOSTILE) as program:
        program.read_until("running")
        program.write("\n")
        assert program.end() == 0
    lines = program.screen.lines

    assert lines[0] == "printed"
    assert [line for line in lines if "ValueError" in line]


ASKING = """
import sys
from sideband import observe
from sideband.exporters.console import console

with console() as shown, observe("approve"):
    with shown.paused():
        answer = input("go on? ")
    print("answered", answer)
"""


def test_a_question_can_be_asked_while_it_is_paused(tmp_path: Path) -> None:
    """Nothing is drawn over it."""
    with PtyProcess.python(tmp_path, ASKING) as program:
        program.read_until("go on? ")
        program.write("yes\n")
        assert program.end() == 0

    # Nothing echoes the line's end.
    assert program.screen.lines[0] == "go on? answered yes"


FORKING = """
import os
from sideband import observe
from sideband.exporters.console import console

with console(frames_per_second=100), observe("answer"):
    for number in range(30):
        child = os.fork()
        if child == 0:
            print("child")
            os._exit(0)
        os.waitpid(child, 0)
print("after")
"""


def test_a_process_that_is_forked_amid_a_drawing_can_print(tmp_path: Path) -> None:
    """What is locked at that moment is not locked for it."""
    with PtyProcess.python(tmp_path, FORKING) as program:
        assert program.end() == 0

    assert program.output.count("child") == 30
    assert program.screen.lines[-1] == "after"
