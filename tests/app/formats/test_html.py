from __future__ import annotations

from pathlib import Path

import pytest

from sideband.app.formats.extracted import FormatError
from sideband.app.formats.html import extract

SAMPLES = Path(__file__).parent.parent / "samples"


def text(html: str) -> str:
    return extract(html.encode()).text


def test_a_page_gives_its_headings_lists_tables_and_code() -> None:
    """What structure a page has is kept, as Markdown."""
    found = extract((SAMPLES / "harbour.html").read_bytes())

    assert found.title == "The harbour of Lindum"
    assert [(found.text[start : start + 3], place) for start, place in found.places] == [
        ("# T", "The harbour"),
        ("## ", "Tariffs"),
        ("## ", "Signals"),
    ]
    assert "- Sailing boats pay by length.\n- Ferries pay" in found.text
    assert "Vessel | Fee in crowns\nDinghy | 4\nTrawler | 35" in found.text
    assert '```\ndef lantern(depth):\n    return "green"' in found.text


def test_what_no_reader_of_the_page_reads_is_left_out() -> None:
    """Scripts, styles, navigation and hidden parts are no text, however they are nested."""
    page = """<title>T</title><nav>menu<nav>deep</nav>menu</nav><header>site</header><p>kept
        <script>alert(1)</script><style>p{}</style><template>later</template></p>
        <div hidden>hidden<script>x</script></div><h2>Part<a class="headerlink">¶</a></h2><footer>legal</footer>"""

    assert text(page) == "kept\n\n## Part"


def test_the_main_part_of_a_page_is_taken_alone() -> None:
    """Around it is what stands on every page."""
    assert text("<div>sidebar</div><main><h1>A</h1>text</main><div>more</div>") == "# A\n\ntext"


def test_the_only_first_heading_is_the_title() -> None:
    """The title for the browser's tab has the site's name in it; with several headings it is still the best."""
    assert extract(b"<title>A - Site</title><h1>A</h1>").title == "A"
    assert extract(b"<title>A - Site</title><h1>A</h1><h1>B</h1>").title == "A - Site"


def test_a_table_that_arranges_the_page_is_no_table() -> None:
    """Old pages stand in one cell; their headings and paragraphs are found."""
    assert text("<table><tr><td><h1>A</h1><p>b</p><p>c</p></td></tr></table>") == "# A\n\nb\n\nc"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("<p>naïve".encode(), "naïve"),
        ('<meta charset="windows-1252"><p>naïve €'.encode("cp1252"), "naïve €"),
        ("<meta http-equiv=x content='text/html; charset=ISO-8859-1'><p>na\x80".encode("latin-1"), "na€"),
        ("<p>naïve".encode("utf-16"), "naïve"),
        ('<?xml version="1.0" encoding="koi8-r"?><p>да'.encode("koi8-r"), "да"),
        ('<meta charset="utf-16"><p>naïve'.encode(), "naïve"),
    ],
)
def test_the_encoding_is_the_one_declared_as_browsers_understand_it(data: bytes, expected: str) -> None:
    """A byte order mark comes first, then the page's own words, then UTF-8."""
    assert expected in extract(data).text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<p>na\xefve", "not UTF-8 text: byte 0xef"),
        (b"<meta charset=no-such>x", "unknown encoding: 'no-such'"),
        (b"<meta charset=rot13>x", "unknown encoding: 'rot13'"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
    ],
)
def test_a_page_that_cannot_be_decoded_is_refused(data: bytes, reason: str) -> None:
    """Nothing is guessed: wrong letters would be found by nobody."""
    with pytest.raises(FormatError, match=reason):
        extract(data)


def test_control_characters_are_no_part_of_a_text() -> None:
    """Neither those that stand for structure here nor a terminal's commands come through."""
    found = text("<p>a&#1;b&#x1b;[31m\x03\x0f\x10c<h2>d&#7;</h2>")

    assert all(character.isprintable() or character == "\n" for character in found)
    assert "d" in found


def test_a_page_nested_deeply_is_read() -> None:
    """Depth costs no stack."""
    assert text("<div>" * 5_000 + "deep") == "deep"
