"""PDF by PDFium, the library with which Chromium shows it. May import extracted."""

from __future__ import annotations

from typing import Any

import pypdfium2
from pypdfium2 import raw

from sideband.app.formats.extracted import Extracted, FormatError, Outline

__all__ = ["extract"]

# It has no annotations.
_PDFIUM: Any = pypdfium2
# What PDFium gives for a hyphen that divides a word at the end of a line.
_DIVIDED = ("\ufffe\r\n", "\ufffe\n", "\ufffe")


def extract(data: bytes) -> Extracted:
    """Read a document page by page.

    Raises:
        FormatError: it is encrypted or damaged, or has no text.
    """
    outline = Outline()
    try:
        with _PDFIUM.PdfDocument(data) as document:
            outline.title = document.get_metadata_value("Title")
            for number in range(len(document)):
                outline.place(f"page {number + 1}")
                outline.block(_page(document, number))
    except pypdfium2.PdfiumError as error:
        raise FormatError(_reason(error)) from error
    found = outline.extracted()
    if not found.text:
        raise FormatError("no text in it: its pages may be pictures")
    return found


def _page(document: Any, number: int) -> str:
    page = document[number]
    try:
        textpage = page.get_textpage()
        try:
            text = str(textpage.get_text_range())
        finally:
            textpage.close()
    finally:
        page.close()
    for mark in _DIVIDED:
        text = text.replace(mark, "")
    return text.replace("\r\n", "\n")


def _reason(error: pypdfium2.PdfiumError) -> str:
    if error.err_code == raw.FPDF_ERR_PASSWORD:
        return "encrypted: it opens with a password alone"
    return f"damaged: {error}"
