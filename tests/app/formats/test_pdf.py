from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from sideband.app.formats.extracted import FormatError
from sideband.app.formats.pdf import extract

SAMPLES = Path(__file__).parent.parent / "samples"


def test_a_document_gives_its_text_and_where_its_pages_begin() -> None:
    """What is on a page is found at that page."""
    found = extract((SAMPLES / "harbour.pdf").read_bytes())

    assert [place for _, place in found.places] == ["page 1", "page 2", "page 3"]
    starts = [start for start, _ in found.places]
    assert "nine metres" in found.text[: starts[1]]
    assert "A dinghy pays four crowns" in found.text[starts[1] : starts[2]]
    assert "A green lantern" in found.text[starts[2] :]


def test_an_encrypted_document_says_so() -> None:
    """The way out is a password, which nobody is asked for."""
    with pytest.raises(FormatError, match="encrypted"):
        extract((SAMPLES / "encrypted.pdf").read_bytes())


def test_a_document_of_pictures_says_that_it_has_no_text(tmp_path: Path) -> None:
    """A scan is not passed over in silence."""
    pdfium: Any = pypdfium2
    document = pdfium.PdfDocument.new()
    document.new_page(100, 100).close()
    document.save(tmp_path / "blank.pdf")
    document.close()

    with pytest.raises(FormatError, match="no text in it"):
        extract((tmp_path / "blank.pdf").read_bytes())


def test_a_document_cut_off_is_damaged_or_read_as_far_as_it_goes() -> None:
    """No part of a file makes the reader fail otherwise."""
    data = (SAMPLES / "harbour.pdf").read_bytes()
    for size in range(0, len(data), 1_000):
        with suppress(FormatError):
            extract(data[:size])
