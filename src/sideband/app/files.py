"""Files in folders as a corpus. May import components and the corpus, the disk, the parser and the rules of git.

Everything that a file system can hold is expected: names that are no text, loops of links, pipes,
folders that may not be read, files that are binary, huge or in an unknown encoding.
"""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Iterable, Iterator
from typing import final

from sideband.app.corpus import Corpus, Part, Reading, Skipped
from sideband.app.disk import failed, read_bytes, shown
from sideband.app.formats.encoding import decoded
from sideband.app.formats.extracted import Extracted, FormatError
from sideband.app.ignore import IgnoreRules
from sideband.app.parser import Parser, ParserFailedError
from sideband.components import Document

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PICTURED_BYTES",
    "SUFFIXES",
    "FileReader",
    "file_corpus",
    "left_out",
    "size_limit",
    "suffix",
]

MAX_FILE_BYTES = 16 * 2**20
"""The largest file that is read; one that is larger is skipped."""
MAX_PICTURED_BYTES = 128 * 2**20
"""The same for PDF, Word documents and notebooks, most of which is pictures."""

SUFFIXES = {
    ".docx": "word",
    ".htm": "html",
    ".html": "html",
    ".ipynb": "notebook",
    ".markdown": "markdown",
    ".md": "markdown",
    ".pdf": "pdf",
    ".py": "python",
    ".pyi": "python",
    ".rst": "rst",
    ".text": "text",
    ".txt": "text",
    ".xhtml": "html",
}
"""The files that are taken from a folder, and their format. A file named by itself is always tried."""

_PARSED = {"html", "notebook", "pdf", "rst", "word"}
_PICTURED = {"notebook", "pdf", "word"}
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages", "venv"}
_MAX_TITLE = 300


def file_corpus(
    paths: Iterable[str | os.PathLike[str]], *, gitignore: bool = True, max_bytes: int | None = None
) -> Corpus:
    """Find the files under the given files and folders, in a stable order, each of them once.

    Hidden files and folders are left out, as are virtual environments, packages installed by others
    and, with `gitignore`, what git ignores; links to folders are not followed. All of it is read
    that is given by itself. `max_bytes` is a bound for each file in place of those of its format.
    """
    given = tuple(os.fspath(path) for path in paths)
    roots = [os.path.abspath(path) for path in given]
    reader = FileReader(max_bytes=max_bytes)
    parts: dict[str, Part] = {}
    for root in roots:
        for part in _parts(root, reader, gitignore=gitignore):
            parts.setdefault(part.name, part)
    prefixes = tuple(_as_prefix(root) for root in roots)
    exact = frozenset(map(shown, roots))
    return Corpus(
        collection="files",
        places=given,
        parts=tuple(parts.values()),
        covers=lambda found: found in exact or found.startswith(prefixes),
        close=reader.close,
    )


def suffix(path: str) -> str:
    """Return what `SUFFIXES` has a format for, or would have."""
    return os.path.splitext(path)[1].lower()


def size_limit(kind: str) -> int:
    """Return how many bytes a file of a format may have, where nobody says otherwise."""
    return MAX_PICTURED_BYTES if kind in _PICTURED else MAX_FILE_BYTES


def left_out(parts: Iterable[str]) -> bool:
    """Tell whether a file in a folder is passed over for the names on the way to it, of which its own is the last."""
    *folders, name = parts
    return name.startswith(".") or any(_unwanted(folder) for folder in folders)


