"""The guard of the hot paths: what it counts, how it compares, and what it says where it cannot count."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from benchmarks.guard import __main__ as guard
from benchmarks.guard.counting import MARKS, Count, CountingError, between_marks, executed, total
from benchmarks.guard.paths import PATHS, walk
from benchmarks.guard.verdicts import Verdict, bound_for, move_bounds, read_bounds, table
from hypothesis import given
from hypothesis import strategies as st

BOUNDS = """# Kept as it is.
["3.11"]
call-1 = 33.05  # a remark
chunk-1 = 7.62

["3.12"]
call-1 = 30.00
"""

costs = st.floats(0.0, 10_000.0)


def count(cost: float) -> Count:
    return Count(watched=1000.0 + 100.0 * cost, bare=1000.0, yardstick=100.0)


@given(costs)
def test_a_bound_lets_its_cost_pass_and_a_tenth_more_not(cost: float) -> None:
    """Today's cost passes the bound that it calls for; a tenth more, or a tenth of a yardstick, does not."""
    bound = bound_for(cost)

    assert Verdict("call-1", count(cost), bound).passed
    assert not Verdict("call-1", count(max(cost * 1.1, cost + 0.1)), bound).passed


def test_a_path_cheaper_than_bare_has_the_least_bound() -> None:
    """A bound is positive even where the path costs less than its bare path."""
    assert bound_for(-3.0) == bound_for(0.0) == 0.08


def test_a_path_without_a_bound_does_not_pass() -> None:
    """A new path that nobody has bound is a failure, and says so."""
    verdict = Verdict("call-9", count(1.0), None)

    assert not verdict.passed
    assert verdict.word == "NO BOUND"


def test_the_table_says_by_how_much_a_path_is_too_dear() -> None:
    """A row shows the instructions, the cost, the bound, and how far apart these are."""
    rows = table([Verdict("call-1", count(12.0), 10.0), Verdict("chunk-1", count(9.5), 10.0)]).splitlines()

    assert rows[1].split() == ["call-1", "1,000", "2,200", "12.00", "10.00", "TOO", "DEAR", "by", "20.0%"]
    assert rows[2].split() == ["chunk-1", "1,000", "1,950", "9.50", "10.00", "ok"]


def test_a_bound_far_above_its_cost_is_called_loose() -> None:
    """A path that became much cheaper passes, with a word that its bound can be moved."""
    assert Verdict("call-1", count(5.0), 10.0).word == "ok, bound is loose"


def test_moving_a_bound_leaves_all_else_as_it_is() -> None:
    """Comments, other paths and other versions stay; a path that is new is added to its version's table."""
    moved = move_bounds(BOUNDS, "3.11", {"chunk-1": 10.0, "item": 20.0})

    assert moved == BOUNDS.replace("chunk-1 = 7.62\n", "chunk-1 = 10.80\nitem = 21.60\n")


@given(
    st.dictionaries(st.sampled_from(list(PATHS)), costs, min_size=1),
    st.sampled_from(["3.11", "3.12", "3.13"]),
)
def test_moved_bounds_are_read_back(given: dict[str, float], version: str) -> None:
    """Whatever costs are written, for a known version or a new one, are the bounds that are read."""
    read = read_bounds(move_bounds(BOUNDS, version, given), version)

    assert read is not None
    assert {path: read[path] for path in given} == {path: bound_for(cost) for path, cost in given.items()}


@pytest.mark.parametrize("bound", ["0", "-1.0", "inf", "nan", "true", '"3"'])
def test_a_bound_that_is_no_positive_number_is_refused(bound: str) -> None:
    """A slip in the file is an error that names the path, not a bound that everything keeps."""
    with pytest.raises(ValueError, match="bound of call-1"):
        read_bounds(f'["3.11"]\ncall-1 = {bound}\n', "3.11")


def test_a_version_without_bounds_has_none() -> None:
    """What is not bound is told from what is bound to nothing."""
    assert read_bounds(BOUNDS, "3.14") is None


def test_every_path_has_a_bound() -> None:
    """The file bounds the paths that there are, and no others, in their order."""
    bounds = read_bounds(guard.BOUNDS.read_text(encoding="utf-8"), "3.11")

    assert list(bounds or {}) == [*PATHS, guard.IMPORT]


@pytest.mark.parametrize("name", PATHS)
async def test_every_path_is_walked_as_it_is_counted(name: str) -> None:
    """Its handlers see what they have to, and there are as many marks as are counted between."""
    marks: list[None] = []

    await walk(PATHS[name](), lambda: marks.append(None))

    assert len(marks) == MARKS


def test_a_count_is_the_difference_of_two_walks() -> None:
    """What N and 2 N walks have in common is in no count."""
    totals = [999, 150, 250, 999, 70, 90, 999, 200, 600, 999]

    assert between_marks(totals, units=10, yardsticks=5) == Count(watched=40.0, bare=2.0, yardstick=20.0)
    assert Count(watched=40.0, bare=2.0, yardstick=20.0).cost == 1.9


def test_a_part_without_a_total_is_an_error() -> None:
    """A file that was cut off is not taken for nothing executed."""
    with pytest.raises(CountingError, match="no total"):
        total("events: Ir\n")


def test_without_valgrind_nothing_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it is not there and cannot be installed, the guard says that it was skipped, and does not end with 0."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["guard", "call-1"])
    monkeypatch.setattr(guard, "VERSION", "3.11")

    assert guard.main() == guard.SKIPPED
    assert "SKIPPED" in capsys.readouterr().out


def test_a_version_without_bounds_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another version of Python executes other instructions: without bounds for it nothing is compared."""
    monkeypatch.setattr(sys, "argv", ["guard", "call-1"])
    monkeypatch.setattr(guard, "VERSION", "3.99")

    assert guard.main() == guard.SKIPPED
    assert "3.99" in capsys.readouterr().out


@pytest.fixture
def busy() -> Iterator[None]:
    """Keep a processor busy."""
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as spinning:
        yield
        spinning.kill()


CODE = """
import os
def work(n, more):
    for i in range(n):
        if more:
            i.real
work(100, {more})
os.getppid()
work(1000, {more})
os.getppid()
work(2000, {more})
os.getppid()
"""


def between(program: str, *, more: bool) -> int:
    """Return the instructions of a thousand steps of a loop."""
    totals = executed(program, ["-c", CODE.format(more=more)])
    return totals[2] - totals[1]


@pytest.mark.usefixtures("busy")
async def test_an_attribute_more_is_seen_and_a_busy_machine_is_not() -> None:
    """The same code has the same count while the processors are busy; one look-up of an attribute more shows."""
    program = shutil.which("valgrind")
    if program is None:
        pytest.skip("valgrind is not installed")

    one, again, more = await asyncio.gather(
        *[asyncio.to_thread(between, program, more=more) for more in (False, False, True)]
    )

    assert one == pytest.approx(again, rel=1e-3)
    assert more > one + 1000
