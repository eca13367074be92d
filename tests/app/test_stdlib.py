from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sideband.app.corpus import Skipped
from sideband.app.stdlib import stdlib_corpus
from sideband.components import Document


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    """Return every document of the standard library, in order."""
    readings = [part.read() for part in stdlib_corpus().parts]
    return [document for reading in readings if not isinstance(reading, Skipped) for document in reading]


def test_the_standard_library_has_thousands_of_documents(documents: list[Document]) -> None:
    """Modules in Python, modules in C, builtins and language topics are all there under the names they have."""
    ids = {document.id for document in documents}

    assert len(ids) > 3_000
    assert ids >= {
        "json.loads", "json", "str.join", "print", "math.sqrt", "collections.deque", "os.listdir",
        "itertools.chain", "datetime.datetime.strptime", "pathlib.Path.glob", "re.sub", "topics/for",
        "concurrent.futures.Future.result",
    }  # fmt: skip


def test_the_order_is_the_same_each_time() -> None:
    """Reading twice gives the same documents in the same order."""
    first, second = ([part.read() for part in stdlib_corpus().parts[::6]] for _ in range(2))

    assert first == second


def test_tests_and_what_is_private_are_left_out(documents: list[Document]) -> None:
    """Nobody looks for these."""
    modules = {document.id.split(".", maxsplit=1)[0] for document in documents}

    assert not modules & {"test", "idlelib", "lib2to3", "encodings", "turtledemo"}
    assert not [
        document.id for document in documents if any(n.startswith("_") for n in document.id.split("."))
    ]


def test_every_text_can_be_stored(documents: list[Document]) -> None:
    """No document holds a lone surrogate, and none is blank."""
    assert all(document.text.encode() and document.text.strip() for document in documents)


def test_modules_in_python_are_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading `antigravity` does not open a browser."""
    monkeypatch.delitem(sys.modules, "antigravity", raising=False)
    for part in stdlib_corpus().parts:
        if part.name in {"antigravity", "this", "turtle"}:
            part.read()

    assert "antigravity" not in sys.modules


def test_a_module_that_cannot_be_parsed_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken file in the library's folder is named, and the others are read."""
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "null.py").write_bytes(b"a = '\0'")
    (tmp_path / "whole.py").write_text('"""A docstring that says something."""')
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))

    readings = {part.name: part.read() for part in stdlib_corpus().parts}

    assert isinstance(readings["broken"], Skipped)
    assert isinstance(readings["null"], Skipped)
    assert not isinstance(readings["whole"], Skipped)


def test_definitions_under_conditions_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Much of the library is defined behind `if` and `try`."""
    (tmp_path / "sample.py").write_text(
        "if 1:\n  class A:\n    'The class called A, documented.'\n    def f(self): 'The method called f, documented.'\n"
        "try: pass\nexcept ImportError:\n  async def g(): 'The function called g, documented.'\n"
    )
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))

    (part,) = [part for part in stdlib_corpus().parts if part.name == "sample"]
    reading = part.read()

    assert not isinstance(reading, Skipped)
    assert [document.id for document in reading] == ["sample.A", "sample.A.f", "sample.g"]
