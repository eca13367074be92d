"""Jupyter notebooks by nbformat, of all its versions. May import encoding and extracted.

Outputs are kept as far as they are text, and their beginning only: a table that was printed says
what a cell is about, a thousand lines of a log do not.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, cast

import nbformat

from sideband.app.formats.encoding import decoded
from sideband.app.formats.extracted import Extracted, FormatError, Outline

__all__ = ["extract"]

_MAX_OUTPUT = 2_000
"""Characters of one output."""
_HEADING = re.compile(r"^# +(\S.*)$", re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def extract(data: bytes) -> Extracted:
    """Read a notebook's cells with their outputs.

    Raises:
        FormatError: it is no notebook.
    """
    text = decoded(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = cast("Any", nbformat).reads(text, as_version=4)
        cells: list[Any] = list(notebook.cells)
        language = str(notebook.metadata.get("language_info", {}).get("name", ""))
    except (nbformat.ValidationError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise FormatError(f"damaged: no notebook ({type(error).__name__}: {error})"[:200]) from error
    outline = Outline()
    for number, cell in enumerate(cells, start=1):
        outline.place(f"cell {number}")
        _add_cell(outline, cell, language)
    return outline.extracted()


def _add_cell(outline: Outline, cell: Any, language: str) -> None:
    source = _text(cell.get("source"))
    if cell.get("cell_type") != "code":
        heading = _HEADING.search(source) if cell.get("cell_type") == "markdown" else None
        outline.title = outline.title or (heading[1] if heading else "")
        outline.block(source)
        return
    outline.code(source, language)
    for output in cell.get("outputs", ()):
        for text in _told(output):
            outline.code(text if len(text) <= _MAX_OUTPUT else text[:_MAX_OUTPUT] + " …")


def _told(output: Any) -> Iterator[str]:
    if output.get("output_type") == "error":
        yield f"{output.get('ename')}: {output.get('evalue')}"
    yield _COLOURS.sub("", _text(output.get("text")))
    yield _COLOURS.sub("", _text(output.get("data", {}).get("text/plain")))


def _text(value: Any) -> str:
    # The format has a text or its lines, and files are not all to the letter.
    if value is None or isinstance(value, str):
        return value or ""
    return "".join(map(str, value))
