"""All that the pages stand on, made and closed together. May import the web page's parts and the exporters."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from sideband import add_global_handler
from sideband.app.screen import size
from sideband.app.store import StoreInfo
from sideband.app.web.answering import Answering, Model
from sideband.app.web.bench import Bench
from sideband.app.web.board import Board
from sideband.app.web.recent import Recent
from sideband.app.web.runner import Runner
from sideband.app.web.uploads import Limits
from sideband.errors import SidebandError
from sideband.exporters.history import History
from sideband.exporters.live import live_view
from sideband.exporters.live.pages import environment

__all__ = ["NAVIGATION", "Settings", "Site", "wants_json"]

NAVIGATION = (("Index", "/"), ("Search", "/search"), ("Live", "/live/"))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the page is started with."""

    store: Path
    model: str | None = None
    """The embedding model; None for the store's own, or the default."""
    answers: Model = field(default_factory=Model)
    folders: tuple[Path, ...] = ()
    """Files and folders of this machine that the page offers; it can name no others."""
    limits: Limits = field(default_factory=Limits)
    entries: int = 4_096
    """How many changes are kept for pages that lost their connection."""


@final
class Site:
    """The state behind the pages.

    Closing: `open` is a block; leaving it cancels what is going on, and lets go of everything.
    Threads: those of one event loop.
    """

    def __init__(self, settings: Settings) -> None:
        """Describe it; nothing is loaded or opened."""
        self.settings = settings
        self.board = Board(entries=settings.entries)
        self.bench = Bench(settings.store, settings.model, self.board.set_model)
        self.runner = Runner(self.board, self.bench, ended=self.tell_store)
        self.answering = Answering(settings.answers)
        self.recent = Recent()
        self.uploads = Path()
        self._history = History()
        self.live = live_view(self._history, nav=NAVIGATION)
        self._templates = environment(Path(__file__).parent / "templates")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Begin to load the model; in the end cancel jobs, and close and delete what was made."""
        self.uploads = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="sideband-"))
        self.bench.start()
        await self.tell_store()
        try:
            with add_global_handler(self._history):
                yield
        finally:
            self.close()
            await self.runner.aclose()
            await self.answering.aclose()
            await self.bench.aclose()
            await asyncio.to_thread(shutil.rmtree, self.uploads, ignore_errors=True)

    def close(self) -> None:
        """End what pages listen to, so that a server can wait for its connections; `open` does the rest."""
        self.board.close()
        self.live.close()

    async def tell_store(self) -> None:
        """Tell pages what the store holds now."""
        try:
            info = await self.bench.info()
        except SidebandError as error:
            self.board.set_store(str(error))
        else:
            self.board.set_store(_described(info))

    def page(
        self, name: str, here: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """Return a page."""
        # A path may have lone surrogates, which cannot be sent: those of this machine's folders may be any bytes.
        text = self.render(name, here, **values).encode("utf-8", "replace")
        return HTMLResponse(text, status_code=status, headers=headers)

    def render(self, name: str, here: str, **values: Any) -> str:
        """Return a page's text."""
        template = self._templates.get_template(name)
        return template.render(
            static="/look", nav=NAVIGATION, here=here, board=self.board, settings=self.settings, **values
        )


def wants_json(request: Request) -> bool:
    """Tell whether a script asks, which shows what it gets by itself."""
    return "application/json" in request.headers.get("accept", "")


def refused(request: Request, message: str, status: int) -> Response | None:
    """Return the answer to a script whose wish is not met; None where it is no script."""
    return JSONResponse({"error": message}, status_code=status) if wants_json(request) else None


def _described(info: StoreInfo | None) -> str:
    if info is None or not info.chunks:
        return "nothing is indexed yet"
    documents = sum(info.sources.values())
    return (
        f"{documents:,} document{'s' if documents > 1 else ''} · {info.chunks:,} chunks · {size(info.bytes)}"
    )
