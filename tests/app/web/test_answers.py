"""Answers of the real model on this machine, over real connections."""

from __future__ import annotations

import asyncio
import html
import json
import re
from pathlib import Path

import httpx
import pytest

from sideband import Handler, Outcome, Run, add_global_handler
from sideband.app.web.answering import Model
from sideband.app.web.site import Site

from .conftest import SiteAt
from .test_pages import JSON, ended, uploaded

SSE = {"accept": "text/event-stream"}
TEXT = b"Apples are red.\n\nBananas are yellow."


async def search(site: Site, client: httpx.AsyncClient, url: str) -> str:
    """Index a text, search it, and return the search that an answer can be written from."""
    await ended(site, await uploaded(client, url, ("fruit.txt", TEXT)))
    page = (await client.get(f"{url}/search", params={"q": "What colour are apples?"})).text
    return str(re.findall(r'name="search" value="([^"]+)"', page)[0])


class Outcomes(Handler):
    """Keeps how the runs of answers ended."""

    def __init__(self) -> None:
        self.of: dict[str, Outcome | None] = {}
        self.changed = asyncio.Event()

    def on_end(self, run: Run, output: object) -> None:
        self.of[run.name] = run.outcome
        self.changed.set()

    def on_error(self, run: Run, error: BaseException) -> None:
        self.on_end(run, None)


async def test_an_answer_comes_piece_by_piece_with_and_without_a_script(site_at: SiteAt) -> None:
    """A script gets events, a browser without one the page itself, of which the answer is a part."""
    async with (
        site_at(answers=Model(max_tokens=12)) as (site, url),
        httpx.AsyncClient(timeout=60) as client,
    ):
        name = await search(site, client, url)
        events = (await client.post(f"{url}/answer", data={"search": name}, headers=SSE)).text
        page = (await client.post(f"{url}/answer", data={"search": name})).text

    kinds = re.findall(r"^event: (.*)$", events, flags=re.MULTILINE)
    pieces = [
        json.loads(data)["text"] for data in re.findall(r'^data: (\{"text".*)$', events, flags=re.MULTILINE)
    ]
    assert kinds == ["piece"] * len(pieces) + ["done"]
    assert len(pieces) > 1
    assert "".join(pieces).strip() in html.unescape(page)
    assert page.rstrip().endswith("</html>")
    assert "smollm2-135m-instruct" in page


async def test_an_answer_that_is_stopped_ends_at_the_model(site_at: SiteAt) -> None:
    """When its reader goes, its runs end as closed or cancelled, and there is room for another."""
    outcomes = Outcomes()
    with add_global_handler(outcomes):
        async with site_at() as (site, url), httpx.AsyncClient(timeout=60) as client:
            name = await search(site, client, url)
            request = {"url": f"{url}/answer", "data": {"search": name}, "headers": SSE}
            async with client.stream("POST", **request) as answer:  # type: ignore[arg-type]
                lines = answer.aiter_lines()
                assert await anext(lines) == "event: piece"
            while "answer" not in outcomes.of:
                outcomes.changed.clear()
                await outcomes.changed.wait()

    assert outcomes.of["answer"] in {Outcome.CLOSED, Outcome.CANCELLED}


async def test_what_prevents_an_answer_is_said_in_words(site_at: SiteAt, tmp_path: Path) -> None:
    """A model that is not there is named, to a script and without one; the page is whole."""
    missing = str(tmp_path / "missing.gguf")
    async with site_at(answers=Model(name=missing)) as (site, url), httpx.AsyncClient() as client:
        name = await search(site, client, url)
        events = (await client.post(f"{url}/answer", data={"search": name}, headers=SSE)).text
        page = (await client.post(f"{url}/answer", data={"search": name})).text

    assert "event: problem" in events
    assert "missing.gguf" in events
    assert 'class="note bad">' in page
    assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize("accept", [JSON, SSE])
async def test_a_script_is_told_that_results_are_too_old(site_at: SiteAt, accept: dict[str, str]) -> None:
    """Whatever it expects, it gets words that it can show."""
    async with site_at() as (_, url), httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/answer", data={"search": "x" * 20_000}, headers=accept)

    assert (answer.status_code, "search again" in answer.json()["error"]) == (410, True)
