"""Text, Markdown and Python files as a corpus. May import components and the corpus.

Everything that a file system can hold is expected: names that are no text, loops of links, pipes,
folders that may not be read, files that are binary, huge or in an unknown encoding.
"""

from __future__ import annotations

import codecs
import io
import os
import stat
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from sideband.app.corpus import Corpus, Part, Reading, Skipped
from sideband.components import Document

__all__ = ["MAX_FILE_BYTES", "SUFFIXES", "file_corpus", "read_file"]

MAX_FILE_BYTES = 16 * 1024 * 1024
"""The largest file that is read; one that is larger is skipped."""

SUFFIXES = {
    ".markdown": "markdown",
    ".md": "markdown",
    ".py": "python",
    ".pyi": "python",
    ".rst": "text",
    ".text": "text",
    ".txt": "text",
}
"""The files that are taken from a folder, and how each kind is cut. A file named by itself is always tried."""

_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages", "venv"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def file_corpus(paths: Iterable[str | os.PathLike[str]]) -> Corpus:
    """Find the files under the given files and folders, in a stable order, each of them once.

    Hidden files and folders are left out, as are virtual environments and packages installed by
    others; links to folders are not followed, except for one given by itself.
    """
    given = tuple(os.fspath(path) for path in paths)
    roots = [os.path.abspath(path) for path in given]
    parts: dict[str, Part] = {}
    for root in roots:
        for part in _parts(root):
            parts.setdefault(part.name, part)
    prefixes = tuple(_as_prefix(root) for root in roots)
    exact = frozenset(roots)
    return Corpus(
        collection="files",
        places=given,
        parts=tuple(parts.values()),
        covers=lambda found: found in exact or found.startswith(prefixes),
    )


def read_file(path: str) -> Reading:
    """Read one file as a document whose id is its path.

    Threads: any; nothing is kept open.
    """
    try:
        data = _read_bytes(path)
    except OSError as error:
        return Skipped(
            path=_shown(path),
            reason=error.strerror or str(error),
            keep=not isinstance(error, FileNotFoundError),
        )
    if isinstance(data, Skipped):
        return data
    kind = SUFFIXES.get(os.path.splitext(path)[1].lower(), "text")
    try:
        text = _decode(data, kind)
    except (UnicodeError, SyntaxError, LookupError) as error:
        return Skipped(path=_shown(path), reason=_encoding_reason(error))
    if "\x00" in text:
        return Skipped(path=_shown(path), reason="binary, not text")
    if not text.strip():
        return Skipped(path=_shown(path), reason="empty")
    return [Document(id=_shown(path), text=text, metadata={"title": _title(path, text, kind), "kind": kind})]


def _parts(root: str) -> Iterator[Part]:
    if not os.path.isdir(root):
        yield _file_part(root)
        return
    failures: list[OSError] = []
    for folder, names, files in os.walk(root, onerror=failures.append):
        names[:] = sorted(name for name in names if _wanted_folder(folder, name))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield _file_part(os.path.join(folder, name))
        while failures:
            yield _failed_part(failures.pop())
    # Where the root itself cannot be listed, the loop above has not run once.
    yield from map(_failed_part, failures)


def _wanted_folder(parent: str, name: str) -> bool:
    if name.startswith(".") or name in _SKIPPED_FOLDERS or name.endswith(".egg-info"):
        return False
    return not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))


def _file_part(path: str) -> Part:
    return Part(name=_shown(path), read=lambda: read_file(path))


def _failed_part(error: OSError) -> Part:
    path = _shown(str(error.filename))
    skipped = Skipped(path=path, reason=error.strerror or str(error), keep=True)
    return Part(name=path, read=lambda: skipped)


def _read_bytes(path: str) -> bytes | Skipped:
    # Opened without waiting, so that a pipe cannot hold the program up, and examined once open, so
    # that what was examined is what is read.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Skipped(path=_shown(path), reason="not a regular file")
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        size = max(status.st_size, len(data)) / 2**20
        limit = MAX_FILE_BYTES // 2**20
        return Skipped(
            path=_shown(path), reason=f"too big: {size:.1f} MiB, at most {limit} MiB are read; split it"
        )
    return data


def _decode(data: bytes, kind: str) -> str:
    if data.startswith(_UTF16):
        return _universal(data.decode("utf-16"))
    if b"\x00" in data:
        return "\x00"
    encoding = "utf-8-sig"
    if kind == "python":
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    text = data.decode(encoding)
    text.encode()  # some of Python's codecs give lone surrogates, which no database takes
    return _universal(text)


def _universal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding_reason(error: UnicodeError | SyntaxError | LookupError) -> str:
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return f"not {error.encoding.upper()} text: byte 0x{byte:02x} at position {error.start}; convert it to UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return f"not text: half of a surrogate pair at position {error.start}"
    return f"in an unknown encoding: {error}"


def _title(path: str, text: str, kind: str) -> str:
    if kind == "markdown":
        for line in text.splitlines()[:50]:
            if line.startswith("# ") and line[2:].strip():
                return line[2:].strip()
    return _shown(Path(path).name)


def _shown(path: str) -> str:
    # A name that is not valid text has surrogates, which can neither be stored nor printed.
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _as_prefix(root: str) -> str:
    return _shown(root if root.endswith(os.sep) else root + os.sep)
