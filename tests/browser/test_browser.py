"""The fixtures themselves: what they must catch they catch."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from tests.browser.conftest import NewPage, Served, accessible, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD = "<!doctype html><html lang=en><title>A page</title><main><h1>Hello</h1></main>"
BAD = "<!doctype html><title></title><img src=x><div style='width:2000px'>wide</div>"


def application() -> Starlette:
    return Starlette(
        routes=[
            Route("/good", lambda _: HTMLResponse(GOOD)),
            Route("/bad", lambda _: HTMLResponse(BAD)),
        ]
    )


async def test_a_page_that_is_well_made_passes(new_page: NewPage, served: Served) -> None:
    """A page with a language, a title and a heading has no violation, and fits a phone."""
    page = await new_page((360, 740))
    async with served(application()) as url:
        await page.goto(f"{url}/good")

        await accessible(page)
        await fits(page)


async def test_a_page_that_is_badly_made_fails(new_page: NewPage, served: Served) -> None:
    """A page without a title, with a picture that says nothing, and wider than the window, is found out."""
    page = await new_page((360, 740))
    async with served(application()) as url:
        await page.goto(f"{url}/bad")

        with pytest.raises(AssertionError, match="image-alt"):
            await accessible(page)
        with pytest.raises(AssertionError, match="wider than the window"):
            await fits(page)
