"""The rules of the house that no linter checks: lengths, printing, tests that say what they show and never sleep."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
ALL = [
    *SOURCES,
    *TESTS,
    *sorted((ROOT / "scripts").rglob("*.py")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50

# Where coroutines run on a loop in virtual time alone.
VIRTUAL = ("tests/generation/virtual/", "tests/testing/test_virtual_loop.py", "tests/testing/virtual/")
# Where the time that a model takes is what is measured.
MEASURED = ("tests/serving/served.py",)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    """Parse a file once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    """Give every function of a file, methods and inner ones too."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def lines_without_docstring(function: Function) -> int:
    """Return how many lines a function takes from its `def` on, its docstring left out."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    """Say where a node stands, as editors and terminals link it."""
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def test_files_are_short() -> None:
    """No file of the project has more than 400 lines."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL
    }

    assert {path: lines for path, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    """No function has more than 50 lines beside its docstring."""
    long = [
        f"{place(path, function)} {function.name}: {lines_without_docstring(function)} lines"
        for path in ALL
        for function in functions(path)
        if lines_without_docstring(function) > MAX_FUNCTION_LINES
    ]

    assert long == []


def test_only_the_application_prints() -> None:
    """A library does not write to its user's terminal."""
    prints = [
        place(path, node)
        for path in SOURCES
        if "app" not in path.relative_to(ROOT / "src" / "sideband").parts
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert prints == []


def test_every_test_says_what_it_shows() -> None:
    """Each test has a docstring: the fact that it establishes."""
    silent = [
        f"{place(path, function)} {function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert silent == []


def sleeps(function: Function) -> Iterator[ast.Call]:
    """Give the calls in a function that let real time pass: any sleep but `asyncio.sleep(0)`."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith(
            ("time.sleep", "asyncio.sleep")
        ):
            continue
        if [ast.unparse(argument) for argument in node.args] != ["0"]:
            yield node


def test_tests_do_not_sleep() -> None:
    """Time in tests is virtual, or an event or another process is waited for."""
    sleeping = [
        f"{place(path, call)} in {function.name}"
        for path in TESTS
        if not str(path.relative_to(ROOT)).startswith(VIRTUAL + MEASURED)
        for function in functions(path)
        for call in sleeps(function)
    ]

    assert sleeping == []


def requirements() -> list[Requirement]:
    """Return what the project's extras and its development groups ask for, the project itself left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    # LiteLLM's extra goes with no other, and has a lock and an environment of its own.
    together = [extra for name, extra in extras.items() if name != "litellm"]
    groups = [*together, *project["dependency-groups"].values()]
    texts = {text for group in groups for text in group if isinstance(text, str)}
    wanted = [Requirement(text) for text in sorted(texts) if not text.startswith("sideband[")]
    return [
        requirement for requirement in wanted if requirement.marker is None or requirement.marker.evaluate()
    ]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_locks_hold_what_the_project_asks_for(requirement: Requirement) -> None:
    """Every requirement is pinned, at a version that it admits, and that version is the one installed here."""
    lock = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, flags=re.MULTILINE))
    pinned = pins.get(requirement.name.lower())

    assert pinned is not None, f"{requirement} is not in requirements/dev.txt: run `make lock`"
    assert requirement.specifier.contains(pinned, prereleases=True)
    assert version(requirement.name)
