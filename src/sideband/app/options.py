"""What several commands take, or many options of one, as typed values. May import nothing of ours."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "BatchSizes",
    "BatchTimeouts",
    "Batches",
    "CallSize",
    "Callers",
    "Captured",
    "Gitignore",
    "Items",
    "Json",
    "Keys",
    "MaxFileSize",
    "MaxQueue",
    "Model",
    "Partitions",
    "Plot",
    "Rate",
    "Seed",
    "Store",
    "Svg",
    "Variation",
]


class Model(StrEnum):
    """The embedding models."""

    MINILM = "minilm"
    WORDLLAMA = "wordllama"


class Captured(StrEnum):
    """What is shown of payloads."""

    ON = "on"
    REDACTED = "redacted"
    OFF = "off"


Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FILE",
        envvar="SIDEBAND_STORE",
        help="The store's file; by default sideband.db in your data folder.",
        show_default=False,
    ),
]
Gitignore = Annotated[
    bool, typer.Option("--gitignore/--no-gitignore", help="Leave out what git ignores (the default), or not.")
]
MaxFileSize = Annotated[
    int | None,
    typer.Option(
        metavar="MIB", help="The largest file that is read; by default 16 MiB, with pictures in it 128."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Svg = Annotated[
    Path | None,
    typer.Option("--svg", metavar="FILE", help="Also draw what is shown in the end as an SVG picture."),
]

# -- of simulate -----------------------------------------------------------------------------------

Batches = Annotated[
    str,
    typer.Option("--cost", metavar="TIME", help="What a batch of n items takes, such as '5ms + 0.2ms*n'."),
]
Rate = Annotated[float | None, typer.Option(metavar="R", help="Items a second that come, at random.")]
Callers = Annotated[
    int | None,
    typer.Option(metavar="N", help="Instead: callers, each waiting for its result before it sends more."),
]
BatchSizes = Annotated[
    str, typer.Option("--batch-size", metavar="N,N,...", help="The batch sizes to compare.")
]
BatchTimeouts = Annotated[
    str,
    typer.Option("--batch-timeout", metavar="TIME,...", help="The batch timeouts to compare, such as 0,2ms."),
]
Partitions = Annotated[int, typer.Option(metavar="N", help="How many batches are executed at a time.")]
CallSize = Annotated[int, typer.Option(metavar="N", help="The items of each call.")]
Keys = Annotated[int, typer.Option(metavar="N", help="How many keys keep items apart.")]
Variation = Annotated[
    float,
    typer.Option(metavar="CV", help="How much items' costs vary: 0 not at all, 1 as exponential ones do."),
]
MaxQueue = Annotated[int, typer.Option(metavar="N", help="The most items that wait.")]
Items = Annotated[int, typer.Option(metavar="N", help="How many items come in each simulation.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of the chance; the same one, the same result.")]
Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also draw the latencies over the batch sizes, as an SVG chart."),
]
