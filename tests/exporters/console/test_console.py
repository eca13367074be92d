from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sideband import callbacks, observe
from sideband.errors import MissingExtraError
from sideband.exporters.console import console


def work(name: str = "answer") -> None:
    with observe(name, component="Agent", input="why"), observe("lookup", component="Tool"):
        pass


def work_often() -> None:
    for _ in range(50):
        work()


def test_where_there_is_no_terminal_each_tree_is_one_plain_line() -> None:
    """No escape sequence, no tree, and the lines in the order of the endings."""
    out = io.StringIO()
    with console(file=out):
        work("one")
        work("two")

    first, second = out.getvalue().splitlines()
    assert first.startswith("✓ Agent one  ")
    assert second.startswith("✓ Agent two  ")
    assert first.endswith(" · 2 runs · why")
    assert "\x1b" not in out.getvalue()


def test_given_to_callbacks_it_sees_what_happens_there_alone() -> None:
    """As any handler; what there is to show is shown when it is closed."""
    out = io.StringIO()
    shown = console(file=out)
    with callbacks(shown):
        work("inside")
    work("outside")
    shown.close()
    shown.close()

    assert [line.split()[2] for line in out.getvalue().splitlines()] == ["inside"]


def test_an_error_is_shown_and_is_the_programs_own() -> None:
    """The same object comes out of the block."""
    out = io.StringIO()
    error = ValueError("no such word")
    with pytest.raises(ValueError, match="no such word") as raised, console(file=out), observe("lookup"):
        raise error

    assert raised.value is error
    assert "✗ Lambda lookup" in out.getvalue()
    assert "ValueError: no such word" in out.getvalue()


def test_with_capture_off_nothing_of_what_runs_say_is_shown() -> None:
    """Names, times and the types of errors are."""
    out = io.StringIO()
    with (
        pytest.raises(ValueError, match="secret"),
        console(file=out, capture="off"),
        observe("lookup", input="secret"),
    ):
        raise ValueError("secret")

    assert "ValueError" in out.getvalue()
    assert "secret" not in out.getvalue()


def test_a_tree_that_goes_on_when_it_is_closed_is_no_line() -> None:
    """Lines are of trees that have ended."""
    out = io.StringIO()
    with console(file=out) as shown, observe("late"):
        shown.close()

    assert out.getvalue() == ""


def test_a_file_that_is_closed_changes_nothing() -> None:
    """The program goes on; there is just nothing to see."""
    out = io.StringIO()
    with console(file=out):
        work()
        out.close()
        work()


def test_it_can_be_used_again() -> None:
    """Each block shows its own runs."""
    out = io.StringIO()
    shown = console(file=out)
    for name in ("one", "two"):
        with shown:
            work(name)

    assert [line.split()[2] for line in out.getvalue().splitlines()] == ["one", "two"]


def test_runs_of_many_threads_are_all_shown() -> None:
    """Each tree is a line, none is lost."""
    out = io.StringIO()
    with console(file=out):
        threads = [threading.Thread(target=work_often) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(out.getvalue().splitlines()) == 400


def test_its_thread_ends_with_its_block() -> None:
    """Nothing is left running."""
    with console(file=io.StringIO()):
        work()

    assert not [thread for thread in threading.enumerate() if thread.name == "sideband console"]


@pytest.mark.parametrize("option", ["max_lines", "max_depth", "frames_per_second"])
def test_a_limit_below_one_is_refused(option: str) -> None:
    """With the name of the limit and what was given."""
    with pytest.raises(ValueError, match=f"{option} must be at least 1, got 0"):
        console(**{option: 0})  # type: ignore[arg-type]


def test_without_rich_the_error_says_what_to_install(tmp_path: Path) -> None:
    """Importing it needs nothing; making one does."""
    code = (
        "import sys; sys.modules['rich'] = None\n"
        "from sideband.exporters.console import console\n"
        "try: console()\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith(MissingExtraError.__name__)
    assert 'pip install "sideband[console]"' in done.stdout


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_forked_process_shows_nothing_and_does_not_hang(tmp_path: Path) -> None:
    """Its prints go to its own standard output, its runs nowhere."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os\n"
        "from sideband import observe\n"
        "from sideband.exporters.console import console\n"
        "with console():\n"
        "    with observe('before'): pass\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        with observe('inside'): print('child', flush=True)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "child\n"
    assert [line.split()[2] for line in done.stderr.splitlines()] == ["before"]


def test_what_is_left_to_show_is_shown_when_the_program_ends(tmp_path: Path) -> None:
    """Also where nobody closed it, as with `callbacks`."""
    program = tmp_path / "program.py"
    program.write_text(
        "from sideband import callbacks, observe\n"
        "from sideband.exporters.console import console\n"
        "with callbacks(console()), observe('last'): pass\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stderr.startswith("✓ Lambda last"), done.stderr
    assert os.linesep not in done.stdout
