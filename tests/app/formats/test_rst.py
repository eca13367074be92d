from __future__ import annotations

from pathlib import Path

import pytest
from docutils.parsers.rst import directives

from sideband.app.formats.rst import extract

SAMPLES = Path(__file__).parent.parent / "samples"


def text(source: str) -> str:
    return extract(source.encode()).text


def test_a_document_gives_its_sections_lists_tables_and_code() -> None:
    """Titles are headings by their depth."""
    found = extract((SAMPLES / "harbour.rst").read_bytes())

    assert found.title == "The harbour of Lindum"
    assert [place for _, place in found.places] == [
        "The harbour of Lindum",
        "The harbour",
        "Tariffs",
        "Signals",
    ]
    assert "\n\n### Tariffs\n\n" in found.text
    assert "Vessel | Fee in crowns\nDinghy | 4\nTrawler | 35" in found.text
    assert '```\ndef lantern(depth):\n    return "green"' in found.text


SPHINX = """
:mod:`pathlib` --- paths
========================

.. module:: pathlib
   :synopsis: Object-oriented paths.

.. index:: single: path; module

.. class:: Path(*segments)

   A path of the *file system*. See :func:`~os.path.join` and :ref:`the tutorial <tut>`.

   .. method:: Path.glob(pattern, *, sensitive=None)

      Yield what matches.

      .. versionadded:: 3.12
         The ``sensitive`` parameter.

      .. code-block:: pycon
         :emphasize-lines: 1

         >>> Path().glob("*.py")

.. note:: Mind the |gap|.

.. unheard-of:: with an argument
   :option: value

   And content.
"""


def test_what_sphinx_adds_keeps_its_text(capfd: pytest.CaptureFixture[str]) -> None:
    """Directives and roles that docutils does not know, or knows otherwise, lose no word and cause no warning."""
    found = text(SPHINX)

    for kept in (
        "# pathlib --- paths",
        "Object-oriented paths.",
        "Path(*segments)",
        "See os.path.join and the tutorial.",
        "Path.glob(pattern, *, sensitive=None)",
        "versionadded: 3.12",
        "The sensitive parameter.",
        '```\n>>> Path().glob("*.py")\n```',
        "Mind the gap.",
        "with an argument\n\nAnd content.",
    ):
        assert kept in found
    assert "single: path" not in found
    assert "emphasize" not in found
    assert capfd.readouterr() == ("", "")


def test_what_docutils_objects_to_stays_as_it_was_written() -> None:
    """Wrong markup is text, too."""
    found = text(
        "A\n=\n\n.. image::\n   :height: much\n\n.. list-table::\n\n   no list but words\n\n*open `open\n"
    )

    assert "no list but words" in found
    assert "*open `open" in found


def test_no_other_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document cannot have a secret indexed, nor a configuration read."""
    (tmp_path / "secret.txt").write_text("the secret")
    (tmp_path / "docutils.conf").write_text("[general]\nhalt_level: 1\n")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "secret.txt"
    found = text(
        f".. include:: {path}\n\n.. literalinclude:: {path}\n\n.. csv-table:: t\n   :file: {path}\n\n"
        f".. raw:: html\n   :file: {path}\n\nkept"
    )

    assert "the secret" not in found
    assert "kept" in found


def test_docutils_is_as_it_was_after_reading() -> None:
    """What is taken as text here is no affair of others that use docutils."""
    before = directives.directive
    text(SPHINX)

    assert directives.directive is before
