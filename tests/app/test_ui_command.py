"""`sideband ui` as a real process."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sideband.app.cli import main

from .processes import chunks_in, command, content, wait_for_chunks


@contextmanager
def page(store: Path, *arguments: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Start the page on a free port, and give its process and its address."""
    process = subprocess.Popen(
        command("ui", "--port", "0", "--model", "wordllama", *arguments, store=store),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        told = process.stdout.readline()
        assert told.startswith("Sideband is at http://"), told + process.communicate()[1]
        yield process, told.split()[-1]
    finally:
        process.kill()
        process.communicate()


def test_it_tells_its_address_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    """The page is served at once, while the model is loaded; the exit code is that of other commands."""
    with page(tmp_path / "s.db") as (process, url):
        answer = httpx.get(url)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert "<h1>Index</h1>" in answer.text
    assert (process.returncode, errors.strip()) == (130, "stopped")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ended_while_it_indexes_it_leaves_a_sound_store(tmp_path: Path, ending: signal.Signals) -> None:
    """The job is cancelled, a page that listens is told goodbye, and whole documents are in the store."""
    store = tmp_path / "s.db"
    with page(store) as (process, url), httpx.stream("GET", f"{url}events") as listening:
        httpx.post(f"{url}jobs/stdlib")
        wait_for_chunks(store, 1, process)
        process.send_signal(ending)
        _, errors = process.communicate(timeout=30)
        assert "event: snapshot" in "".join(listening.iter_text())

    assert (process.returncode, errors.strip()) == (128 + ending, "stopped")
    assert len(content(store)) > chunks_in(store) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]


def test_a_port_that_is_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what to do instead."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main(["ui", "--port", str(port), "--store", str(tmp_path / "s.db")])

    assert code == 1
    assert re.search(
        rf"cannot listen on port {port} of '127.0.0.1': .*name another with --port", capsys.readouterr().err
    )


def test_beyond_this_machine_a_token_is_made(tmp_path: Path) -> None:
    """It is printed with the address, and without it nobody gets in."""
    with page(tmp_path / "s.db", "--host", "0.0.0.0") as (process, url):
        here = re.sub(r"//[^:]+:", "//127.0.0.1:", url)
        with_token = httpx.get(here)
        without = httpx.get(here.partition("?")[0])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert "?token=" in url
    assert (with_token.status_code, without.status_code) == (200, 401)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing-folder"], "there is no file or folder 'missing-folder'"),
        (["--port", "70000"], "--port must be from 0 to 65535, not 70000"),
        (["--token", "short", "--port", "0"], "token must have 16 visible ASCII characters or more"),
        (["--host", "no such host", "--port", "0"], "cannot listen on port 0 of 'no such host'"),
    ],
)
def test_what_is_typed_wrongly_is_said(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is served."""
    assert main(["ui", *arguments, "--store", str(tmp_path / "s.db")]) in {1, 2}
    assert message in capsys.readouterr().err
