"""`sideband watch` at a real pseudo-terminal."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from tests.exporters.console.pty_process import PtyProcess

PROGRAM = """
import os, sys
from sideband import observe

print("before", sys.stdout.isatty(), os.get_terminal_size().columns)
with observe("answer", component="Agent", input="why"):
    for number in range(3):
        with observe("lookup", component="Tool"):
            print("line", number)
    print("unfinished ", end="", flush=True)
    word = sys.stdin.readline().strip()
    print("line,", word)
    print("\\x1b[31mred\\x1b[0m\\x1b[2J\\x1b[H", file=sys.stderr)
print("after")
sys.exit(5)
"""


def watched(folder: Path, source: str, *options: str, columns: int = 72) -> PtyProcess:
    program = folder / "program.py"
    program.write_text(source)
    command = [sys.executable, "-m", "sideband", "watch", *options, "--", sys.executable, str(program)]
    return PtyProcess(command, columns=columns)


@pytest.mark.parametrize("columns", [72, 40])
def test_a_tree_is_drawn_below_what_the_program_prints(tmp_path: Path, columns: int) -> None:
    """It has a terminal of the same size, its input, its colours; what would break the drawing is left out."""
    with watched(tmp_path, PROGRAM, columns=columns) as program:
        program.read_until("running")
        program.write("typed\n")
        assert program.end() == 5
    screen = program.screen

    assert screen.lines[:6] == [
        f"before True {columns}",
        "line 0",
        "line 1",
        "line 2",
        "unfinished line, typed",
        "red",
    ]
    # The program does not wait until its tree is told.
    tree, leaf = [line for line in screen.lines[6:] if line != "after"]
    assert tree.startswith("✓ Agent answer  why")
    assert leaf.startswith("└─ ✓ Tool lookup \N{MULTIPLICATION SIGN}3")
    assert "\x1b[31m" in screen.colours
    assert screen.cursor


def test_plain_leaves_the_terminal_to_the_program(tmp_path: Path) -> None:
    """All that it writes is as it wrote it."""
    with watched(tmp_path, PROGRAM, "--plain") as program:
        program.write("typed\n")
        assert program.end() == 5

    assert "\x1b[2J\x1b[H" in program.output
    assert "\x1b[?25l" not in program.output
    assert "✓ Agent answer" in program.output


INTERRUPTED = """
from sideband import observe
import signal
with observe("answer", component="Agent"):
    signal.pause()
"""


def test_ctrl_c_is_the_programs(tmp_path: Path) -> None:
    """It ends by it, with its own traceback; the terminal is as it was."""
    with watched(tmp_path, INTERRUPTED) as program:
        program.read_until("running")
        program.send(signal.SIGINT)  # nobody is in the foreground here: it is sent on
        assert program.end() == 130

    assert program.screen.cursor
    assert "KeyboardInterrupt" in program.screen.lines
    assert [line for line in program.screen.lines if line.startswith("✗ Agent answer")]
    assert not [line for line in program.screen.lines if "running" in line]


def test_without_runs_the_program_has_the_terminal_to_itself(tmp_path: Path) -> None:
    """Every byte goes through, moves of the cursor too."""
    with watched(tmp_path, "print('\\x1b[31;1mmenu\\x1b[H\\x1b[2Jx', end='')") as program:
        assert program.end() == 0

    assert program.output.startswith("\x1b[31;1mmenu\x1b[H\x1b[2Jx")


def test_a_resize_reaches_the_program(tmp_path: Path) -> None:
    """Its terminal has the new size."""
    source = (
        "import os, signal\n"
        "def resized(*_):\n    print('now', os.get_terminal_size(1).columns, flush=True)\n    os._exit(0)\n"
        "signal.signal(signal.SIGWINCH, resized)\nprint('ready', flush=True)\nwhile True: signal.pause()\n"
    )
    with watched(tmp_path, source) as program:
        program.read_until("ready")
        program.resize(51)
        program.send(signal.SIGWINCH)
        program.end()

    assert "now 51" in program.output


LEFT = """
import signal, sys, time
from sideband import observe
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(6))
with observe("answer"):
    print("ready", flush=True)
    while True:
        signal.pause()
"""


def test_when_the_terminal_is_gone_the_program_goes_on(tmp_path: Path) -> None:
    """Its watcher waits for it, and has its exit code."""
    with watched(tmp_path, LEFT) as program:
        program.read_until("running")
        program.hang_up()
        program.send(signal.SIGTERM)

        assert program.process.wait(30) == 6
