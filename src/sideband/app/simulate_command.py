"""`sideband simulate`: what a batch server would do under different limits. May import the app and the serving."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from sideband.app.charts import latency_bars, save_chart
from sideband.app.comparison import Choice, choose, rows
from sideband.app.quantities import shown_seconds, told_seconds
from sideband.app.screen import errors_console, output_console, print_json, save_picture
from sideband.app.stopping import Stopping
from sideband.serving import CostModel, Simulation, simulate

__all__ = ["SimulateOptions", "run_simulate"]

_MOST = {
    "callers": 10**6, "partitions": 10**4, "call_size": 10**6, "keys": 10**6, "max_queue": 10**9, "items": 10**6,
}  # fmt: skip
_MOST_RATE = 1e9
_MOST_COMBINATIONS = 100
_WIDEST = 200
"""Columns that the table never needs."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """What was typed."""

    cost: CostModel
    rate: float | None
    callers: int | None
    call_size: int
    keys: int
    partitions: int
    batch_sizes: list[int]
    batch_timeouts: list[float]
    max_queue: int
    items: int
    seed: int
    json: bool
    plot: Path | None
    svg: Path | None


def run_simulate(options: SimulateOptions) -> int:
    """Simulate each combination of limits and show what comes of it; return the exit code.

    Raises:
        typer.BadParameter: the values do not go together.
        PictureError: a picture cannot be written.
    """
    _check(options)
    with Stopping() as stopping:
        try:
            found = list(_simulated(options))
        except KeyboardInterrupt:
            errors_console().print(Text("stopped before all was simulated"))
            return stopping.code
    choice = choose(found)
    if options.json:
        print_json(_document(options, found, choice))
    else:
        _print(options, found, choice)
    if options.plot is not None and all(one.overloaded for one in found):
        errors_console().print(Text("no chart was drawn: all combinations are overloaded"))
    elif options.plot is not None:
        save_chart(options.plot, found, _told(options))
    if options.svg is not None:
        save_picture(options.svg, _typed(options), _shown(options, found, choice))
    return 0


def _check(options: SimulateOptions) -> None:
    rate = options.rate
    if (rate is None) == (options.callers is None):
        raise typer.BadParameter("give either --rate or --callers")
    if rate is not None and not 0 < rate <= _MOST_RATE:
        msg = f"--rate must be more than 0 and at most {_MOST_RATE:g} items a second, not {rate:g}"
        raise typer.BadParameter(msg)
    for option, most in _MOST.items():
        value = getattr(options, option)
        if value is not None and not 1 <= value <= most:
            msg = f"--{option.replace('_', '-')} must be from 1 to {most}, not {value}"
            raise typer.BadParameter(msg)
    if len(options.batch_sizes) * len(options.batch_timeouts) > _MOST_COMBINATIONS:
        msg = f"--batch-size and --batch-timeout may make at most {_MOST_COMBINATIONS} combinations"
        raise typer.BadParameter(msg)
    if options.plot is not None and options.plot.suffix.lower() != ".svg":
        msg = f"--plot draws SVG: name a file that ends in .svg, not {str(options.plot)!r}"
        raise typer.BadParameter(msg)


def _simulated(options: SimulateOptions) -> Iterator[Simulation]:
    limits = [(size, timeout) for timeout in options.batch_timeouts for size in options.batch_sizes]
    console = errors_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for size, timeout in progress.track(limits, description="simulating"):
            try:
                yield simulate(
                    options.cost, rate=options.rate, callers=options.callers, items=options.items,
                    call_size=options.call_size, keys=options.keys, batch_size=size, batch_timeout=timeout,
                    partitions=options.partitions, max_queue=options.max_queue, seed=options.seed,
                )  # fmt: skip
            except ValueError as error:
                raise typer.BadParameter(str(error)) from error


def _print(options: SimulateOptions, found: Sequence[Simulation], choice: Choice) -> None:
    console = output_console()
    head, table, bars, *notes = _shown(options, found, choice)
    for part in (head, table, *([] if console.options.ascii_only else [bars]), *notes):
        console.print(part, crop=False)


def _document(options: SimulateOptions, found: Sequence[Simulation], choice: Choice) -> dict[str, Any]:
    """Return what is shown, and more, as JSON has it: in seconds and items a second."""
    told = ("rate", "callers", "call_size", "keys", "partitions", "max_queue", "items", "seed")
    return {
        "cost": dataclasses.asdict(options.cost),
        **{option: getattr(options, option) for option in told},
        "results": rows(found),
        "best": choice.index,
        "reason": choice.reason,
    }


def _shown(options: SimulateOptions, found: Sequence[Simulation], choice: Choice) -> list[RenderableType]:
    """Return what a person is shown, from top to bottom."""
    best = found[choice.index]
    limits = f"batch_size={best.batch_size}, batch_timeout={best.batch_timeout:g}"
    return [
        Text(f"{_told(options)}\n", style="bold"),
        _table(found, best),
        latency_bars(found, best),
        Text.assemble(("\n* Best: ", "bold green"), (limits, "bold"), f": {choice.reason}."),
        *(Text.assemble(("Overload: ", "bold red"), note) for note in _overload(options, found)),
    ]


def _told(options: SimulateOptions) -> str:
    cost, size = options.cost, options.call_size
    varied = f" (variation {cost.variation:g})" if cost.variation else ""
    parts = [
        f"{options.callers:,} callers" if options.rate is None else f"{options.rate:,g} items/s",
        f"{size:,} items a call" if size > 1 else "",
        f"{options.keys:,} keys" if options.keys > 1 else "",
        f"a batch of n takes {told_seconds(cost.base)} + {told_seconds(cost.per_item)} * n{varied}",
        f"{options.partitions:,} partition{'s' if options.partitions > 1 else ''}",
    ]
    return ", ".join(filter(None, parts))


def _table(found: Sequence[Simulation], best: Simulation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("")
    for heading in ("size", "timeout", "items/s", "max/s", "p50", "p95", "p99", "queue", "fill", "busy"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        percentiles = [one.latency.percentile(percent) for percent in (50, 95, 99)]
        times = map(shown_seconds, (*percentiles, one.queue_time.mean))
        table.add_row(
            "*" if one is best else "",
            str(one.batch_size),
            told_seconds(one.batch_timeout),
            f"{one.throughput:,.0f}",
            f"{one.capacity:,.0f}",
            *([Text("grows", style="red")] * 4 if one.overloaded else times),
            f"{one.fill:.0%}",
            f"{one.utilisation:.0%}",
            style="bold green" if one is best else "",
        )
    # A number that is cut off is none: on a narrow terminal it rather goes on in the next line.
    table.width = Console(width=_WIDEST).measure(table).maximum
    return table


def _overload(options: SimulateOptions, found: Sequence[Simulation]) -> Iterator[str]:
    overloaded = [one for one in found if one.overloaded]
    if overloaded:
        yield (
            f"{len(overloaded)} of {len(found)} combinations cannot execute {options.rate:,g} items/s, however full their batches "
            f"are (max/s), so the queue grows without bound, until {options.max_queue:,} items wait and calls are refused."
        )
    if refused := max(one.refused for one in found):
        yield f"up to {refused:,} of {options.items:,} items were refused, since the queue was full."


def _typed(options: SimulateOptions) -> str:
    """Return the command for the picture of it."""
    cost = f"{told_seconds(options.cost.base)} + {told_seconds(options.cost.per_item)}*n"
    load = ["--callers", str(options.callers)] if options.rate is None else ["--rate", f"{options.rate:g}"]
    sizes = ",".join(map(str, options.batch_sizes))
    timeouts = ",".join(told_seconds(timeout).replace(" ", "") for timeout in options.batch_timeouts)
    limits = ["--batch-size", sizes, "--batch-timeout", timeouts]
    return shlex.join(["sideband", "simulate", *load, "--cost", cost, *limits])
