from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sideband.app.cli import main
from sideband.app.store import Store


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return the command line, with a store of its own and the fast model's name at hand."""
    monkeypatch.setenv("SIDEBAND_STORE", str(tmp_path / "store.db"))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "my docs"
    found.mkdir()
    (found / "fruit.md").write_text("# Fruit\n\nThe banana is yellow and grows in bunches.")
    (found / "engine.txt").write_text("A combustion engine burns petrol to move pistons.")
    (found / "code.py").write_text('def parse_date(text):\n    """Parse a calendar date from a string."""\n')
    return found


def process(*arguments: str, store: Path, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "SIDEBAND_STORE": str(store), **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "sideband", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_a_folder_is_indexed_and_searched(run: Run, folder: Path) -> None:
    """The whole way: index, search as a list and as JSON, info."""
    indexed = run("index", folder, "--model", "wordllama")
    found = run("search", "which", "fruit", "is", "yellow?", "-k", "2")
    rows = json.loads(run("search", "parse a date", "-k", "1", "--json").out)
    info = json.loads(run("info", "--json").out)

    assert indexed.code == found.code == 0
    assert "3 new, 0 changed, 0 unchanged, 0 removed, 0 skipped" in indexed.out
    assert found.out.splitlines()[0].startswith("  1  0.")
    assert "Fruit" in found.out.splitlines()[0]
    assert rows["query"] == "parse a date"
    assert [(row["rank"], Path(row["source"]).name) for row in rows["results"]] == [(1, "code.py")]
    assert (info["sources"], info["chunks"]) == ({"files": 3}, 3)
    assert info["model"].startswith("wordllama")
    assert "3 (files)" in run("info").out


def test_all_formats_are_indexed_and_results_say_where_to_look(run: Run, tmp_path: Path) -> None:
    """A page for a PDF, a heading for what has headings; what cannot be read is named and counted by reason."""
    docs = tmp_path / "docs"
    shutil.copytree(Path(__file__).parent / "samples", docs)
    (docs / "empty.html").touch()
    (docs / "two\nlines.pdf").write_bytes(b"no pdf")
    (docs / ".gitignore").write_text("README.md\n")
    indexed = run("index", docs, "--model", "wordllama")
    rows = json.loads(run("search", "what does a dinghy pay", "-k", "20", "--json").out)["results"]
    places = {(Path(row["source"]).name, row["place"]) for row in rows if "inghy" in row["text"]}
    listed = run("search", "what does a dinghy pay", "-k", "20").out

    assert indexed.code == 0
    assert "5 new, 0 changed, 0 unchanged, 0 removed, 3 skipped" in indexed.out
    assert "skipped    1 damaged · 1 empty · 1 encrypted" in indexed.out
    assert f"skipped {docs / 'encrypted.pdf'}: encrypted" in indexed.err
    assert r"two\nlines.pdf': damaged" in indexed.err
    assert ("harbour.pdf", "page 2") in places
    assert ("harbour.docx", "The harbour of Lindum") in places
    assert "harbour.pdf, page 2" in " ".join(listed.split())


def test_a_second_run_embeds_nothing_and_uses_the_stores_model(run: Run, folder: Path) -> None:
    """Without --model, a store goes on with the model it was made with."""
    run("index", folder, "--model", "wordllama")

    again = run("index", folder)

    assert again.code == 0
    assert "0 new, 0 changed, 3 unchanged" in again.out


def test_another_model_is_refused_and_rebuild_starts_anew(run: Run, folder: Path) -> None:
    """The error says what to do, and doing it works."""
    run("index", folder, "--model", "wordllama")

    refused = run("index", folder, "--model", "minilm")
    rebuilt = run("index", folder, "--model", "minilm", "--rebuild")

    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "--rebuild" in refused.err
    assert rebuilt.code == 0
    assert json.loads(run("info", "--json").out)["dimensions"] == 384


def test_a_store_of_another_version_of_the_model_says_how_to_go_on(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    """A new release of a model is another model; the store stays as it is until it is made anew."""
    old = "wordllama-l2-supercat-256@0.0.1"
    Store.create(tmp_path / "store.db", model=old, dimensions=256).close()

    refused = run("index", folder)

    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert old in refused.err
    assert "--rebuild" in refused.err
    assert json.loads(run("info", "--json").out)["model"] == old


def test_bad_files_are_named_and_counted(run: Run, folder: Path) -> None:
    """The others are indexed, and the exit code says that it went well."""
    (folder / "binary.txt").write_bytes(b"\0")
    (folder / "[b]two\nlines.md").touch()

    result = run("index", folder, "--model", "wordllama", "--quiet")

    assert (result.code, result.out) == (0, "")
    assert len(result.err.splitlines()) == 2
    assert "binary.txt: binary, not text" in result.err
    assert r"[b]two\nlines.md': empty" in result.err


def test_files_that_are_all_bad_are_a_failure(run: Run, tmp_path: Path) -> None:
    """Nothing indexed is exit code 1."""
    (tmp_path / "empty.txt").touch()

    result = run("index", tmp_path / "empty.txt", "--model", "wordllama")

    assert result.code == 1
    assert "skipped" in result.err.splitlines()[0]
    assert result.err.splitlines()[-1].startswith("sideband: nothing to index in ")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["index"], "--stdlib"),
        (["index", "no/such/file"], "'no/such/file'"),
        (["index", "--model", "gpt", "."], "'gpt'"),
        (["index", "--batch-size", "0", "."], "not 0"),
        (["search"], "QUESTION"),
        (["search", "  "], "empty"),
        (["search", "x", "-k", "1001"], "1 to 1000, not 1001"),
        (["search", "x", "-k", "many"], "'-k'"),
        (["serach"], "'search'"),
        (["info", "--jsno"], "--json"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    run: Run, tmp_path: Path, arguments: list[str], part: str
) -> None:
    """The line names what was wrong, and nothing was made."""
    result = run(*arguments)

    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith("sideband: ")
    assert part in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["search", "x"], ["info"]])
