"""What is shown of the results: on the terminal, on the page of benchmarks, on the front page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks.harness.case import Case
from benchmarks.harness.driver import Effort, Outcome
from benchmarks.harness.report import document, number, rank, summary, terminal
from benchmarks.harness.results import FILE, read, write
from benchmarks.harness.systems import Answer, System
from benchmarks.harness.text import replace

CASE = Case(
    "call", "calls", "Call", levels=(0, 1), targets={0: 0.1, 1: 3.0}, highlight=True, about="It is called."
)
GAUGE = Case("share", "serving", "Share", unit="of 1", level="", levels=(1,), figure="value", better="more")
CASES = {case.name: case for case in (CASE, GAUGE)}
SYSTEMS = {
    name: System(
        name, title, "", {"call": Answer("", f"{title} calls."), "share": Answer("", f"{title} shares.")}
    )
    for name, title in (("sideband", "Sideband"), ("swift", "Swift"), ("slow", "Slow"))
}


def row(figure: float) -> dict[str, float]:
    """Return a row whose medians and clocks are a little more."""
    return {
        "cpu_min": figure, "cpu_median": figure + 1, "wall_min": figure + 2, "wall_median": figure + 3, "rounds": 2
    }  # fmt: skip


OUTCOMES = {
    "call": Outcome(
        {"sideband": {0: row(0.2), 1: row(4.0)}, "slow": {1: row(250.0)}, "swift": {0: row(1.0), 1: row(2.0)}},
        missing={"absent": "No module named 'absent'"},
        failed={"broken": "LookupError: no"},
    ),
    "share": Outcome({name: {1: {"best": best, "median": 0.5, "rounds": 3}} for name, best in (("sideband", 0.9), ("slow", 0.6))}),
}  # fmt: skip
ALL = SYSTEMS | {name: System(name, name.title(), "", {}) for name in ("absent", "broken")}


def test_systems_are_ranked_where_there_is_a_target() -> None:
    """A level beyond the last target is shown, and decides nothing."""
    latency = Case("lone", "serving", "Lone", level="percentile", levels=(50, 99), targets={50: 100.0})

    assert rank(latency, {50: row(20.0), 99: row(900.0)}) == 20.0
    assert rank(latency, {99: row(900.0)}) == 900.0


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Any]:
    """Give results that were written and read."""
    (tmp_path / FILE).parent.mkdir()
    write(OUTCOMES, Effort(), ALL, tmp_path, fresh=True)
    return read(tmp_path)


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "0.12"), (12.34, "12.3"), (1234.5, "1,234"), (-0.001, "0.00")]
)
def test_figures_have_the_digits_that_mean_something(value: float, text: str) -> None:
    """Two behind the point are enough for what a run can tell."""
    assert number(value) == text


def test_the_terminal_shows_all_that_was_measured_and_the_target() -> None:
    """Least and median of both clocks; the target stands beside this project alone."""
    lines = terminal(CASE, OUTCOMES["call"], ALL)

    assert lines[3].split() == ["Sideband", "1", "4.00", "5.00", "6.00", "7.00", "target", "3.00"]
    assert "target" not in lines[4]
    assert lines[-1].split() == ["Broken", "FAILED:", "LookupError:", "no"]


def test_the_page_lists_the_best_first_and_says_who_is_missing(found: dict[str, Any]) -> None:
    """Systems are ordered by their last level, with targets below and those left out with the reason."""
    page = document(found, ALL, CASES)
    section = page[page.index("### Call") : page.index("## Serving")]

    assert [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")][:6] == [
        "handlers", "---", "Swift", "**Sideband**", "Slow", "*target*"
    ]  # fmt: skip
    assert "| **Sideband** | 0.20 (1.20) | 4.00 (5.00) |" in section
    assert "Not installed here: Absent (No module named 'absent')." in section
    assert "Failed: Broken (LookupError: no)." in section
    assert "- Slow: Slow calls." in section


def test_more_may_be_better(found: dict[str, Any]) -> None:
    """A share is ordered from the greatest down."""
    page = document(found, ALL, CASES)

    assert page.index("| **Sideband** | 0.90") < page.index("| Slow | 0.60")


def test_the_front_page_shows_the_highlights_with_the_next_best(found: dict[str, Any]) -> None:
    """One line a case, levels behind one another; a level that a peer lacks is a dash."""
    lines = summary(found, ALL, CASES).splitlines()

    assert lines[2] == (
        "| Call, 0 / 1 handlers | **0.20 / 4.00** µs a call, over the bare path | 0.10 / 3.00 | Swift 1.00 / 2.00; Slow - / 250 |"
    )
    assert not any("Share" in line for line in lines)


def test_a_part_takes_the_place_of_the_same_cases_alone(found: dict[str, Any], tmp_path: Path) -> None:
    """The other cases keep their figures and the date that they are of."""
    write({"call": Outcome({"sideband": {0: row(9.0)}})}, Effort(), ALL, tmp_path, fresh=False)

    now = read(tmp_path)

    assert now["cases"]["call"]["systems"]["sideband"][0]["cpu_min"] == 9.0
    assert now["cases"]["share"] == found["cases"]["share"]


def test_text_is_put_between_a_pages_markers(tmp_path: Path) -> None:
    """What stands around them stays, however often it is done."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x -->\n\n<!-- end of x -->\nafter\n")

    for text in ("one", "two\nlines", r"a \1 of its own"):
        replace(page, "x", text)

    assert page.read_text() == "before\n<!-- x -->\na \\1 of its own\n<!-- end of x -->\nafter\n"


def test_a_page_without_the_markers_is_an_error(tmp_path: Path) -> None:
    """Nothing is written anywhere else."""
    page = tmp_path / "page.md"
    page.write_text("<!-- x -->\n")

    with pytest.raises(ValueError, match="needs the markers"):
        replace(page, "x", "text")
