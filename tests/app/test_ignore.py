from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from sideband.app.corpus import Skipped
from sideband.app.files import file_corpus

git = pytest.mark.skipif(shutil.which("git") is None, reason="asks git itself")


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def names(folder: Path, *, gitignore: bool = True) -> list[str]:
    return [os.path.relpath(part.name, folder) for part in file_corpus([folder], gitignore=gitignore).parts]


RULES = {
    ".gitignore": "*.txt\n!keep.txt\nbuild/\n/top.md\ndocs/**/draft.md\n# no rule\n\n\\#odd.md\n",
    "sub/.gitignore": "!back.txt\nlocal.md\n!build/\n",
    "sub/deep/.gitignore": "*\n!*.md\n",
    "a.md": "",
    "a.txt": "",
    "keep.txt": "",
    "top.md": "",
    "#odd.md": "",
    "sub/top.md": "",
    "build/a.md": "",
    "docs/draft.md": "",
    "docs/x/y/draft.md": "",
    "docs/x/y/final.md": "",
    "sub/back.txt": "",
    "sub/local.md": "",
    "sub/other.txt": "",
    "sub/build/a.md": "",
    "sub/deep/a.md": "",
    "sub/deep/a.py": "",
    "local.md": "",
}


@git
def test_what_is_taken_is_what_git_would_take(tmp_path: Path) -> None:
    """Nested files, negation, folders, anchors and double stars mean what they mean to git."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    write(tmp_path, RULES)
    (tmp_path / ".git/info/exclude").write_text("excluded.md\n")
    write(tmp_path, {"excluded.md": "", "sub/excluded.md": ""})

    listing = subprocess.run(
        ["git", "-C", tmp_path, "ls-files", "-z", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    wanted = sorted(name for name in listing.split("\0") if name and not name.endswith(".gitignore"))

    assert sorted(names(tmp_path)) == wanted
    assert "excluded.md" not in wanted


def test_rules_hold_outside_of_a_repository_too(tmp_path: Path) -> None:
    """A folder that was copied out of its repository still says what is no document."""
    write(tmp_path, RULES)

    assert "a.md" in names(tmp_path)
    assert not {"a.txt", "build/a.md"} & set(names(tmp_path))
    assert {"a.txt", "build/a.md"} < set(names(tmp_path, gitignore=False))


def test_rules_above_a_folder_hold_in_it_up_to_the_repository(tmp_path: Path) -> None:
    """What is above the repository is somebody else's."""
    write(
        tmp_path,
        {
            ".gitignore": "*.md",
            "repo/.git/info/exclude": "",
            "repo/.gitignore": "*.txt",
            "repo/docs/a.md": "",
            "repo/docs/b.txt": "",
        },
    )

    assert names(tmp_path / "repo/docs") == ["a.md"]


def test_a_repository_in_a_folder_has_its_own_rules(tmp_path: Path) -> None:
    """A clone inside another project is not judged by that project."""
    write(tmp_path, {".gitignore": "*.md", "a.md": "", "clone/.git/HEAD": "", "clone/a.md": ""})

    assert names(tmp_path) == ["clone/a.md"]


def test_an_ignored_folder_or_file_that_is_named_is_read(tmp_path: Path) -> None:
    """What a person names is what is meant; the rules inside it hold."""
    write(
        tmp_path,
        {
            ".git/HEAD": "",
            ".gitignore": "out/\n*.txt",
            "out/a.md": "",
            "out/.gitignore": "b.md",
            "out/b.md": "",
        },
    )
    (tmp_path / "named.txt").write_text("")

    assert names(tmp_path / "out") == ["a.md"]
    assert len(file_corpus([tmp_path / "named.txt"]).parts) == 1


@pytest.mark.parametrize("rules", [b"!\n\\\na[z-a]\n[\n\xff\xfe\x00*\n*.txt\n", b"\xef\xbb\xbf*.txt\r\n"])
def test_rules_that_are_none_match_nothing_and_the_others_hold(tmp_path: Path, rules: bytes) -> None:
    """A broken line is passed over, as git does."""
    write(tmp_path, {"a.md": "", "a.txt": ""})
    (tmp_path / ".gitignore").write_bytes(rules)

    assert names(tmp_path) == ["a.md"]


@pytest.mark.timeout(10)
def test_a_pattern_that_could_take_for_ever_is_reported(tmp_path: Path) -> None:
    """Its lines before and after hold."""
    write(
        tmp_path,
        {".gitignore": "*.txt\n" + "*a" * 30 + "*b\n*.py\n", "a" * 100 + ".md": "", "a.txt": "", "a.py": ""},
    )

    taken, problem = (part.read() for part in file_corpus([tmp_path]).parts)

    assert isinstance(problem, Skipped)
    assert problem.path == str(tmp_path / ".gitignore")
    assert "wildcards" in problem.reason
    assert taken == Skipped(path=str(tmp_path / ("a" * 100 + ".md")), reason="empty")


@pytest.mark.timeout(10)
def test_rules_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    """A folder or a pipe in place of the file does no harm, and nothing is left out for it."""
    write(tmp_path, {"a.md": "x", "sub/b.md": "x"})
    (tmp_path / ".gitignore").mkdir()
    os.mkfifo(tmp_path / "sub/.gitignore")

    found = {os.path.relpath(part.name, tmp_path): part.read() for part in file_corpus([tmp_path]).parts}

    assert not isinstance(found["a.md"], Skipped)
    assert isinstance(found[".gitignore"], Skipped)
    assert isinstance(found["sub/.gitignore"], Skipped)
