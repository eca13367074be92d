"""Templates and files that pages are made of. May import the third-party packages of the extra `live`."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sideband.exporters.live._words import FILTERS

__all__ = ["STATIC", "TEMPLATES", "environment"]

STATIC: Final = Path(__file__).parent / "static"
"""`base.css`, `theme.js`, `icon.svg` and what the live view has besides."""
TEMPLATES: Final = Path(__file__).parent / "templates"
"""`base.html` and what the live view has besides."""

# Reads the system's list of types, which would otherwise happen while the first file is served, on the event loop.
mimetypes.init()


def environment(*folders: Path) -> Environment:
    """Return an environment with the templates of some folders, then those of the live view.

    Everything is escaped, a name that is not given is an error, and every template is read and compiled
    now, so that no file is read while a page is made.
    """
    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    for name in made.list_templates(extensions=["html"]):
        made.get_template(name)
    return made