@final
class FileReader:
    """Reads files of all formats, one at a time.

    Closing: `close` ends the process in which files are parsed; reading another starts a new one.
    Threads: any.
    """

    def __init__(self, *, max_bytes: int | None = None, parser: Parser | None = None) -> None:
        """Take a bound for the size of each file, and what parses those that need it."""
        self._max_bytes = max_bytes
        self._parser = parser or Parser()

    def read(self, path: str) -> Reading:
        """Read one file as a document whose id is its path; what cannot be read is skipped with a reason."""
        kind = SUFFIXES.get(suffix(path), "text")
        try:
            data = read_bytes(path, self._limit(kind))
        except OSError as error:
            return failed(path, error)
        if isinstance(data, Skipped):
            return data
        try:
            found = self._extracted(kind, data) if data else None
        except (FormatError, ParserFailedError) as error:
            return Skipped(path=shown(path), reason=str(error), keep=isinstance(error, ParserFailedError))
        if found is None or not found.text.strip():
            return Skipped(path=shown(path), reason="empty")
        return [_document(path, kind, found)]

    def close(self) -> None:
        """Let go of the process."""
        self._parser.close()

    def _limit(self, kind: str) -> int:
        return size_limit(kind) if self._max_bytes is None else self._max_bytes

    def _extracted(self, kind: str, data: bytes) -> Extracted:
        if kind in _PARSED:
            return self._parser.parse(kind, data)
        text = decoded(data, _declared(data, kind))
        return Extracted(title=_heading(text) if kind == "markdown" else "", text=text, places=[])


def _document(path: str, kind: str, found: Extracted) -> Document:
    # What has headings was written down as Markdown, whatever it was before.
    cut = "markdown" if kind in _PARSED and kind != "pdf" else kind
    metadata = {
        "title": found.title[:_MAX_TITLE] or shown(os.path.basename(path)),
        "kind": cut,
        "places": found.places,
    }
    return Document(id=shown(path), text=found.text, metadata=metadata)


def _parts(root: str, reader: FileReader, *, gitignore: bool) -> Iterator[Part]:
    if not os.path.isdir(root):
        yield _file_part(root, reader)
        return
    failures: list[OSError] = []
    above = IgnoreRules.above(root) if gitignore else None
    rules = {root: above}
    for folder, names, files in os.walk(root, onerror=failures.append):
        outer = rules.pop(folder)
        here = outer.entering(folder) if outer is not None else None
        names[:] = sorted(name for name in names if _wanted_folder(folder, name, here))
        rules.update((os.path.join(folder, name), here) for name in names)
        for name in sorted(files):
            if _wanted_file(folder, name, here):
                yield _file_part(os.path.join(folder, name), reader)
        while failures:
            yield _failed_part(failures.pop())
    # Where the root itself cannot be listed, the loop above has not run once.
    yield from map(_failed_part, failures)
    if above is not None:
        yield from map(_skipped_part, above.problems)


def _wanted_folder(parent: str, name: str, rules: IgnoreRules | None) -> bool:
    if _unwanted(name):
        return False
    path = os.path.join(parent, name)
    if rules is not None and rules.ignores(path, folder=True):
        return False
    return not os.path.exists(os.path.join(path, "pyvenv.cfg"))


def _unwanted(folder: str) -> bool:
    return folder.startswith(".") or folder in _SKIPPED_FOLDERS or folder.endswith(".egg-info")


def _wanted_file(parent: str, name: str, rules: IgnoreRules | None) -> bool:
    if name.startswith(".") or suffix(name) not in SUFFIXES:
        return False
    return rules is None or not rules.ignores(os.path.join(parent, name), folder=False)


def _file_part(path: str, reader: FileReader) -> Part:
    return Part(name=shown(path), read=lambda: reader.read(path))


def _failed_part(error: OSError) -> Part:
    skipped = failed(str(error.filename), error)
    return _skipped_part(Skipped(path=skipped.path, reason=skipped.reason, keep=True))


def _skipped_part(skipped: Skipped) -> Part:
    return Part(name=skipped.path, read=lambda: skipped)


def _declared(data: bytes, kind: str) -> str:
    if kind != "python":
        return "utf-8"
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError as error:
        raise FormatError(f"in an unknown encoding: {error}") from error


def _heading(text: str) -> str:
    for line in text.splitlines()[:50]:
        if line.startswith("# ") and line[2:].strip():
            return line[2:].strip()
    return ""


def _as_prefix(root: str) -> str:
    return shown(root if root.endswith(os.sep) else root + os.sep)
