"""The live view: a program's runs in the browser. May import the history beside it, and the core.

Stands on the packages of the extra `live`: jinja2, sse-starlette, starlette; `access` on none of them.
"""

from sideband.exporters.live._application import LiveView, live_view
from sideband.exporters.live.access import Access

__all__ = ["Access", "LiveView", "live_view"]
