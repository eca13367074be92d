"""What is written to the terminal: consoles, safe text, pictures. May import the errors."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from rich.console import Console, RenderableType
from rich.text import Text

from sideband.app.errors import PictureError

__all__ = [
    "errors_console",
    "output_console",
    "print_json",
    "printable",
    "save_picture",
    "size",
    "store_path",
    "write_picture",
]

_PICTURE_COLUMNS = 100


def output_console() -> Console:
    """Return the console of standard output, for results."""
    return Console(file=sys.stdout, highlight=False)


def errors_console() -> Console:
    """Return the console of standard error, for progress and what went wrong."""
    return Console(file=sys.stderr, highlight=False)


def store_path(given: Path | None) -> Path:
    """Return the store's file: the given one, or the one in the user's data folder."""
    return given if given is not None else user_data_path("sideband", appauthor=False) / "sideband.db"


def printable(text: str) -> str:
    """Return text on one line without control characters: a document may hold a terminal's commands."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON document, in the letters that the output's encoding has."""
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    print(json.dumps(value, ensure_ascii=ascii_only, indent=2))  # noqa: T201 - the command's output


def size(count: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    if count < 2**20:
        return f"{count / 2**10:.0f} KiB"
    return f"{count / 2**20:.1f} MiB"


def save_picture(path: Path, command: str, shown: Sequence[RenderableType]) -> None:
    """Draw what a command showed as an SVG picture of a terminal.

    Raises:
        PictureError: the file cannot be written.
    """
    console = Console(
        record=True, file=io.StringIO(), width=_PICTURE_COLUMNS, force_terminal=True, highlight=False
    )
    console.print(Text(f"$ {command}", style="bold"))
    for renderable in shown:
        console.print(renderable)
    # Without the web fonts that rich names: a picture of ours asks no server for anything.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="sideband"), flags=re.DOTALL)
    write_picture(path, svg.encode())


def write_picture(path: Path, content: bytes) -> None:
    """Write a picture, and make the folder that it is in.

    Raises:
        PictureError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise PictureError(path, error.strerror or str(error)) from error
