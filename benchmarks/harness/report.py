"""Tables of the figures, for the terminal and for the documents. It knows `case`, `systems` and `figures`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.harness.case import Case
from benchmarks.harness.driver import Outcome
from benchmarks.harness.figures import Row, headline
from benchmarks.harness.systems import System

OWN = "sideband"


def number(value: float) -> str:
    """Return a figure with the digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def unit(case: Case) -> str:
    """Say what a figure of a case is."""
    return {"over": f"{case.unit}, over the bare path", "ratio": "times the bare path", "value": case.unit}[
        case.figure
    ]


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
    """Return what the document shows of the results: where, when, with what; and a table a case."""
    lines = list(_where(found, systems))
    group = ""
    for name, case in cases.items():
        if name not in found["cases"]:
            continue
        if case.group != group:
            group = case.group
            lines += [f"## {group.capitalize()}", ""]
        lines += [*_table(case, found["cases"][name], systems), ""]
    return "\n".join(lines)


def _where(found: Mapping[str, Any], systems: Mapping[str, System]) -> Iterator[str]:
    where = found["machine"]
    yield f"`{found['command']}`, {where['date']}: {where['processor']}, {where['cores']} cores, {where['system']},"
    yield f"{where['python']}. "
    yield (
        ", ".join(f"{systems[name].title} {at}" for name, at in found["versions"].items() if name in systems)
        + "."
    )
    yield ""


def _table(case: Case, outcome: Mapping[str, Any], systems: Mapping[str, System]) -> Iterator[str]:
    """Give one case as a table: a row a system, least first, a column a level; the median stands in brackets."""
    levels = sorted({level for rows in outcome["systems"].values() for level in rows})
    yield f"**{case.title}** ({unit(case)}). {case.about}"
    yield ""
    yield f"| | {' | '.join(f'{level:,}' for level in levels)} |"
    yield f"| --- |{' ---: |' * len(levels)}"
    for name in sorted(outcome["systems"], key=lambda name: _rank(case, outcome["systems"][name])):
        rows = outcome["systems"][name]
        cells = [_cell(case, rows[level]) if level in rows else "" for level in levels]
        title = f"**{systems[name].title}**" if name == OWN else systems[name].title
        yield f"| {title} | {' | '.join(cells)} |"
    if case.targets:
        cells = [number(case.targets[level]) if level in case.targets else "" for level in levels]
        yield f"| *target* | {' | '.join(cells)} |"
    for kind, names in (("Not installed here", outcome["missing"]), ("Failed", outcome["failed"])):
        for name, why in names.items():
            yield f"\n{kind}: {systems[name].title} ({why})."


def _rank(case: Case, rows: Mapping[int, Row]) -> float:
    best, _ = headline(case, rows[max(rows)])
    return best if case.better == "less" else -best


def _cell(case: Case, row: Row) -> str:
    best, median = headline(case, row)
    return number(best) if row["rounds"] == 1 else f"{number(best)} ({number(median)})"
