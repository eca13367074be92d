"""A Mermaid flowchart as a picture: mermaidx's work, imported when it is needed. May import errors."""

from __future__ import annotations

import re
from typing import Any

from sideband.errors import MissingExtraError

__all__ = ["picture"]

_PLAIN = {"htmlLabels": False, "flowchart": {"htmlLabels": False}}
"""Labels as text of the picture: HTML inside of it is shown by browsers alone."""

_CODES = re.compile(r"&amp;#(\d+);")
"""What the flowchart's escapes become in such text."""

_SIZE = re.compile(r'viewBox="\S+ \S+ (\S+) \S+"')


def picture(flowchart: str, kind: str) -> str | bytes:
    """Return a flowchart as it is, as SVG text, or as PNG bytes.

    Raises:
        MissingExtraError: a picture is wanted, and mermaidx is not installed.
        ValueError: there is no such format.
    """
    if kind == "mermaid":
        return flowchart
    if kind not in {"svg", "png"}:
        raise ValueError(f"format must be 'mermaid', 'svg' or 'png', got {kind!r}")
    mermaidx = _mermaidx()
    svg: str = _CODES.sub(r"&#\1;", mermaidx.render(flowchart, config=_PLAIN).svg())
    if kind == "svg":
        return svg
    size = _SIZE.search(svg)
    width = 2 * float(size[1]) if size else None  # for screens that show two pixels for one
    png: bytes = mermaidx.svg_to_png(svg, width=width, background="#ffffff")
    return png


def _mermaidx() -> Any:
    try:
        import mermaidx  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise MissingExtraError("draw", "mermaidx") from error
    return mermaidx
