"""README.md and docs/ tell the truth: their Python runs, their `sideband` commands succeed, their links lead somewhere.

The blocks of one page run in order and share their names, as they would for a reader who types them in. A block of
language `python` may `await` at its top level. In a block of language `console`, each line that starts with
`$ sideband` is a command; all pages share one home folder, in page order, so that a page can search what README.md has
indexed. What commands print differs from machine to machine and is not compared.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Document, Example
from sybil.evaluators.python import pad
from sybil.parsers.markdown import CodeBlockParser

ROOT = Path(__file__).parent.parent.parent
PAGES = [*ROOT.glob("README.md"), *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

COMMAND_TIMEOUT = 600  # seconds


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with copies of the documents, which is also the home of the user who runs the commands."""
    folder = tmp_path_factory.mktemp("home")
    for page in PAGES:
        copy = folder / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, copy)
    return folder


def run_python(example: Example) -> None:
    """Run a block as a part of its page's program; a traceback names the page's own line."""
    source = pad(example.parsed, example.line + example.parsed.line_offset)
    code = compile(source, example.path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, example.namespace))
    else:
        exec(code, example.namespace)


def run_commands(example: Example) -> None:
    """Run the block's `sideband` commands with this Python, in the current folder."""
    for line in re.findall(r"^\$ sideband\b(.*)$", example.parsed, flags=re.MULTILINE):
        done = subprocess.run(
            [sys.executable, "-m", "sideband", *shlex.split(line, comments=True)],
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, (
            f"{example.path}:{example.line}: $ sideband{line}\n{done.stdout}{done.stderr}"
        )


@pytest.mark.timeout(2 * COMMAND_TIMEOUT)
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_runs_as_it_stands(page: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of the page runs, in order, without an error or a warning."""
    monkeypatch.chdir(home)
    for variable in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, os.fspath(home))
    parsers = [CodeBlockParser("python", run_python), CodeBlockParser("console", run_commands)]
    document = Document.parse(os.fspath(page), *parsers)
    document.namespace["__name__"] = "__main__"

    for example in document.examples():
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_links_to_what_is_there(page: Path) -> None:
    """Every link and picture of the page that stays within the project names a file of it."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", prose)
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]

    assert [link for link in inside if not (page.parent / link).exists()] == []
