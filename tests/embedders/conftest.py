"""The models, loaded once, and texts that people wrote: docstrings of the standard library."""

from __future__ import annotations

import ast
import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from sideband.embedders import Embedder, load


def docstrings() -> Iterator[str]:
    """Give the docstrings of the standard library's top modules."""
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
                text := ast.get_docstring(node)
            ):
                yield text


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Return 200 real texts: mostly short ones, some beyond the models' limit, some of other scripts, an empty one."""
    found = sorted(set(docstrings()))
    by_length = sorted(found, key=len)
    odd = [
        "",
        "x",
        "Ünïcödé façade",
        "Эмбеддинги предложений",
        "日本語のテキスト",
        "🎉🎉 released!",
        "[SEP] [MASK]",
        "\x00",
        "\n\t ",
    ]
    short = [text for text in found if len(text) < 500]
    chosen = [*odd, *by_length[-4:], *random.Random(7).sample(short, 200 - len(odd) - 4)]
    random.Random(8).shuffle(chosen)
    return chosen


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    """Load the default embedder."""
    return load("minilm")


@pytest.fixture(scope="session")
def wordllama() -> Embedder:
    """Load the fast embedder."""
    return load("wordllama")


@pytest.fixture(params=["minilm", "wordllama"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Return each embedder in turn."""
    found: Embedder = request.getfixturevalue(request.param)
    return found
