"""The live view: a program's runs in the browser. May import the history beside it, and the core.

Stands on the packages of the extra `live`: jinja2, sse-starlette, starlette; `access` on none of them.
"""

from sideband.errors import MissingExtraError
from sideband.exporters.live.access import Access

try:
    from sideband.exporters.live._application import LiveView, live_view
except ModuleNotFoundError as _error:
    _package = (_error.name or "").partition(".")[0]
    if _package not in ("jinja2", "sse_starlette", "starlette"):
        raise
    raise MissingExtraError("live", _package) from _error

__all__ = ["Access", "LiveView", "live_view"]
