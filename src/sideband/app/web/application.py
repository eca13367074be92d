"""The web page as an ASGI application. May import Starlette, the exporters and the web page's parts."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from sideband.app.web.job_pages import job_routes
from sideband.app.web.search_pages import search_routes
from sideband.app.web.site import Site
from sideband.exporters.live import Access
from sideband.exporters.live.access import ASGIApp
from sideband.exporters.live.pages import STATIC

__all__ = ["application"]


def application(site: Site, *, token: str | None = None) -> ASGIApp:
    """Return the application of a site; without a token for this machine alone."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with site.open():
            yield

    async def missing(request: Request, _: Exception) -> Response:
        return site.page("missing.html", "", status=404, path=request.url.path)

    mimetypes.init()  # reads files, and would do so on the event loop when the first one is served
    routes = [
        *job_routes(site),
        *search_routes(site),
        Mount("/live", site.live),
        Mount("/look", StaticFiles(directory=STATIC)),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    return Access(Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: missing}), token=token)
