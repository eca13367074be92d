"""Tables of the figures, for the terminal and for the documents. It knows `case`, `systems` and `figures`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from benchmarks.harness.case import Case
from benchmarks.harness.driver import Outcome
from benchmarks.harness.figures import Row, headline
from benchmarks.harness.systems import System

OWN = "sideband"
PEERS_SHOWN = 3
CLOCKS = {"cpu": "CPU time of all threads", "wall": "time on the caller's clock"}
READ = {
    False: "the best of all rounds, and in brackets the median",
    True: "the median of all rounds, and in brackets the best",
}


def number(value: float) -> str:
    """Return a figure with the digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    # Adding 0 turns a negative zero into one without a sign.
    return f"{value:.1f}" if abs(value) >= 10 else f"{round(value, 2) + 0.0:.2f}"


def unit(case: Case) -> str:
    """Say what a figure of a case is."""
    if case.figure == "over":
        return f"{case.unit}, over {case.base}"
    return f"times {case.base}" if case.figure == "ratio" else case.unit


def columns(row: Row) -> list[float]:
    """Return least and median, of CPU time and of the clock; or the best and the median of a gauge."""
    if "best" in row:
        return [row["best"], row["median"]]
    return [row["cpu_min"], row["cpu_median"], row["wall_min"], row["wall_median"]]


def terminal(case: Case, outcome: Outcome, systems: Mapping[str, System]) -> list[str]:
    """Return one case as lines for a terminal, with everything that was measured."""
    heads = ["best", "median"] if case.figure == "value" else ["cpu min", "cpu med", "wall min", "wall med"]
    lines = [
        f"{case.title}: {unit(case)}",
        f"  {'':24}{case.level:>10}" + "".join(f"{head:>11}" for head in heads),
    ]
    for name, levels in outcome.systems.items():
        for level, row in levels.items():
            target = (
                f"   target {number(case.targets[level])}" if name == OWN and level in case.targets else ""
            )
            cells = "".join(f"{number(value):>11}" for value in columns(row))
            lines.append(f"  {systems[name].title:24}{level:>10}{cells}{target}")
    return lines + [f"  {systems[name].title:24} FAILED: {why}" for name, why in outcome.failed.items()]


def document(found: Mapping[str, Any], systems: Mapping[str, System], cases: Mapping[str, Case]) -> str:
    """Return what the page of benchmarks shows of the results: where, when, with what; a picture a group, a table a case."""
    lines = [_where(found, systems), ""]
    for group, members in groups(found, cases).items():
        lines += [f"## {group.capitalize()}", ""]
        # One bar alone says no more than its figure.
        if any(case.line or len(found["cases"][case.name]["systems"]) > 1 for case in members):
            lines += [f"![{group}](images/bench-{group}.svg)", ""]
        for case in members:
            lines += [*_section(case, found["cases"][case.name], systems), ""]
    return "\n".join(lines)


def groups(found: Mapping[str, Any], cases: Mapping[str, Case]) -> dict[str, list[Case]]:
    """Return the cases that there are results of, by group."""
    members: dict[str, list[Case]] = {}
    for name, case in cases.items():
        if name in found["cases"]:
            members.setdefault(case.group, []).append(case)
    return members


def summary(found: Mapping[str, Any], systems: Mapping[str, System], cases: Mapping[str, Case]) -> str:
    """Return the short table for the front page: this project, its target, and the peers that come next."""
    lines = ["| | Sideband | target | beside it |", "| --- | --- | --- | --- |"]
    for name, case in cases.items():
        if not case.highlight or name not in found["cases"]:
            continue
        rows = found["cases"][name]["systems"]
        levels = sorted(case.targets) or sorted({level for row in rows.values() for level in row})
        peers = [peer for peer in rows if peer != OWN and levels[-1] in rows[peer]]
        peers.sort(key=lambda peer: rank(case, rows[peer]))
        shown = [f"{systems[peer].title} {_brief(case, rows[peer], levels)}" for peer in peers[:PEERS_SHOWN]]
        counted = f", {' / '.join(f'{level:,}' for level in levels)} {case.level}" if case.level else ""
        own = f"**{_brief(case, rows[OWN], levels)}** {unit(case)}" if OWN in rows else ""
        targets = " / ".join(number(case.targets[level]) for level in levels if level in case.targets)
        lines.append(f"| {case.title}{counted} | {own} | {targets} | {'; '.join(shown)} |")
    where = found["machine"]
    picture = "![What it costs beside other libraries](docs/images/bench.svg)"
    made = f"{where['date']}, {where['processor']}, {where['python']}: `{found['command']}`."
    return "\n".join([*lines, "", picture, "", made])


