from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sideband.app import files
from sideband.app.corpus import Reading, Skipped
from sideband.app.files import FileReader, file_corpus
from sideband.app.parser import Parser
from sideband.components import Document

SAMPLES = Path(__file__).parent / "samples"

read_file = FileReader().read


def documents(reading: Reading) -> list[Document]:
    assert not isinstance(reading, Skipped), reading
    return list(reading)


def skipped(reading: Reading) -> Skipped:
    assert isinstance(reading, Skipped), reading
    return reading


def names(*paths: Path) -> list[str]:
    corpus = file_corpus(paths)
    return [os.path.relpath(part.name, paths[0]) for part in corpus.parts]


def test_a_folder_gives_its_files_in_order(tmp_path: Path) -> None:
    """Files are found at any depth, sorted, and other kinds are left out."""
    for name in ("b.md", "a.txt", "sub/c.py", "sub/deep/d.RST", "picture.png", "data.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    assert names(tmp_path) == ["a.txt", "b.md", "sub/c.py", "sub/deep/d.RST"]


def test_hidden_and_installed_files_are_left_out(tmp_path: Path) -> None:
    """Version control, caches, virtual environments and packages are not a person's documents."""
    for name in (
        ".git/a.md",
        ".hidden.md",
        "node_modules/a.md",
        "env/a.md",
        "env/pyvenv.cfg",
        "__pycache__/a.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    assert names(tmp_path) == []


def test_a_hidden_folder_given_by_itself_is_read(tmp_path: Path) -> None:
    """What a person names is what is meant."""
    (tmp_path / ".notes").mkdir()
    (tmp_path / ".notes/a.md").write_text("x")

    assert names(tmp_path / ".notes") == ["a.md"]


def test_a_loop_of_links_is_not_followed(tmp_path: Path) -> None:
    """A link to a folder above does not make the walk endless."""
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)

    assert names(tmp_path) == ["a.md"]


def test_a_file_named_twice_is_one_part(tmp_path: Path) -> None:
    """A file that is given and stands in a folder that is given is read once."""
    (tmp_path / "a.md").write_text("x")

    assert len(file_corpus([tmp_path, tmp_path / "a.md", tmp_path / "." / "a.md"]).parts) == 1


def test_a_file_given_by_itself_is_tried_whatever_its_suffix(tmp_path: Path) -> None:
    """Naming a file says that it is text."""
    (tmp_path / "LICENSE").write_text("Permission is granted")

    (part,) = file_corpus([tmp_path / "LICENSE"]).parts

    assert documents(part.read())[0].text == "Permission is granted"


def test_a_corpus_covers_what_is_in_its_folders_and_nothing_else(tmp_path: Path) -> None:
    """A folder's name being the beginning of another's does not make it cover the other."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "a.md").write_text("x")
    corpus = file_corpus([tmp_path / "docs", tmp_path / "a.md"])

    assert corpus.covers(str(tmp_path / "docs/gone.md"))
    assert corpus.covers(str(tmp_path / "a.md"))
    assert not corpus.covers(str(tmp_path / "docs2/other.md"))


def test_markdown_is_titled_by_its_first_heading(tmp_path: Path) -> None:
    """Other files are titled by their name."""
    (tmp_path / "a.md").write_text("intro\n# The title \ntext")
    (tmp_path / "b.txt").write_text("# no heading")

    assert documents(read_file(str(tmp_path / "a.md")))[0].metadata["title"] == "The title"
    assert documents(read_file(str(tmp_path / "b.txt")))[0].metadata["title"] == "b.txt"


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("bom.txt", b"\xef\xbb\xbfhello", "hello"),
        ("wide.txt", "hé".encode("utf-16"), "hé"),
        ("lines.txt", b"a\r\nb\rc", "a\nb\nc"),
        ("latin.py", b"# -*- coding: latin-1 -*-\n# caf\xe9", "# -*- coding: latin-1 -*-\n# café"),
    ],
)
def test_the_usual_encodings_are_read(tmp_path: Path, name: str, data: bytes, text: str) -> None:
    """Byte order marks, line ends of all systems, and a Python file's own declaration."""
    (tmp_path / name).write_bytes(data)

    assert documents(read_file(str(tmp_path / name)))[0].text == text


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("binary.txt", b"ab\x00cd", "binary"),
        ("latin.txt", b"caf\xe9 au lait", "byte 0xe9 at position 3"),
        ("empty.md", b"", "empty"),
        ("blank.md", b" \n\t\n", "empty"),
        ("cookie.py", b"# coding: no-such-thing\n", "unknown encoding"),
        ("codec.py", b"# coding: rot13\nabc", "unknown encoding"),
        ("lone.py", b"# coding: unicode_escape\n\\ud800", "surrogate"),
        ("wide.txt", b"\xff\xfea", "not UTF-16"),
    ],
)
def test_a_file_that_is_no_text_is_skipped_with_a_reason(
    tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    """A bad file is an answer, not an exception, and what was stored of it does not stand."""
    (tmp_path / name).write_bytes(data)

    found = skipped(read_file(str(tmp_path / name)))

    assert reason in found.reason
    assert found.path == str(tmp_path / name)
    assert not found.keep


def test_a_file_over_the_bound_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the bound is read of any file."""
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    (tmp_path / "big.txt").write_text("x" * 11)
    (tmp_path / "fits.txt").write_text("x" * 10)

    assert "too big" in skipped(read_file(str(tmp_path / "big.txt"))).reason
    assert documents(read_file(str(tmp_path / "fits.txt")))


def test_a_link_to_nothing_is_skipped_and_does_not_stand(tmp_path: Path) -> None:
    """A file that is gone is not kept from an earlier run."""
    (tmp_path / "link.md").symlink_to(tmp_path / "nowhere.md")

    assert not skipped(read_file(str(tmp_path / "link.md"))).keep


def test_a_link_to_itself_is_skipped(tmp_path: Path) -> None:
    """The system's own words say why."""
    (tmp_path / "self.md").symlink_to(tmp_path / "self.md")

    assert "symbolic links" in skipped(read_file(str(tmp_path / "self.md"))).reason


@pytest.mark.timeout(10)
def test_a_pipe_does_not_hold_the_program_up(tmp_path: Path) -> None:
    """Only regular files are read."""
    os.mkfifo(tmp_path / "pipe.txt")

    assert skipped(read_file(str(tmp_path / "pipe.txt"))).reason == "not a regular file"


def test_a_name_that_is_no_text_is_shown_and_stored_escaped(tmp_path: Path) -> None:
    """A name in another encoding can be printed and kept."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.md"
    with open(path, "wb") as file:
        file.write(b"# Title")

    (part,) = file_corpus([tmp_path]).parts
    (document,) = documents(part.read())

    assert document.id.endswith("caf\\xe9.md")
    document.id.encode()


def test_a_name_with_a_line_break_or_markup_is_read(tmp_path: Path) -> None:
    """Names are data."""
    for name in ("two\nlines.md", "[red]markup.md"):
        (tmp_path / name).write_text("text")

    assert sorted(documents(part.read())[0].metadata["title"] for part in file_corpus([tmp_path]).parts) == [
        "[red]markup.md",
        "two\nlines.md",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_skipped_and_stands(tmp_path: Path) -> None:
    """A file or folder without permission is named, and what an earlier run stored of it is kept."""
    (tmp_path / "closed").mkdir(mode=0o000)
    (tmp_path / "secret.md").write_text("x")
    (tmp_path / "secret.md").chmod(0o000)
    try:
        found = [skipped(part.read()) for part in file_corpus([tmp_path]).parts]
    finally:
        (tmp_path / "closed").chmod(0o700)

    assert {Path(each.path).name for each in found} == {"closed", "secret.md"}
    assert all("ermission" in each.reason and each.keep for each in found)


def test_a_file_of_each_format_is_a_document_with_title_and_places(tmp_path: Path) -> None:
    """What is found in a file can be cited by its heading or page."""
    for suffix in ("docx", "html", "pdf", "rst"):
        shutil.copy(SAMPLES / f"harbour.{suffix}", tmp_path / f"Harbour.{suffix.upper()}")
    corpus = file_corpus([tmp_path])
    found = [documents(part.read())[0] for part in corpus.parts]
    corpus.close()

    assert [document.metadata["title"] for document in found] == [
        "The harbour of Lindum",
        "The harbour of Lindum",
        "Harbour.PDF",
        "The harbour of Lindum",
    ]
    assert all("nine metres" in document.text for document in found)
    assert [document.metadata["places"][-1][1] for document in found] == [
        "Signals",
        "Signals",
        "page 3",
        "Signals",
    ]
    assert [document.metadata["kind"] for document in found] == ["markdown", "markdown", "pdf", "markdown"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("picture.html", b"\x89PNG\r\n\x1a\n\x00", "binary"),
        ("latin.html", b"<p>caf\xe9", "byte 0xe9 at position 6"),
        ("empty.html", b"", "empty"),
        ("blank.html", b"<script>nothing to read</script>", "empty"),
        ("latin.rst", b"caf\xe9", "byte 0xe9 at position 3"),
        ("empty.pdf", b"", "empty"),
        ("text.pdf", b"no pdf", "damaged"),
        ("text.docx", b"no zip", "damaged"),
        ("text.ipynb", b"no json", "no notebook"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_skipped_with_a_reason(
    tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    """A bad file of any format is named, and nothing else comes of it."""
    (tmp_path / name).write_bytes(data)
    reader = FileReader()
    found = skipped(reader.read(str(tmp_path / name)))
    reader.close()

    assert reason in found.reason
    assert found.category in {"binary, not text", "empty", "damaged", "not UTF-8 text"}
    assert not found.keep


def test_a_file_that_was_not_parsed_in_time_keeps_what_is_stored_of_it(tmp_path: Path) -> None:
    """A busy machine must not cost a document."""
    (tmp_path / "slow.html").write_bytes(b"<div>" * 1_000_000)
    reader = FileReader(parser=Parser(seconds=0.5))
    found = skipped(reader.read(str(tmp_path / "slow.html")))
    reader.close()

    assert found.keep
    assert found.reason == "parsing takes over 0.5 s"


def test_files_with_pictures_may_be_larger_unless_a_bound_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bound given by a person holds for all formats."""
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1_000)
    shutil.copy(SAMPLES / "harbour.pdf", tmp_path / "a.pdf")
    corpus, bounded = file_corpus([tmp_path]), file_corpus([tmp_path], max_bytes=1_000)

    assert documents(corpus.parts[0].read())
    assert "--max-file-size" in skipped(bounded.parts[0].read()).reason
    corpus.close()
