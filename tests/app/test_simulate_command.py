from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from sideband.app.cli import main
from sideband.app.comparison import choose
from sideband.serving import CostModel, Simulation, simulate


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]
COST = "5ms + 0.2ms*n"
QUICK = ("--items", "2000")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return the command, on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object) -> Result:
        code = main(["simulate", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


def test_each_combination_has_a_row_and_a_bar_and_the_best_is_marked(run: Run) -> None:
    """At 80 columns nothing is cut off."""
    shown = run(
        "--rate", 1000, "--cost", COST, "--batch-size", "8,32", "--batch-timeout", "0,5ms", "--items", 20_000
    )
    lines = shown.out.splitlines()
    marked = [line.split() for line in lines if line.startswith("* ")]

    assert (shown.code, shown.err) == (0, "")
    assert lines[0] == "1,000 items/s, a batch of n takes 5 ms + 200 us * n, 1 partition"
    assert max(map(len, lines)) <= 80
    assert "…" not in shown.out
    assert sum(line.strip().startswith("32 ") for line in lines) == 3
    assert marked[0][:3] == ["*", "32", "0"]
    assert marked[1][:3] == ["*", "Best:", "batch_size=32,"]
    assert "the lowest p95 latency; of 2 alike" in shown.out.replace("\n", " ")
    assert "Overload" not in shown.out


def test_nothing_is_cut_off_on_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of the table are as long as they have to be."""
    monkeypatch.setenv("COLUMNS", "40")
    shown = run("--rate", 1000, "--cost", COST, *QUICK)

    assert "…" not in shown.out
    assert "1 0 192 192 grows grows grows grows 100% 100%" in " ".join(shown.out.split())


def test_json_has_what_the_simulation_says(run: Run) -> None:
    """One document, in seconds and items a second, that is the same as of the function of the library."""
    arguments = ("--rate", 800, "--cost", COST, "--batch-size", "4,16", "--batch-timeout", "2ms", *QUICK)
    shown = run(*arguments, "--partitions", 2, "--seed", 3, "--variation", 0.5, "--json")
    document = json.loads(shown.out)
    cost = CostModel(0.005, 0.0002, 0.5)
    found = simulate(cost, rate=800, batch_size=16, batch_timeout=0.002, partitions=2, items=2000, seed=3)
    row = document["results"][1]

    assert document["cost"] == {"base": 0.005, "per_item": 0.0002, "variation": 0.5}
    assert (document["rate"], document["callers"], document["items"], document["seed"]) == (
        800,
        None,
        2000,
        3,
    )
    assert [(one["batch_size"], one["batch_timeout"]) for one in document["results"]] == [
        (4, 0.002),
        (16, 0.002),
    ]
    assert row["throughput"] == found.throughput
    assert row["latency"]["p95"] == found.latency.percentile(95)
    assert row["queue_time"]["mean"] == found.queue_time.mean
    assert (row["fill"], row["utilisation"]) == (found.fill, found.utilisation)
    assert document["best"] in {0, 1}
    assert document == json.loads(
        run(*arguments, "--partitions", 2, "--seed", 3, "--variation", 0.5, "--json").out
    )


def test_overload_is_said_plainly(run: Run) -> None:
    """No latency is shown that a longer simulation would not have; what does keep up is best."""
    shown = run("--rate", 1000, "--cost", COST, "--batch-size", "1,32", "--batch-timeout", 0, *QUICK)
    text = " ".join(shown.out.split())

    assert "1 0 192 192 grows grows grows grows 100% 100%" in text
    assert "1 of 2 combinations cannot execute 1,000 items/s" in text
    assert "the queue grows without bound" in text
    assert "of those that keep up" in text


def test_nothing_keeps_up(run: Run) -> None:
    """The best is then the one that gets most done, and is said not to be enough."""
    shown = run("--rate", 1e5, "--cost", COST, "--batch-size", "1,32", "--batch-timeout", 0, *QUICK)

    assert "batch_size=32, batch_timeout=0: the most items a second, though it does not keep up." in " ".join(
        shown.out.split()
    )


def test_refused_calls_are_counted(run: Run) -> None:
    """A short queue refuses what a burst brings."""
    arguments = ("--rate", 2700, "--cost", COST, "--batch-size", "32", "--max-queue", "20", *QUICK)
    shown = run(*arguments)

    assert "items were refused, since the queue was full" in " ".join(shown.out.split())
    assert json.loads(run(*arguments, "--json").out)["results"][0]["refused"] > 0


def test_callers_instead_of_a_rate(run: Run) -> None:
    """Then the best is what gets most done, and nothing is overload."""
    shown = run("--callers", 64, "--cost", COST, "--batch-size", "8,64", *QUICK)

    assert shown.out.startswith("64 callers, a batch of n takes")
    assert "batch_size=64, batch_timeout=0: the most items a second" in " ".join(shown.out.split())


def drawn(chart: Path) -> tuple[set[str], list[ElementTree.Element]]:
    """Return the words of a chart, and what stands for its values."""
    root = ElementTree.fromstring(chart.read_text())
    words = {element.text for element in root.iter() if element.text}
    return words, [element for element in root.iter() if element.tag.endswith(("path", "circle"))]


def test_the_chart_has_a_line_for_each_timeout(run: Run, tmp_path: Path) -> None:
    """Over the batch sizes; an overloaded one has no point, and a single point is a dot."""
    chart = tmp_path / "made" / "chart.svg"
    limits = ("--batch-size", "1,8,32", "--batch-timeout", "0,5ms")
    assert run("--rate", 1000, "--cost", COST, *limits, *QUICK, "--plot", chart).code == 0
    words, values = drawn(chart)
    run("--rate", 1500, "--cost", COST, *limits, *QUICK, "--plot", chart)
    dots = drawn(chart)[1]

    assert {"timeout 0", "timeout 5 ms", "1", "8", "32", "batch size"} <= words
    assert [value.get("d", "").count(" L ") for value in values] == [1, 1]
    assert [value.tag.rpartition("}")[2] for value in dots] == ["circle", "circle"]
    assert not re.search(r"<script|href|https?://(?!www.w3.org)", chart.read_text())


def test_the_chart_of_one_size_is_over_its_timeouts(run: Run, tmp_path: Path) -> None:
    """What was compared is what is on the axis."""
    chart = tmp_path / "chart.svg"
    limits = ("--batch-size", "32", "--batch-timeout", "0,5ms,20ms")
    run("--rate", 100, "--cost", COST, *limits, *QUICK, "--plot", chart)

    assert {"0", "5 ms", "20 ms", "batch timeout"} <= drawn(chart)[0]


def test_of_overload_alone_no_chart_is_drawn(run: Run, tmp_path: Path) -> None:
    """There is nothing to be drawn, which is said."""
    chart = tmp_path / "chart.svg"
    shown = run("--rate", 1e6, "--cost", COST, *QUICK, "--plot", chart)

    assert (shown.code, shown.err) == (0, "no chart was drawn: all combinations are overloaded\n")
    assert not chart.exists()


def test_what_is_shown_can_be_a_picture(run: Run, tmp_path: Path) -> None:
    """With the command on top that shows it."""
    picture = tmp_path / "shown.svg"
    run(
        "--rate", 100, "--cost", COST, "--batch-size", "8", "--batch-timeout", "5ms", *QUICK, "--svg", picture
    )
    text = picture.read_text().replace("&#160;", " ")

    assert "--batch-timeout 5ms" in text
    assert "from the median to the 99th percentile" in text


@pytest.mark.parametrize("option", ["--plot", "--svg"])
def test_a_picture_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path, option: str) -> None:
    """What was simulated is shown all the same."""
    (tmp_path / "file").touch()
    shown = run("--rate", 100, "--cost", COST, *QUICK, option, tmp_path / "file" / "chart.svg")

    assert shown.code == 1
    assert "Best: " in shown.out
    assert shown.err.count("\n") == 1
    assert "cannot be written" in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cost", COST], "give either --rate or --callers"),
        (["--cost", COST, "--rate", "1", "--callers", "1"], "give either --rate or --callers"),
        (["--rate", "1"], "Missing option '--cost'"),
        (["--rate", "0", "--cost", COST], "--rate must be more than 0"),
        (["--rate", "nan", "--cost", COST], "--rate must be more than 0"),
        (["--rate", "1", "--cost", "quick"], "'quick' is no time; write it as 5ms"),
        (["--rate", "1", "--cost", "5ms + 3 apples*n"], "'3 apples' is no time"),
        (["--rate", "1", "--cost", "5ms - 1ms*n"], "is no time"),
        (["--rate", "1", "--cost", "5ms +"], "'' is no time"),
        (["--rate", "1", "--cost", "0 + 0*n"], "a batch must cost some time"),
        (["--rate", "1", "--cost", "99999999s"], "is longer than a day"),
        (["--rate", "1", "--cost", COST, "--batch-size", "8,0"], "--batch-size takes whole numbers from 1"),
        (["--rate", "1", "--cost", COST, "--batch-size", "8;9"], "not '8;9'"),
        (["--rate", "1", "--cost", COST, "--batch-timeout", "5,x"], "--batch-timeout: 'x' is no time"),
        (["--rate", "1", "--cost", COST, "--partitions", "0"], "--partitions must be from 1 to 10000, not 0"),
        (["--rate", "1", "--cost", COST, "--variation", "-1"], "--variation must be from 0 to 100, not -1"),
        (["--rate", "1", "--cost", COST, "--plot", "chart.png"], "name a file that ends in .svg"),
        (
            ["--callers", "9", "--cost", COST, "--max-queue", "8"],
            "max_queue must have room for what comes at once",
        ),
        (
            ["--rate", "1", "--cost", COST, "--batch-size", ",".join(map(str, range(1, 200)))],
            "at most 100 combin",
        ),
    ],
)
def test_what_cannot_be_simulated_is_a_usage_error(run: Run, arguments: list[str], said: str) -> None:
    """One line names the option, the value and what it should be."""
    shown = run(*arguments)

    assert (shown.code, shown.out) == (2, "")
    assert shown.err.count("\n") == 1
    assert said in shown.err


@pytest.mark.parametrize(
    "text",
    [
        "5ms + 0.2ms*n",
        "0.005+0.0002 n",
        "200us * n + 5 ms",
        "n*200µs + .005s",
        "3ms + 2ms + 0.2ms n",
        " 5MS+0.2MS*N",
    ],
)
def test_costs_are_written_as_people_write_them(run: Run, text: str) -> None:
    """With units or in seconds, in any order."""
    shown = json.loads(run("--rate", 100, "--cost", text, "--batch-size", 8, *QUICK, "--json").out)

    assert shown["cost"] == pytest.approx({"base": 0.005, "per_item": 0.0002, "variation": 0})


def found(p95: float, **more: Any) -> Simulation:
    """Return a simulation of one call."""
    return simulate(CostModel(p95), arrivals=[0.0, 100.0], **more)


def test_of_equals_the_shortest_timeout_is_best_then_the_smallest_batches() -> None:
    """Less than one percent is no difference."""
    compared = [
        found(0.1, batch_size=16), found(0.0999, batch_size=32), found(0.1, batch_size=8), found(0.2, batch_size=4),
        found(0.09, batch_size=2, batch_timeout=0.01),
    ]  # fmt: skip

    assert choose(compared).index == 2
    assert choose(compared[:1]).reason == "the lowest p95 latency"
    assert choose(compared).reason.startswith("the lowest p95 latency; of 4 alike")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_tidily(number: signal.Signals) -> None:
    """The exit code is the shells', and there is no traceback."""
    limits = ["--batch-size", ",".join(map(str, range(1, 100))), "--batch-timeout", "0", "--items", "1000000"]
    terminal, its_terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sideband", "simulate", "--rate", "1000", "--cost", COST, *limits],
        stdout=subprocess.PIPE, stderr=its_terminal, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(its_terminal)
    said = b""
    while b"simulating" not in said:
        said += os.read(terminal, 4096)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    while not said.endswith(b"simulated\r\n"):
        said += os.read(terminal, 4096)
    os.close(terminal)

    assert process.returncode == 128 + number
    assert out == b""
    assert b"Traceback" not in said
    assert said.endswith(b"stopped before all was simulated\r\n")