def _brief(case: Case, rows: Mapping[int, Row], levels: list[int]) -> str:
    return " / ".join(number(headline(case, rows[level])[0]) if level in rows else "-" for level in levels)


def _where(found: Mapping[str, Any], systems: Mapping[str, System]) -> str:
    where = found["machine"]
    versions = [f"{systems[name].title} {at}" for name, at in found["versions"].items() if name in systems]
    return (
        f"Made by `{found['command']}` on {where['date']}, with {where['python']}, on {where['system']}, "
        f"{where['processor']}, {where['cores']} cores.\n\n{', '.join(versions)}."
    )


def _section(case: Case, outcome: Mapping[str, Any], systems: Mapping[str, System]) -> Iterator[str]:
    """Give one case: its table, who is left out and why, and in a fold the times on the clock and what each does."""
    yield f"### {case.title}"
    yield ""
    yield f"{case.about} In {unit(case)}{'' if case.figure == 'value' else f', {CLOCKS[case.clock]}'}: {READ[case.median]}."
    yield ""
    yield from _table(case, outcome["systems"], systems)
    for kind, names in (("Not installed here", outcome["missing"]), ("Failed", outcome["failed"])):
        for name, why in names.items():
            yield f"\n{kind}: {systems[name].title} ({why})."
    yield "\n<details><summary>What each does</summary>\n"
    for name in _order(case, outcome["systems"]):
        yield f"- {systems[name].title}: {systems[name].cases[case.name].about}"
    yield ""
    if case.figure != "value":
        other: Literal["cpu", "wall"] = "wall" if case.clock == "cpu" else "cpu"
        yield f"{CLOCKS[other].capitalize()}:"
        yield ""
        yield from _table(replace(case, clock=other, targets={}), outcome["systems"], systems)
    yield "\n</details>"


def _order(case: Case, rows: Mapping[str, Mapping[int, Row]]) -> list[str]:
    return sorted(rows, key=lambda name: rank(case, rows[name]))


def _table(case: Case, rows: Mapping[str, Mapping[int, Row]], systems: Mapping[str, System]) -> Iterator[str]:
    """Give a row a system, the best first, and a column a level."""
    levels = sorted({level for row in rows.values() for level in row})
    heads = [f"{level:,}" for level in levels] if case.level else [""]
    yield f"| {case.level} | {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * len(levels)}"
    for name in _order(case, rows):
        cells = [_cell(case, rows[name][level]) if level in rows[name] else "" for level in levels]
        title = f"**{systems[name].title}**" if name == OWN else systems[name].title
        yield f"| {title} | {' | '.join(cells)} |"
    if case.targets:
        cells = [number(case.targets[level]) if level in case.targets else "" for level in levels]
        yield f"| *target* | {' | '.join(cells)} |"


def rank(case: Case, rows: Mapping[int, Row]) -> float:
    """Return a number that is the less the better a system is: at the last level that has a target, or else the last."""
    level = max([level for level in rows if level in case.targets], default=max(rows))
    shown, _ = headline(case, rows[level])
    return shown if case.better == "less" else -shown


def _cell(case: Case, row: Row) -> str:
    best, median = headline(case, row)
    return number(best) if row["rounds"] == 1 else f"{number(best)} ({number(median)})"
