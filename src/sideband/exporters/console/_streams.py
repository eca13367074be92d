"""The program's own standard output and error, led past what is drawn. May import the screen.

In place are those alone that end at a terminal, and only as long as something is shown; log handlers that write to
them are led there, too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast, final

from sideband.exporters.console._screen import Screen

__all__ = ["Outputs", "TextSource", "Through"]


@final
class TextSource:
    """A text file that ends at the terminal."""

    def __init__(self, file: TextIO, errors: str = "strict") -> None:
        """Write to a file; `errors` says what becomes of letters that its encoding lacks."""
        self._file = file
        self._errors = errors

    def raw(self, text: str) -> None:
        """Write at once."""
        if self._errors != "strict":
            encoding = self._file.encoding or "utf-8"
            text = text.encode(encoding, self._errors).decode(encoding)
        self._file.write(text)
        self._file.flush()


@final
class Through:
    """Stands in for a text file: what is written to it goes by way of a screen, all else to the file."""

    def __init__(self, file: TextIO, screen: Screen) -> None:
        self._file = file
        self._screen = screen
        self._source = TextSource(file)

    def write(self, text: str) -> int:
        """Write text."""
        self._screen.write(self._source, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __iter__(self) -> Iterator[str]:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@final
class Outputs:
    """Puts stand-ins in place of `sys.stdout` and `sys.stderr`, and takes them away again."""

    def __init__(self, screen: Screen) -> None:
        """Lead what is written by way of a screen."""
        self._screen = screen
        self._replaced: dict[str, tuple[TextIO, Through]] = {}

    def replace(self) -> None:
        """Put the stand-ins in place."""
        for name in ("stdout", "stderr"):
            file: TextIO | None = getattr(sys, name)
            if file is not None and _is_terminal(file):
                self._replaced[name] = file, Through(file, self._screen)
                setattr(sys, name, self._replaced[name][1])
        self._lead_logs({id(file): cast("TextIO", through) for file, through in self._replaced.values()})

    def restore(self) -> None:
        """Take them away, where they are still in place."""
        for name, (file, through) in self._replaced.items():
            if getattr(sys, name) is through:
                setattr(sys, name, file)
        self._lead_logs({id(through): file for file, through in self._replaced.values()})
        self._replaced.clear()

    @staticmethod
    def _lead_logs(files: dict[int, TextIO]) -> None:
        known = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
        for logger in known:
            for handler in getattr(logger, "handlers", ()):
                stream: Any = getattr(handler, "stream", None)
                if isinstance(handler, logging.StreamHandler) and id(stream) in files:
                    cast("Any", handler).stream = files[id(stream)]


def _is_terminal(file: TextIO) -> bool:
    try:
        return file.isatty()
    except (AttributeError, ValueError):
        return False