def test_a_store_that_is_not_there_is_one_line_and_code_1(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    """The line says how to make one, and no file appears."""
    result = run(*command)

    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "sideband index" in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command", [["search", "x"], ["info"], ["index", "--stdlib"], ["index", "--stdlib", "--rebuild"]]
)
@pytest.mark.parametrize("content", ["some notes\n", "some notes\n" * 1_000])
def test_a_store_that_is_a_text_file_is_left_alone(
    run: Run, tmp_path: Path, command: list[str], content: str
) -> None:
    """Not even --rebuild throws away what is no store."""
    (tmp_path / "store.db").write_text(content)

    result = run(*command)

    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "not a store" in result.err
    assert (tmp_path / "store.db").read_text() == content


def test_nothing_in_a_document_reaches_the_terminal_as_a_command(run: Run, folder: Path) -> None:
    """Escape sequences and markup are shown as text or not at all."""
    (folder / "evil.md").write_text(
        "# [red]Zebra\x1b[31m\n\nzebra \x1b]0;title\x07 [bold]zebra[/bold]\r\x9b2J"
    )
    run("index", folder, "--model", "wordllama")

    result = run("search", "zebra", "-k", "1")

    assert "[red]Zebra" in result.out
    assert "[bold]zebra[/bold]" in result.out
    assert all(character.isprintable() or character == "\n" for character in result.out)


def test_json_is_one_document_whatever_is_in_it(run: Run, folder: Path) -> None:
    """Control characters and other scripts survive; nothing else is on standard output."""
    (folder / "wide.md").write_text("# 斑马\n\n斑马 zebra \x1b[31m")
    run("index", folder, "--model", "wordllama")

    (row,) = json.loads(run("search", "斑马 zebra", "-k", "1", "--json").out)["results"]

    assert row["title"] == "斑马"
    assert "\x1b[31m" in row["text"]


def test_a_search_in_an_empty_store_finds_nothing(run: Run, tmp_path: Path) -> None:
    """It says so, and does not fail."""
    Store.create(tmp_path / "store.db", model="wordllama", dimensions=256).close()

    assert run("search", "x").out == "nothing found: the store is empty\n"
    assert json.loads(run("search", "x", "--json").out)["results"] == []


def test_pictures_are_drawn_without_asking_a_server(run: Run, folder: Path, tmp_path: Path) -> None:
    """An SVG shows the command and what it said; it names no web font."""
    run("index", folder, "--model", "wordllama", "--svg", tmp_path / "new/index.svg")
    run("search", "banana", "--svg", tmp_path / "search.svg")

    drawn = [(tmp_path / name).read_text() for name in ("new/index.svg", "search.svg")]
    assert all(svg.startswith("<svg") and "@font-face" not in svg for svg in drawn)
    assert not re.search(r"https?://(?!www\.w3\.org|www\.textualize\.io)", "".join(drawn))
    assert "chunks" in drawn[0]
    assert "Fruit" in drawn[1]


def test_help_answers_without_loading_models_or_databases(run: Run) -> None:
    """Each command's help has an example; nothing heavy is imported for it."""
    for command in ("index", "search", "info"):
        assert f"sideband {command} " in run(command, "--help").out
    code = (
        "import sys; from sideband.app.cli import main; main(['index', '--help']); print(sorted(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert not [
        name for name in ("numpy", "onnxruntime", "apsw", "rich.progress", "tokenizers") if f"'{name}'" in out
    ]


def test_no_arguments_show_the_help(run: Run) -> None:
    """A person who types the name alone learns what there is."""
    result = run()

    assert result.code == 0
    assert all(command in result.out for command in ("index", "search", "info"))


def test_a_missing_extra_is_one_line_with_the_command_that_installs_it(tmp_path: Path) -> None:
    """The library alone does not have what the command line needs."""
    code = (
        "import sys; sys.modules['typer'] = None; from sideband.app.cli import main; sys.exit(main(['info']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "pip install 'sideband[app]'" in done.stderr


def test_a_terminal_without_unicode_is_served(tmp_path: Path, folder: Path) -> None:
    """What the encoding lacks is replaced, in progress, summary and results."""
    (folder / "wide.md").write_text("# 斑马\n\nzebra")
    for arguments in (
        ["index", str(folder), "--model", "wordllama"],
        ["search", "zebra"],
        ["search", "zebra", "--json"],
    ):
        done = process(*arguments, store=tmp_path / "s.db", env={"PYTHONIOENCODING": "ascii"})
        out, err = done.communicate(timeout=60)
        assert done.returncode == 0, err
        assert out.isascii()


def test_a_reader_that_goes_away_ends_the_program_quietly(tmp_path: Path, folder: Path) -> None:
    """`sideband search … | head -1` shows no traceback."""
    process("index", str(folder), "--model", "wordllama", store=tmp_path / "s.db").communicate(timeout=60)
    searching = process("search", "fruit", "--json", store=tmp_path / "s.db")
    assert searching.stdout is not None
    assert searching.stderr is not None
    searching.stdout.close()
    err = searching.stderr.read()
    searching.stderr.close()

    assert (searching.wait(timeout=60), err) == (1, "")
