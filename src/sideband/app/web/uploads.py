"""Files that a browser sends, kept in a private folder until they are indexed. May import the app's files and corpus.

1. The body is parsed as it comes and written to disk; nothing of it is kept in memory.
2. A file lies under a number and a suffix of ours. The name that it was sent with is shown, and is no path.
3. A file that is too big, or of a kind that is not read, is skipped with a reason. Out of a folder, hidden ones and
   those of other kinds are passed over, as they are on disk. A request that is too big as a whole is refused.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from sideband.app.corpus import Corpus, Part, Reading, Skipped
from sideband.app.errors import AppError
from sideband.app.files import SUFFIXES, FileReader, left_out, size_limit, suffix
from sideband.app.screen import printable

__all__ = ["Limits", "Upload", "UploadRefusedError", "Uploaded"]

_MAX_NAME = 400
_UNKNOWN = (
    "of a kind that is not read; text, Markdown, reStructuredText, HTML, PDF, Word, notebooks and Python are"
)


class UploadRefusedError(AppError, ValueError):
    """A request with files that is not taken; `status` is the answer's."""

    def __init__(self, message: str, status: int) -> None:
        """Say why."""
        super().__init__(message)
        self.status = status


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may bring."""

    bytes: int = 1024**3
    files: int = 5_000


@final
@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that came: where it lies, or why it does not."""

    name: str
    """What it was called, to be shown."""
    path: str
    """Where it lies; empty if it is skipped."""
    reason: str = ""
    """Why it is skipped."""


@final
class Upload:
    """One request's files, as its body comes.

    Closing: `remove` deletes everything.
    Threads: one at a time; they wait for the disk.
    """

    def __init__(self, content_type: str, limits: Limits, folder: Path) -> None:
        """Read the kind of the body; files go into a folder of their own within `folder`.

        Raises:
            UploadRefusedError: it is no form with files.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise UploadRefusedError("the request is no form with files", 400)
        self._limits = limits
        self._within = folder
        self._folder: Path | None = None
        self._came = 0
        self._parts = 0
        self._names: dict[str, int] = {}
        self._field = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._name: str | None = None
        self._file: IO[bytes] | None = None
        self._size = self._limit = 0
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header,
            "on_headers_finished": self._headers,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise UploadRefusedError(f"the request cannot be read: {error}", 400) from error
        self.files: list[Uploaded] = []
        """What came so far."""

    def write(self, data: bytes) -> None:
        """Take a piece of the body.

        Raises:
            UploadRefusedError: it is not as a form has to be, or there is too much of it.
            OSError: the disk does not take it.
        """
        self._came += len(data)
        if self._came > self._limits.bytes:
            most = self._limits.bytes / 2**20
            raise UploadRefusedError(f"these are more than {most:,.0f} MiB; send them in several goes", 413)
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise UploadRefusedError(f"the request cannot be read: {error}", 400) from error

    def finish(self) -> None:
        """Take the end of the body.

        Raises:
            UploadRefusedError: it ended too early, or brought no file.
        """
        try:
            self._parser.finalize()
        except FormParserError as error:
            raise UploadRefusedError("the request broke off", 400) from error
        if self._file is not None or self._name is not None:
            raise UploadRefusedError("the request broke off", 400)
        if not self.files:
            raise UploadRefusedError("choose a file, or a folder with files of a kind that is read", 400)

    def remove(self) -> None:
        """Delete what came; harmless if done before."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def title(self) -> str:
        """What a person would call them."""
        first = self.files[0].name
        top = first.partition("/")[0]
        count = len(self.files)
        if "/" in first and all(file.name.partition("/")[0] == top for file in self.files):
            return f"{top} ({count:,} file{'s' if count > 1 else ''})"
        return first if count == 1 else f"{first} and {count - 1:,} more"

    def corpus(self) -> Corpus:
        """Return the files as a corpus: a file of the same name replaces what came under it before."""
        reader = FileReader()
        return Corpus(
            collection="uploads",
            places=(self.title,),
            parts=[Part(name=file.name, read=_read(file, reader)) for file in self.files],
            covers=lambda _: False,
            close=reader.close,
        )

    # -- what the parser calls -------------------------------------------------------------------

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._limits.files:
            raise UploadRefusedError(
                f"these are more than {self._limits.files:,} files; send them in several goes", 413
            )
        self._disposition = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        sent = options.get(b"filename", b"").decode("utf-8", "replace")
        name = printable(sent)[:_MAX_NAME].strip("/ ")
        if not name or _is_passed_over(name):  # a field that is no file, or one where none was chosen
            return
        self._name = name = self._unique(name)
        if suffix(name) not in SUFFIXES:
            self.files.append(Uploaded(name, "", _UNKNOWN))
            return
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(dir=self._within))
        path = self._folder / f"{len(self.files):06}{suffix(name)}"
        self._file = path.open("wb")
        self._size, self._limit = 0, size_limit(SUFFIXES[suffix(name)])
        self.files.append(Uploaded(name, str(path)))

    def _unique(self, name: str) -> str:
        found, number = name, self._names.get(name, 0)
        while found in self._names:
            number += 1
            stem, dot, end = name.rpartition(".")
            found = f"{stem} ({number}){dot}{end}" if stem else f"{name} ({number})"
        self._names[name] = max(number, 1)  # from there on, the next time
        self._names.setdefault(found, 1)
        return found

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            return
        self._size += end - start
        if self._size <= self._limit:
            self._file.write(data[start:end])
            return
        self._file.close()
        self._file = None
        big = self.files[-1]
        Path(big.path).unlink(missing_ok=True)
        self.files[-1] = Uploaded(
            big.name, "", f"too big: at most {self._limit / 2**20:g} MiB of such a file are read"
        )

    def _end(self) -> None:
        self._name = None
        if self._file is not None:
            self._file.close()
            self._file = None


def _is_passed_over(name: str) -> bool:
    parts = name.split("/")
    return len(parts) > 1 and (suffix(name) not in SUFFIXES or left_out(parts[1:]))


def _read(file: Uploaded, reader: FileReader) -> Callable[[], Reading]:
    def read() -> Reading:
        if file.reason:
            return Skipped(path=file.name, reason=file.reason)
        found = reader.read(file.path)
        if isinstance(found, Skipped):
            return dataclasses.replace(found, path=file.name)
        (document,) = found
        # A document without a title of its own is called by its file's name, which is not that on disk.
        own = Path(file.path).name
        title = document.metadata["title"]
        metadata = {**document.metadata, "title": file.name.rpartition("/")[2] if title == own else title}
        return [dataclasses.replace(document, id=file.name, metadata=metadata)]

    return read
