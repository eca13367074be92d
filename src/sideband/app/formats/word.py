"""Word documents (.docx) by Mammoth, which gives HTML. May import html and extracted."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from xml.parsers.expat import ExpatError

import mammoth

from sideband.app.formats.extracted import Extracted, FormatError, Outline
from sideband.app.formats.html import add_html

__all__ = ["extract"]

# It has no annotations.
_MAMMOTH: Any = mammoth
_MAX_XML_BYTES = 64 * 2**20
"""Unpacked; a book of a thousand pages has some ten million."""
_MAX_PARTS = 10_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STYLES = r"""
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => h2:fresh
p[style-name='Source Code'] => pre:separator('\n')
"""


def extract(data: bytes) -> Extracted:
    """Read a document with its headings, lists, tables and notes; pictures are left out.

    Raises:
        FormatError: it is encrypted, damaged, no .docx, or unpacks to too much.
    """
    if data.startswith(_OLE):
        raise FormatError("encrypted, or of Word before 2007: save it as .docx without a password")
    try:
        _check_size(data)
        html: str = _MAMMOTH.convert_to_html(
            io.BytesIO(data), style_map=_STYLES, convert_image=_MAMMOTH.images.img_element(_no_picture)
        ).value
    except (zipfile.BadZipFile, ExpatError, KeyError, EOFError, NotImplementedError) as error:
        raise FormatError(f"damaged: {error}") from error
    outline = Outline()
    add_html(outline, html)
    return outline.extracted()


def _check_size(data: bytes) -> None:
    # An entry never gives more than its declared size, so what is declared can be relied upon.
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts if part.filename.lower().endswith((".xml", ".rels")))
    if unpacked > _MAX_XML_BYTES or len(parts) > _MAX_PARTS:
        limit = _MAX_XML_BYTES // 2**20
        raise FormatError(
            f"too big: {unpacked / 2**20:.0f} MiB unpacked, at most {limit} MiB are read; split it"
        )


def _no_picture(_: object) -> dict[str, str]:
    return {}
