"""The driver with real processes: rounds of all systems, and what becomes of those that cannot take part."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.cases import CASES
from benchmarks.harness.case import Case
from benchmarks.harness.driver import Effort, Outcome, measure
from benchmarks.harness.systems import Answer, System, read_systems

QUICK = Effort(rounds=2, seconds=0.001, quick=True)

BROKEN = """
import os
import sys
import time
from benchmarks.harness.work import Counter, Work

def missing(level):
    import no_such_library

def miscounting(level):
    return Work(lambda count: None, lambda count: None, Counter(), events=1)

def raising(level):
    def run(count):
        raise LookupError("no such thing")
    return Work(run, run)

def dying(level):
    print("its last words", file=sys.stderr)
    os._exit(3)

def endless(level):
    return Work(lambda count: time.sleep(60), lambda count: None)

def printing(level):
    print("this is no answer")
    return Work(lambda count: None, lambda count: None)
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], System]:
    """Make systems of the functions above: each answers the case with one of them."""
    (tmp_path / "broken_peer.py").write_text(BROKEN)
    for name in ("missing", "miscounting", "raising", "dying", "endless", "printing"):
        (tmp_path / f"peer_{name}.py").write_text(f"from broken_peer import {name} as call\n")
    monkeypatch.setenv("PYTHONPATH", f"src{os.pathsep}{tmp_path}")

    def system(name: str) -> System:
        return System(name, name.title(), "", {"call": Answer(f"peer_{name}", "")})

    return system


async def told(case: Case, systems: list[System]) -> Outcome:
    """Measure without a word."""
    return await measure(case, systems, QUICK, lambda _what: None)


async def test_every_level_gets_its_figures() -> None:
    """A whole case of this project, in a process of its own."""
    outcome = await told(CASES["call"], [read_systems()["sideband"]])

    assert outcome.failed == {}
    assert {level: row["rounds"] for level, row in outcome.systems["sideband"].items()} == {0: 2, 1: 2, 3: 2}
    assert all(row["cpu_min"] > 0 for row in outcome.systems["sideband"].values())


async def test_a_case_with_fresh_processes_has_one_for_each_round() -> None:
    """Memory is measured where nothing was measured before."""
    outcome = await told(CASES["memory"], [read_systems()["sideband"]])

    assert outcome.systems["sideband"][2000]["best"] >= 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("miscounting", "WrongCountError: expected 3 events, saw 0"),
        ("raising", "LookupError: no such thing"),
        ("dying", "its process ended: its last words"),
    ],
)
async def test_a_system_that_fails_is_named_and_the_others_go_on(
    broken: Callable[[str], System], name: str, reason: str
) -> None:
    """It has no figures, and those of the others are whole."""
    outcome = await told(CASES["call"], [broken(name), broken("printing")])

    assert outcome.failed == {name: reason}
    assert list(outcome.systems) == ["printing"]


async def test_a_library_that_is_not_installed_is_no_failure(broken: Callable[[str], System]) -> None:
    """It is told apart, since not every Python has all of them."""
    outcome = await told(CASES["call"], [broken("missing"), broken("printing")])

    assert outcome.missing == {"missing": "No module named 'no_such_library'"}
    assert outcome.failed == {}


async def test_a_system_that_does_not_answer_is_given_up(broken: Callable[[str], System]) -> None:
    """The case says how long it may take."""
    outcome = await told(replace(CASES["call"], timeout=1.0), [broken("endless")])

    assert outcome.failed == {"endless": "no answer within 1 s"}
