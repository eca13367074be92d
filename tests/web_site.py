"""The web page of the application, served with a real model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.http_server import ASGI, serving_http

from sideband.app.database import rows
from sideband.app.store import Store
from sideband.app.web.application import application
from sideband.app.web.site import Settings, Site


@asynccontextmanager
async def serving_site(
    folder: Path, *, token: str | None = None, **settings: Any
) -> AsyncGenerator[tuple[Site, str]]:
    """Serve a new site, whose store is in a folder, for the block."""

    def made() -> tuple[Site, ASGI]:
        given: dict[str, Any] = {"store": folder / "s.db", "model": "wordllama", **settings}
        site = Site(Settings(**given))
        return site, application(site, token=token)

    # Beside the loop, as the command line makes it before there is one: templates are read.
    site, app = await asyncio.to_thread(made)
    async with serving_http(app, before_close=site.close) as url:
        yield site, url


def stored_chunks(site: Site, names: str) -> int:
    """Return how many chunks the store has of the documents whose names fit a pattern."""
    with Store.open(site.bench.path) as store:
        query = "SELECT count(*) FROM chunks JOIN sources ON sources.id = source_id WHERE source GLOB ?"
        ((count,),) = rows(store._connection, query, (names,))
        return int(count)
