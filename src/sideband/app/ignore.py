"""Which files git ignores: `.gitignore` in every folder and `.git/info/exclude`. May import the disk.

1. The innermost file that has an opinion decides, and in it the last line that does.
2. A folder that is ignored is not entered, so nothing below it can be taken again.
3. A repository's rules end where another repository, or the file system, begins.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self, final

from pathspec import GitIgnoreSpec

from sideband.app.corpus import Skipped
from sideband.app.disk import failed, read_bytes, shown

__all__ = ["IgnoreRules"]

_MAX_BYTES = 2**20
_MAX_WILDCARDS = 4
"""Between two slashes: with each more, a name that almost fits takes a hundred times as long to find out about."""
_WILDCARDS = re.compile(r"\*+")


@final
@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules that hold in a folder."""

    _specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()
    """From the outermost on, each with the folder from which its patterns count."""
    problems: list[Skipped] = field(default_factory=list[Skipped])
    """Files of rules that could not be read or not wholly be understood, over all folders so far."""

    @classmethod
    def above(cls, root: str) -> Self:
        """Return the rules of the folders above one that is indexed, up to its repository's own.

        A folder that they leave out is indexed all the same, since it was named: they do not count then.
        """
        rules: Self = cls()
        for folder in _outer_folders(root):
            rules = rules.entering(folder)
        return cls(problems=rules.problems) if rules.ignores(root, folder=True) else rules

    def entering(self, folder: str) -> Self:
        """Return the rules that hold in a folder, where these hold in the one above."""
        repository = os.path.join(folder, ".git")
        specs = self._specs
        if os.path.lexists(repository):
            specs = tuple(self._read(folder, os.path.join(repository, "info", "exclude")))
        specs += tuple(self._read(folder, os.path.join(folder, ".gitignore")))
        return self if specs == self._specs else type(self)(specs, self.problems)

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Return whether a file, or a folder, is left out."""
        for base, spec in reversed(self._specs):
            name = path[len(base) :].lstrip(os.sep).replace(os.sep, "/")
            included = spec.check_file(f"{name}/" if folder else name).include
            if included is not None:
                return included
        return False

    def _read(self, folder: str, path: str) -> Iterator[tuple[str, GitIgnoreSpec]]:
        try:
            data = read_bytes(path, _MAX_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            data = failed(path, error)
        if isinstance(data, Skipped):
            self.problems.append(data)
            return
        lines = (
            data.removeprefix(b"\xef\xbb\xbf")
            .decode("utf-8", "surrogateescape")
            .replace("\r\n", "\n")
            .split("\n")
        )
        patterns = [line for line in lines if self._is_pattern(path, line)]
        if patterns:
            yield folder, GitIgnoreSpec.from_lines(patterns)

    def _is_pattern(self, path: str, line: str) -> bool:
        if any(_WILDCARDS.subn("", part)[1] > _MAX_WILDCARDS for part in line.split("/")):
            reason = f"a pattern with over {_MAX_WILDCARDS} wildcards is not honoured: {line[:60]!r}"
            self.problems.append(Skipped(path=shown(path), reason=reason))
            return False
        # What is no pattern matches nothing, as in git.
        try:
            return bool(GitIgnoreSpec.from_lines([line]))
        except (ValueError, re.error):
            return False


def _outer_folders(root: str) -> list[str]:
    """Return the folders from the repository that a folder is in down to the one above it."""
    folders: list[str] = []
    folder = root
    while not os.path.lexists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return []
        folders.append(folder := above)
    return folders[::-1]
