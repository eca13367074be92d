"""Bytes as text: by a mark, by what the file declares, else as UTF-8; never by guessing. May import extracted."""

from __future__ import annotations

import codecs

from sideband.app.formats.extracted import FormatError

__all__ = ["decoded"]

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def decoded(data: bytes, declared: str = "utf-8") -> str:
    r"""Decode bytes, with each line's end as `\n`.

    Raises:
        FormatError: they are binary, no text in their encoding, or this is unknown.
    """
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), declared)
    if b"\x00" in data and encoding != "utf-16":
        raise FormatError("binary, not text")
    try:
        text = data.decode(encoding)
        text.encode()  # some of Python's codecs give lone surrogates, which no database takes
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise FormatError(
            f"not {error.encoding.upper()} text: byte 0x{byte:02x} at position {error.start}; convert it to UTF-8"
        ) from error
    except UnicodeEncodeError as error:
        raise FormatError(f"not text: half of a surrogate pair at position {error.start}") from error
    except (LookupError, ValueError) as error:
        raise FormatError(f"in an unknown encoding: {encoding[:40]!r}") from error
    if "\x00" in text:
        raise FormatError("binary, not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")
