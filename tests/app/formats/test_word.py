from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from sideband.app.formats import word
from sideband.app.formats.extracted import FormatError
from sideband.app.formats.word import extract

SAMPLES = Path(__file__).parent.parent / "samples"
HARBOUR = (SAMPLES / "harbour.docx").read_bytes()


def replaced(name: str, content: bytes) -> bytes:
    """Return the sample with one of its parts replaced, or added."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(HARBOUR)) as old,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, content)
    return packed.getvalue()


def test_a_document_gives_its_headings_lists_tables_code_and_notes() -> None:
    """What structure it has is kept, as Markdown."""
    found = extract(HARBOUR)

    assert found.title == "The harbour of Lindum"
    assert [place for _, place in found.places] == [
        "The harbour of Lindum",
        "The harbour",
        "Tariffs",
        "Signals",
    ]
    assert "- Sailing boats pay by length.\n- Ferries pay" in found.text
    assert "Dinghy | 4\nTrawler | 35" in found.text
    assert '```\ndef lantern(depth):\n    return "green"' in found.text
    assert "Measured at the lowest tide" in found.text


def test_a_document_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    """A kilobyte of zip cannot become a gigabyte of XML."""
    with pytest.raises(FormatError, match="too big: 65 MiB unpacked"):
        extract(replaced("word/footnotes.xml", b" " * (65 * 2**20)))


def test_a_document_of_too_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many parts have no use."""
    monkeypatch.setattr(word, "_MAX_PARTS", 3)

    with pytest.raises(FormatError, match="too big"):
        extract(HARBOUR)


@pytest.mark.timeout(20)
def test_entities_are_not_blown_up() -> None:
    """A billion laughs are cut short by the XML parser."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY l0 "ha">{entities}]><d>&l9;</d>'

    with pytest.raises(FormatError, match="damaged"):
        extract(replaced("word/document.xml", bomb.encode()))


def test_no_other_file_is_read(tmp_path: Path) -> None:
    """An entity or a link that names a file stays a name."""
    (tmp_path / "secret.txt").write_text("the secret")
    with zipfile.ZipFile(io.BytesIO(HARBOUR)) as archive:
        body = archive.read("word/document.xml").decode()
    doctype = f'<!DOCTYPE w:document [<!ENTITY secret SYSTEM "{(tmp_path / "secret.txt").as_uri()}">]>'
    head, mark, rest = body.partition("<w:document")
    attack = f"{head}{doctype}{mark}{rest}".replace("green", "&secret;", 1)

    assert "A lantern means" in extract(replaced("word/document.xml", attack.encode())).text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not a zip", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100, "encrypted, or of Word before 2007"),
        (HARBOUR[:5_000], "damaged"),
        (replaced("word/document.xml", b"<broken"), "damaged"),
    ],
)
def test_what_is_no_document_says_why(data: bytes, reason: str) -> None:
    """Another file with a document's name, or a damaged one."""
    with pytest.raises(FormatError, match=reason):
        extract(data)
