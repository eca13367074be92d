"""A real browser for the pages: Debian's Chromium, driven by Playwright, with an automated check of accessibility.

Tests here are coroutines on one event loop for the whole session, since the browser is started once:
`pytestmark = pytest.mark.asyncio(loop_scope="session")` stands in each file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright
from tests.http_server import ASGI, serving_http

PHONE = (360, 740)
DESKTOP = (1280, 800)
SEEN_AS = [(size, scheme) for size in (PHONE, DESKTOP) for scheme in ("light", "dark")]
"""The sizes and colour schemes in which every page has to be accessible."""

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Return the browser's program: the one that SIDEBAND_CHROMIUM names, or one that is installed."""
    named = os.environ.get("SIDEBAND_CHROMIUM")
    return named or next((found for name in _NAMES if (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the browser's tests where there is no browser, saying how to have one."""
    if chromium() is None:
        reason = (
            "no Chromium: install it (on Debian `apt-get install chromium`), or name it in SIDEBAND_CHROMIUM"
        )
        for item in items:
            if "browser" in item.path.parent.parts:
                item.add_marker(pytest.mark.skip(reason=reason))


class NewPage(Protocol):
    """Opens pages, each in a browser profile of its own."""

    async def __call__(self, size: tuple[int, int] = DESKTOP, scheme: str = "light", **options: Any) -> Page:
        """Open an empty page of a size in CSS pixels, in a colour scheme; the rest is the context's options."""
        ...


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Start the browser, once."""
    async with async_playwright() as playwright:
        # As root it has no sandbox; and it is to talk to nobody but the page's own server.
        started = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(browser: Browser) -> AsyncIterator[NewPage]:
    """Return what opens pages; a script's error, or anything that a page's own policy forbids, fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    async def opened(size: tuple[int, int] = DESKTOP, scheme: Any = "light", **options: Any) -> Page:
        width, height = size
        context = await browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: wrong.append(_told(error)))
        page.on("console", lambda said: wrong.append(said.text) if _is_wrong(said.type, said.text) else None)
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert wrong == []


def _told(error: Error) -> str:
    return f"{error.name}: {error.message}\n{error.stack}"


def _is_wrong(kind: str, text: str) -> bool:
    # A connection that is lost, or refused, is what some tests are about, and the browser notes it.
    return kind == "error" and "Failed to load resource" not in text and "net::ERR" not in text


Served = Callable[..., Any]


@pytest.fixture
def served() -> Served:
    """Return what serves an application on a free port: `async with served(app) as url`."""

    @asynccontextmanager
    async def at(application: ASGI, **options: Any) -> AsyncGenerator[str]:
        async with serving_http(application, **options) as url:
            yield url

    return at


async def accessible(page: Page) -> None:
    """Check a page by axe's rules; a violation is told with the elements that it is in."""
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


async def fits(page: Page) -> None:
    """Check that a page is no wider than the window."""
    excess = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert excess <= 0, f"the page is {excess} pixels wider than the window"
