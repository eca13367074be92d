"""Text between markers of a page. It knows the standard library alone."""

from __future__ import annotations

import re
from pathlib import Path

START, END = "<!-- {name} -->", "<!-- end of {name} -->"


def replace(page: Path, name: str, text: str) -> None:
    """Put a text between a page's markers of a name.

    Raises:
        ValueError: the page has no such markers.
    """
    before = page.read_text(encoding="utf-8")
    start, end = START.format(name=name), END.format(name=name)
    between = re.compile(rf"({start}\n).*?(\n{end})", re.DOTALL)
    after, found = between.subn(lambda match: match[1] + text.strip() + match[2], before)
    if found != 1:
        raise ValueError(f"{page} needs the markers {start} and {end} once, and has them {found} times")
    page.write_text(after, encoding="utf-8")
