from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import httpx

from sideband.app.errors import StoreBusyError
from sideband.app.lock import indexing
from sideband.app.store import Store
from sideband.app.web.jobs import JobState
from sideband.app.web.site import Site

from .conftest import SiteAt
from .test_pages import ended, uploaded


async def message(site: Site, client: httpx.AsyncClient, url: str) -> str:
    """Start a job that fails, and return why."""
    name = await uploaded(client, url, ("a.txt", b"apples"))
    assert await ended(site, name) is JobState.FAILED
    job = site.board.job(name)
    assert job is not None
    return job.message


def is_free(path: Path) -> bool:
    """Tell whether the command line could index into a store."""
    try:
        with indexing(path):
            return True
    except StoreBusyError:
        return False


async def test_a_store_of_another_model_is_told_and_left_alone(site_at: SiteAt, tmp_path: Path) -> None:
    """The page says so from the start, jobs fail with the reason, a search does too."""
    with await asyncio.to_thread(Store.create, tmp_path / "s.db", model="other@1", dimensions=3):
        pass
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        why = await message(site, client, url)
        page = (await client.get(url)).text
        found = await client.get(f"{url}/search", params={"q": "apples"})
        info = await site.bench.info()

    assert "it was indexed with other@1, not wordllama" in why
    assert site.board.model["state"] == "failed"
    assert "it was indexed with other@1" in page
    assert (found.status_code, "it was indexed with other@1" in found.text) == (500, True)
    assert info is not None
    assert info.model == "other@1"


async def test_the_store_is_held_while_a_job_is_at_work_and_no_longer(
    site_at: SiteAt, tmp_path: Path
) -> None:
    """While somebody else indexes into it a job fails with the reason; afterwards both take their turns."""
    path = tmp_path / "s.db"
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        elsewhere = ExitStack()
        await asyncio.to_thread(elsewhere.enter_context, indexing(path))
        why = await message(site, client, url)
        await asyncio.to_thread(elsewhere.close)
        name = await uploaded(client, url, ("a.txt", b"apples"))
        async with site.bench.writing():
            held = not await asyncio.to_thread(is_free, path)
        assert await ended(site, name) is JobState.DONE
        free = await asyncio.to_thread(is_free, path)

    assert "it is being indexed into by process" in why
    assert (held, free) == (True, True)


async def test_who_is_cancelled_while_the_store_is_opened_holds_nothing(
    site_at: SiteAt, tmp_path: Path
) -> None:
    """However early a job is cancelled, the store is closed after it."""

    async def write(site: Site) -> None:
        async with site.bench.writing():
            await asyncio.Event().wait()

    async with site_at() as (site, _):
        await site.bench.ready()
        for steps in range(12):
            task = asyncio.create_task(write(site))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        free = await asyncio.to_thread(is_free, tmp_path / "s.db")

    assert free
