from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest
from nbformat import v4

from sideband.app.formats.extracted import FormatError
from sideband.app.formats.notebook import extract

# It has no annotations.
V4: Any = v4
NBFORMAT: Any = nbformat


def notebook(*cells: Any) -> bytes:
    found = V4.new_notebook(cells=list(cells), metadata={"language_info": {"name": "python"}})
    written: str = NBFORMAT.writes(found)
    return written.encode()


def test_a_notebook_gives_its_cells_with_their_outputs() -> None:
    """Markdown stays, code is fenced, and what was printed, computed or raised follows it."""
    outputs = [
        V4.new_output("stream", text="printed\n"),
        V4.new_output("execute_result", data={"text/plain": "42", "image/png": "aWdub3JlZA=="}),
        V4.new_output("error", ename="ValueError", evalue="no", traceback=["\x1b[31mno\x1b[0m"]),
    ]
    found = extract(
        notebook(
            V4.new_markdown_cell("# Tides\n\nOf the harbour."),
            V4.new_code_cell("tide(3)", outputs=outputs),
            V4.new_raw_cell("raw"),
        )
    )

    assert found.title == "Tides"
    assert [place for _, place in found.places] == ["cell 1", "cell 2", "cell 3"]
    assert found.text == (
        "# Tides\n\nOf the harbour.\n\n```python\ntide(3)\n```\n\n```\nprinted\n```\n\n```\n42\n```\n\n"
        "```\nValueError: no\n```\n\nraw"
    )


def test_only_the_beginning_of_a_long_output_is_kept() -> None:
    """A log of a megabyte does not drown the notebook."""
    output = V4.new_output("stream", text="line\n" * 100_000)

    assert len(extract(notebook(V4.new_code_cell("run()", outputs=[output]))).text) < 3_000


def test_a_notebook_of_the_third_version_is_read() -> None:
    """Files are older than the format."""
    cells = [{"cell_type": "code", "input": ["a = 1\n", "b = 2"], "outputs": [], "language": "python"}]
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}

    assert "a = 1\nb = 2" in extract(json.dumps(old).encode()).text


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b'"text"', b"{not json", b'{"nbformat": 4}', b'{"nbformat": "x"}']
)
def test_what_is_no_notebook_says_so(data: bytes) -> None:
    """Other JSON, or none."""
    with pytest.raises(FormatError, match="damaged: no notebook"):
        extract(data)
