"""The systems' files: read without being imported, and fit for the cases that there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.cases import CASES
from benchmarks.harness.systems import read_system, read_systems

SYSTEMS = read_systems()


def test_a_file_is_read_without_its_library(tmp_path: Path) -> None:
    """Title, package and answers are known although the library is not installed."""
    file = tmp_path / "peer.py"
    file.write_text(
        'import no_such_library\nTITLE = "Peer"\nDISTRIBUTION = "no-such-library"\n'
        'def call(handlers):\n    """Calls\n    it."""\n\ndef _helper(): ...\n'
    )

    system = read_system(file)

    assert (system.name, system.title, system.version) == ("peer", "Peer", None)
    assert {name: answer.about for name, answer in system.cases.items()} == {"call": "Calls it."}


def test_a_folder_answers_from_several_files(tmp_path: Path) -> None:
    """Each answer knows its own module."""
    folder = tmp_path / "peer"
    folder.mkdir()
    (folder / "__init__.py").write_text('TITLE = "Peer"\nDISTRIBUTION = ""\n')
    (folder / "calls.py").write_text("def call(handlers): ...\n")
    (folder / "streams.py").write_text("def chunk(handlers): ...\n")

    cases = read_system(folder).cases

    assert {name: answer.module for name, answer in cases.items()} == {
        "call": "benchmarks.peers.peer.calls",
        "chunk": "benchmarks.peers.peer.streams",
    }


def test_this_project_comes_first_and_answers_every_case() -> None:
    """No case is about the peers alone."""
    assert next(iter(SYSTEMS)) == "sideband"
    assert set(CASES) <= set(SYSTEMS["sideband"].cases)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_says_what_it_does_in_each_case(name: str) -> None:
    """The report shows it, so that readers can judge whether the work is the same."""
    answers = {case: answer for case, answer in SYSTEMS[name].cases.items() if case in CASES}

    assert answers
    assert [case for case, answer in answers.items() if not answer.about] == []
