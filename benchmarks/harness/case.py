"""A case: one question that is put to every system that can answer it. It knows nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Case:
    """What is measured, at which levels, and how a figure of it is read."""

    name: str
    """Also the name of the function, in a system's file, that makes the work of a level."""
    group: str
    """By which cases are chosen on the command line, and put together in the report."""
    title: str
    unit: str = "µs a call"
    level: str = "handlers"
    """What a level is a number of."""
    levels: tuple[int, ...] = (0, 1, 3)
    quick: tuple[int, ...] = ()
    """The levels of a quick run, where they are not all."""
    figure: Literal["over", "ratio", "value"] = "over"
    """Time over the bare path, or as a multiple of it; or what a gauge measured."""
    base: str = "the bare path"
    """What times are over, or a multiple of."""
    clock: Literal["cpu", "wall"] = "cpu"
    """Which time the tables show: the least of the CPU's, or what the caller waits."""
    better: Literal["less", "more"] = "less"
    median: bool = False
    """Whether a gauge is judged by its median, as what callers wait is, rather than by its best."""
    targets: Mapping[int, float] = field(default_factory=dict)
    """What this project wants to reach, by level."""
    least: int = 1
    """How many units a sample has at least: what is done once for many has to be spread over many."""
    step: int = 1
    """Samples are whole multiples of it: the nodes of a chain, the callers of a crowd."""
    most: int = 1 << 24
    """How many units a sample has at most."""
    rounds: int | None = None
    """How many rounds there are at most."""
    fresh: bool = False
    """Whether every sample has a process of its own."""
    timeout: float = 120.0
    """Seconds after which a system that does not answer has failed."""
    line: bool = False
    """Whether it is drawn as a line over its levels."""
    straight_from: int = 0
    """The first level of the straight line."""
    highlight: bool = False
    """Whether the front page's table shows it."""
    pictured: bool = False
    """Whether the front page's picture shows it."""
    about: str = ""
    """What the report says of it."""
