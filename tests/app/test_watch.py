"""`sideband watch` where its output is no terminal: real programs, real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs Unix sockets", allow_module_level=True)

HEAD = "import os, sys\nfrom sideband import component, observe\n"


def command(folder: Path, source: str, *options: str) -> list[str]:
    program = folder / "program.py"
    program.write_text(source)
    return [sys.executable, "-m", "sideband", "watch", *options, "--", sys.executable, str(program)]


def watch(folder: Path, source: str, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "TMPDIR": str(folder), **more}
    return subprocess.run(
        command(folder, source, *options), capture_output=True, text=True, check=False, timeout=60, env=env
    )


def names(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split("  ")[0] for line in done.stderr.splitlines()]


def test_output_is_the_programs_own_and_each_tree_is_a_line(tmp_path: Path) -> None:
    """Standard output is untouched; the lines are on standard error; nothing is left behind."""
    source = f"{HEAD}with observe('answer', component='Agent'):\n    with observe('look up'): print('out', sys.stdout.isatty())\n"
    done = watch(tmp_path, source)

    assert (done.returncode, done.stdout) == (0, "out False\n")
    assert names(done) == ["✓ Agent answer"]
    assert " · 2 runs" in done.stderr
    assert list(tmp_path.glob("sideband-*")) == []


def test_the_exit_code_is_the_programs(tmp_path: Path) -> None:
    """Its own, or 128 and the number of the signal that ended it."""
    assert watch(tmp_path, f"{HEAD}sys.exit(7)").returncode == 7
    assert watch(tmp_path, f"{HEAD}os.kill(os.getpid(), 9)").returncode == 137


def test_the_run_that_a_killed_program_was_in_is_lost(tmp_path: Path) -> None:
    """Nobody tells how it ended; that is what is shown."""
    source = (
        f"{HEAD}from sideband.exporters import _relay\n"
        "with observe('answer'):\n    _relay._relays[0].flush(5)\n    os.kill(os.getpid(), 9)\n"
    )
    done = watch(tmp_path, source)

    assert done.returncode == 137
    assert names(done) == ["? Lambda answer"]


def test_standard_input_is_the_programs(tmp_path: Path) -> None:
    """To its end."""
    done = subprocess.run(
        command(tmp_path, f"{HEAD}print(sys.stdin.read().upper())"), input="hello", capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip

    assert done.stdout == "HELLO\n"


def test_a_program_that_made_no_run_is_told_so(tmp_path: Path) -> None:
    """It goes on as ever, and does not load what it does not need."""
    done = watch(tmp_path, "import sys\nprint([name for name in sys.modules if name.startswith('sideband')])")

    assert done.stdout == "[]\n"
    assert done.stderr.startswith("sideband: no run was seen: ")


def test_an_error_is_shown_with_its_cause_and_is_the_programs_own(tmp_path: Path) -> None:
    """The traceback is there as well."""
    source = f"{HEAD}with observe('answer'):\n    try: {{}}['x']\n    except KeyError as error: raise ValueError('no') from error\n"
    done = watch(tmp_path, source)

    assert done.returncode == 1
    assert "✗ Lambda answer" in done.stderr
    assert "ValueError: no · caused by KeyError: 'x'" in done.stderr
    assert "Traceback" in done.stderr


def test_what_runs_say_is_shown_as_far_as_is_asked_for(tmp_path: Path) -> None:
    """On, off, or off where the environment says production."""
    source = f"{HEAD}with observe('answer', input='a secret'): pass\n"

    assert "a secret" in watch(tmp_path, source).stderr
    assert "a secret" not in watch(tmp_path, source, "--capture", "off").stderr
    assert "a secret" not in watch(tmp_path, source, "--capture", "redacted").stderr
    assert "a secret" not in watch(tmp_path, source, SIDEBAND_ENV="production").stderr


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_that_the_program_starts_are_watched_too(tmp_path: Path, method: str) -> None:
    """Labelled with their number; none of their runs is lost at their end."""
    source = (
        f"{HEAD}import multiprocessing\n"
        "def work():\n    with observe('inside'): pass\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method('{method}')\n"
        "    with observe('outside'):\n"
        "        processes = [multiprocessing.Process(target=work) for _ in range(3)]\n"
        "        for process in processes: process.start()\n"
        "        for process in processes: process.join()\n"
        "    print(*[process.pid for process in processes])\n"
    )
    done = watch(tmp_path, source)
    shown = sorted(names(done))

    assert done.returncode == 0
    assert shown[-1] == "✓ Lambda outside"
    assert [name.partition(" [")[0] for name in shown[:-1]] == ["✓ Lambda inside"] * 3
    assert {name.partition("[")[2].split()[0].rstrip("]") for name in shown[:-1]} == set(done.stdout.split())


def test_a_program_goes_on_when_its_watcher_is_gone(tmp_path: Path) -> None:
    """It makes runs all the while, and ends by itself."""
    source = (
        f"{HEAD}with observe('first'): pass\n"
        "open('ready', 'w').close()\n"
        "sys.stdin.read()\n"
        "for _ in range(1000):\n    with observe('later'): pass\n"
        "open('done', 'w').close()\n"
    )
    ready, finished = tmp_path / "ready", tmp_path / "done"
    os.mkfifo(ready)
    os.mkfifo(finished)
    watcher = subprocess.Popen(
        command(tmp_path, source), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert watcher.stdin is not None
    ready.read_bytes()  # until the program is there
    watcher.kill()
    watcher.wait()
    watcher.stdin.close()

    assert finished.read_bytes() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_sent_on(tmp_path: Path, number: signal.Signals) -> None:
    """The program decides what becomes of them."""
    source = (
        f"{HEAD}import signal\n"
        f"def caught(number, frame):\n    print('caught', number, flush=True)\n    sys.exit(9)\n"
        f"signal.signal({int(number)}, caught)\nprint('ready', flush=True)\nsignal.pause()\n"
    )
    with subprocess.Popen(
        command(tmp_path, source),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ready\n"
        watcher.send_signal(number)

        assert watcher.stdout.read() == f"caught {int(number)}\n"
        assert watcher.wait(30) == 9


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "name the program to watch"),
        (["no-such-program"], 127, "no program 'no-such-program' was found"),
        (["/etc/passwd"], 126, "'/etc/passwd' cannot be executed"),
        (["--max-depth", "0", "true"], 2, "--max-depth must be from 1 to 100"),
        (["--capture", "some", "true"], 2, "some"),
    ],
)
def test_what_cannot_be_watched_is_told_in_words(arguments: list[str], code: int, words: str) -> None:
    """One line, and the exit codes of shells."""
    done = subprocess.run(
        [sys.executable, "-m", "sideband", "watch", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_options_behind_the_program_are_its_own(tmp_path: Path) -> None:
    """Also without the two dashes."""
    program = tmp_path / "program.py"
    program.write_text("import sys; print(sys.argv[1:])")
    done = subprocess.run(
        [sys.executable, "-m", "sideband", "watch", sys.executable, str(program), "--plain", "--", "--help"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert done.stdout == "['--plain', '--', '--help']\n"


def test_a_folder_that_is_not_this_users_own_is_not_told_anything(tmp_path: Path) -> None:
    """The program runs as if it were not watched."""
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    done = subprocess.run(
        [sys.executable, "-c", f"{HEAD}with observe('x'): print('ok')"], capture_output=True, text=True, check=True,
        timeout=60, env={**os.environ, "SIDEBAND_WATCH": str(folder / "watch")},
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("ok\n", "")


def test_a_console_of_the_programs_own_gives_way(tmp_path: Path) -> None:
    """Its runs are shown once."""
    source = f"{HEAD}from sideband.exporters.console import console\nwith console(), observe('x'): pass\n"

    assert names(watch(tmp_path, source)) == ["✓ Lambda x"]
