"""A Mermaid flowchart as a picture: mermaidx's work, imported when it is needed. May import errors."""

from __future__ import annotations

from typing import Any

from sideband.errors import MissingExtraError

__all__ = ["picture"]


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
    drawn = _mermaidx().render(flowchart)
    made: str | bytes = drawn.svg() if kind == "svg" else drawn.png(scale=2, background="#ffffff")
    return made


def _mermaidx() -> Any:
    try:
        import mermaidx  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise MissingExtraError("draw", "mermaidx") from error
    return mermaidx
