"""HTML by Lexbor, a parser that follows the HTML standard as browsers do. May import encoding and extracted.

Marks are put around the elements that break the text, then the text of the whole page is taken at
once: a page has several times as many elements as breaks, and Python sees only the breaks.
"""

from __future__ import annotations

import re
from typing import Final, final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from sideband.app.formats.encoding import decoded
from sideband.app.formats.extracted import Extracted, Outline

__all__ = ["add_html", "extract"]

# Control characters: a page that holds them itself merely breaks its own text.
_BREAK: Final = "\x01"
_LINE: Final = "\x02"
_HEADING: Final = "\x03"
_CODE: Final = "\x04"
_ITEM: Final = "\x05"
_ROW: Final = "\x06"
_ROW_END: Final = "\x07"
_CELL: Final = "\x0e"
_HIDE: Final = "\x0f"
_SHOW: Final = "\x10"
_MARK = re.compile("([\x01-\x07\x0e-\x10])")

# fmt: off
_BLOCKS = [
    "address", "article", "aside", "blockquote", "caption", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "legend", "main", "ol",
    "p", "section", "summary", "table", "ul",
]
# fmt: on
_AROUND: Final[dict[str | None, tuple[str, str]]] = {
    **dict.fromkeys(_BLOCKS, (_BREAK, _BREAK)),
    **{f"h{level}": (f"{_HEADING}{level}", _BREAK) for level in range(1, 7)},
    "pre": (_CODE, _BREAK),
    "li": (_ITEM, ""),
    "br": ("", _LINE),
    "tr": (_ROW, _ROW_END),
    "td": (_CELL, ""),
    "th": (_CELL, ""),
}
_MARKED = ",".join(str(tag) for tag in _AROUND)
_LAYOUT = "table,pre,h1,h2,h3,h4,h5,h6"
"""What is in a table's row only where the table arranges the page."""
_DROPPED = (
    "script,style,noscript,template,nav,button,select,textarea,svg,iframe,canvas,audio,video,object,"
    "[role=navigation],[role=search],[role=contentinfo],[hidden],[aria-hidden=true],a.headerlink,"
    "body>header,body>footer"
)

_DECLARED = re.compile(
    rb"""<meta\s[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)
_PRESCANNED = 1024
# What browsers understand by these names, as the Encoding Standard has it.
_BROWSERS = {
    **dict.fromkeys(("ascii", "us-ascii", "iso-8859-1", "latin-1", "latin1"), "cp1252"),
    **dict.fromkeys(("utf-16", "utf-16le", "utf-16be"), "utf-8"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis"), "cp932"),
    "euc-kr": "cp949",
}


def extract(data: bytes) -> Extracted:
    """Read a page: its main part, without scripts, navigation and what is hidden.

    Raises:
        FormatError: it is no text in the encoding it declares.
    """
    outline = Outline()
    add_html(outline, decoded(data, _declared(data)))
    return outline.extracted()


def add_html(outline: Outline, source: str) -> None:
    """Add a page's text, and its title where the outline has none."""
    page = LexborHTMLParser(source)
    title = page.css_first("title")
    root = _root(page)
    if root is None:
        return
    headings = root.css("h1")
    for node in root.css(_MARKED):
        _mark(node)
    for node in root.css("img[alt]"):
        node.insert_after(f" {node.attributes.get('alt') or ''} ")
    for node in root.css(_DROPPED):
        node.insert_before(_HIDE)
        node.insert_after(_SHOW)
    if len(headings) != 1 and title is not None:
        outline.title = outline.title or title.text()
    _Writer(outline).write(root.text())


def _declared(data: bytes) -> str:
    found = _DECLARED.search(data[:_PRESCANNED])
    name = (found[1] or found[2]).decode("ascii", "replace").lower() if found else "utf-8"
    return _BROWSERS.get(name, name)


def _root(page: LexborHTMLParser) -> LexborNode | None:
    main = page.css("main,[role=main]")
    return main[0] if len(main) == 1 else page.body


def _mark(node: LexborNode) -> None:
    if node.tag == "tr" and node.css_first(_LAYOUT) is not None:
        return
    before, after = _AROUND[node.tag]
    if before:
        node.insert_before(before)
    if after:
        node.insert_after(after)


@final
class _Writer:
    """Turns marked text into blocks."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._pieces: list[str] = []
        self._kind = _BREAK
        self._level = 0
        self._hidden = 0
        self._row = False
        self._opened = False
        """Whether nothing was written yet of a list item or a row."""

    def write(self, text: str) -> None:
        mark = _BREAK
        for number, piece in enumerate(_MARK.split(text)):
            if number % 2:
                mark = piece
                self._see(mark)
            elif piece:
                self._text(piece, mark)
        self._flush()

    def _see(self, mark: str) -> None:
        if mark == _HIDE:
            self._hidden += 1
        elif mark == _SHOW:
            self._hidden = max(0, self._hidden - 1)
        elif self._hidden:
            return
        elif mark in (_HEADING, _CODE):
            self._flush()
            self._kind = mark
        elif mark == _BREAK:
            self._break()
        elif mark == _LINE:
            self._pieces.append(" " if self._row or self._kind == _HEADING else "\n")
        else:
            self._list_or_row(mark)

    def _break(self) -> None:
        if self._row:
            self._pieces.append(" ")
        elif not self._opened:
            self._flush()

    def _list_or_row(self, mark: str) -> None:
        if mark == _CELL:
            self._pieces.append("" if self._opened else " | " if self._row else "\n")
            self._opened = False
            return
        if self._kind != _BREAK:
            self._flush()
        self._row = mark == _ROW
        self._opened = mark != _ROW_END
        self._pieces.append("\n- " if mark == _ITEM else "\n")

    def _text(self, text: str, mark: str) -> None:
        if self._hidden:
            return
        if mark == _HEADING:
            self._level, text = int(text[0]), text[1:]
        if self._kind != _CODE:
            text = re.sub(r"\s+", " ", text)
        self._pieces.append(text)
        self._opened = self._opened and text == " "

    def _flush(self) -> None:
        text = "".join(self._pieces)
        if not text.strip():
            pass
        elif self._kind == _CODE:
            self._outline.code(text)
        elif self._kind == _HEADING:
            self._outline.heading(self._level, text)
        else:
            lines = (" ".join(line.split()) for line in text.split("\n"))
            self._outline.block("\n".join(line for line in lines if line))
        self._pieces.clear()
        self._kind = _BREAK
        self._opened = False
