"""The page *Index* in a real browser: jobs are started, seen, cancelled; connections are lost; names are hostile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect
from tests.browser.conftest import NewPage
from tests.http_server import Relay
from tests.web_site import serving_site, stored_chunks

from sideband.app.web.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = "Apples are red and pears are green, says who has seen them.\n\n" * 60
WATCH_BARS = """
window.seen = [];
new MutationObserver((all) => all.forEach((one) => {
  if (one.target.localName === "progress") seen.push(one.target.value);
})).observe(document, { subtree: true, attributeFilter: ["value"] });
"""


def write(folder: Path, documents: int) -> Path:
    """Write some documents of many chunks."""
    folder.mkdir()
    for number in range(documents):
        (folder / f"{number}.md").write_text(f"# Fruit {number}\n\n{TEXT * 4}")
    return folder


def card(page: Page, title: str) -> Locator:
    """Return the job of a title."""
    return page.locator(".job", has=page.get_by_role("heading", name=title))


async def state(job: Locator, wanted: str) -> None:
    """Wait for a job's state."""
    await expect(job).to_have_attribute("data-state", wanted, timeout=30_000)


async def chunks(job: Locator) -> int:
    """Return the chunks that the page shows of a job."""
    shown = (await job.locator('[data-field="chunks"]').text_content() or "").replace(",", "")
    assert shown == await job.get_attribute("data-chunks")
    return int(shown)


async def upload(page: Page, name: str, text: str = TEXT) -> None:
    """Choose a file."""
    await page.set_input_files("#files", {"name": name, "mimeType": "text/plain", "buffer": text.encode()})


async def test_a_job_is_started_and_its_bar_moves_to_the_end(new_page: NewPage, tmp_path: Path) -> None:
    """By the keyboard alone; the bar grows in steps, the numbers end at what is in the store."""
    folder = await asyncio.to_thread(write, tmp_path / "fruit", 40)
    async with serving_site(tmp_path, folders=[folder]) as (site, url):
        page = await new_page()
        await page.add_init_script(WATCH_BARS)
        await page.goto(url)
        await page.get_by_role("button", name="fruit").focus()
        await page.keyboard.press("Enter")

        job = card(page, "fruit")
        await state(job, "done")
        seen = await page.evaluate("seen")
        stored = await asyncio.to_thread(stored_chunks, site, "*")
        assert await chunks(job) == stored > 1000
        assert len(set(seen)) > 3
        assert seen == sorted(seen)
        await expect(page.locator("#said")).to_contain_text("Done")
        await expect(page.locator("#store")).to_contain_text(f"40 documents · {stored:,} chunks")


async def test_a_job_is_cancelled(new_page: NewPage, tmp_path: Path) -> None:
    """It ends, says so, and can be started again."""
    async with serving_site(tmp_path) as (_, url):
        page = await new_page()
        await page.goto(url)
        start = page.get_by_role("button", name="standard library", exact=False).first
        await start.click()
        job = page.locator(".job").first
        await state(job, "running")
        await job.get_by_role("button", name="Cancel").click()

        await state(job, "cancelled")
        await expect(job.get_by_role("button", name="Cancel")).to_be_hidden()
        await start.click()
        await expect(page.locator(".job")).to_have_count(2)
        await page.locator(".job").first.get_by_role("button", name="Cancel").click()
        await state(page.locator(".job").first, "cancelled")


async def test_jobs_are_still_there_after_a_reload(new_page: NewPage, tmp_path: Path) -> None:
    """One that is done, and one that goes on and is then heard of as before."""
    folder = await asyncio.to_thread(write, tmp_path / "fruit", 60)
    async with serving_site(tmp_path, folders=[folder]) as (site, url):
        page = await new_page()
        await page.goto(url)
        await upload(page, "done.txt")
        await state(card(page, "done.txt"), "done")
        await page.get_by_role("button", name="fruit").click()
        await state(card(page, "fruit"), "running")

        await page.reload()

        await state(card(page, "fruit"), "done")
        await state(card(page, "done.txt"), "done")
        for name, sources in (("done.txt", "done.txt"), ("fruit", "*/fruit/*")):
            assert await chunks(card(page, name)) == await asyncio.to_thread(stored_chunks, site, sources)


async def test_counts_are_exact_over_connections_that_are_lost(new_page: NewPage, tmp_path: Path) -> None:
    """Eight jobs, while the connection is cut again and again: what the page adds up is what is in the store."""
    async with serving_site(tmp_path) as (site, url), Relay(url) as relay:
        page = await new_page()
        await page.goto(relay.url)
        cuts = asyncio.create_task(cut(relay, site))
        for number in range(8):
            # Beside the relay: what is lost is what the page hears.
            await page.request.post(
                f"{url}/jobs/upload",
                multipart={
                    "files": {
                        "name": f"{number}.txt",
                        "mimeType": "text/plain",
                        "buffer": (TEXT * (number + 20)).encode(),
                    }
                },
                headers={"accept": "application/json"},
            )
        for number in range(8):
            await state(card(page, f"{number}.txt"), "done")
        cuts.cancel()

        for number in range(8):
            stored = await asyncio.to_thread(stored_chunks, site, f"{number}.txt")
            assert await chunks(card(page, f"{number}.txt")) == stored > 0
        assert relay.accepted > 4


async def cut(relay: Relay, site: Site) -> None:
    """Cut connections after every seventh change, for as long as it is not cancelled."""
    async for _, entry in site.board.changes(None):
        if entry.number % 7 == 0:
            relay.drop()


async def test_a_page_that_lost_its_server_says_so_and_comes_back(new_page: NewPage, tmp_path: Path) -> None:
    """What happened meanwhile is on the page as soon as it is connected again."""
    async with serving_site(tmp_path) as (_, url), Relay(url) as relay:
        page, other = await new_page(), await new_page()
        await page.goto(relay.url)
        await expect(page.locator("#connection")).to_have_text("Connected")
        relay.refusing = True
        relay.drop()
        await expect(page.locator("#connection")).to_have_text("Reconnecting …")
        await page.locator(".offers button").first.click()
        await expect(page.locator("#problem")).to_contain_text("cannot be reached")
        await other.goto(url)
        await upload(other, "meanwhile.txt")
        await state(card(other, "meanwhile.txt"), "done")

        relay.refusing = False

        await expect(page.locator("#connection")).to_have_text("Connected")
        await state(card(page, "meanwhile.txt"), "done")


async def test_hostile_names_and_texts_are_text(new_page: NewPage, tmp_path: Path) -> None:
    """A name and a document full of HTML are shown as they are; nothing of them is executed."""
    hostile = "<img src=x onerror=window.harmed=1><svg onload=window.harmed=1>"
    async with serving_site(tmp_path) as (_, url):
        page = await new_page()
        await page.goto(url)
        await upload(page, f"{hostile}.txt", f"apples {hostile}<script>window.harmed=1</script> " * 20)
        await upload(page, "<img src=x onerror=window.harmed=1>.exe", "MZ")
        await expect(page.locator(".job:not([data-state=running], [data-state=waiting])")).to_have_count(2)

        await expect(page.locator(".job h3").last).to_have_text(f"{hostile}.txt")
        await page.locator(".job-problems summary").first.click()
        await expect(page.locator(".job-problems li").first).to_contain_text("<img src=x")
        for _ in range(2):
            assert await page.evaluate("window.harmed") is None
            assert await page.locator("main img, main script, main svg:not([aria-hidden])").count() == 0
            await page.goto(f"{url}/search?q=apples+{hostile}<script>window.harmed=1</script>")
        await expect(page.locator(".result-text").first).to_contain_text(
            "<img src=x onerror=window.harmed=1>"
        )


async def test_two_browsers_see_the_same(new_page: NewPage, tmp_path: Path) -> None:
    """What is started in one is seen in the other, and cancelled there."""
    async with serving_site(tmp_path) as (_, url):
        one, two = await new_page(), await new_page()
        for page in (one, two):
            await page.goto(url)
        await upload(one, "small.txt")
        await state(card(two, "small.txt"), "done")
        await two.locator(".offers button").first.click()
        await state(one.locator(".job").first, "running")
        await one.locator(".job").first.get_by_role("button", name="Cancel").click()

        for page in (one, two):
            await state(page.locator(".job").first, "cancelled")
        assert await chunks(one.locator(".job").first) == await chunks(two.locator(".job").first)


async def test_files_and_folders_are_dropped_and_chosen(new_page: NewPage, tmp_path: Path) -> None:
    """Of a folder what can be read is sent, and hidden files are not."""
    folder = await asyncio.to_thread(write, tmp_path / "fruit", 2)
    await asyncio.to_thread((folder / ".hidden.md").write_text, "hidden")
    await asyncio.to_thread((folder / "picture.png").write_bytes, b"png")
    async with serving_site(tmp_path) as (_, url):
        page = await new_page()
        await page.goto(url)
        dropped = await page.evaluate_handle(
            "() => { const all = new DataTransfer(); all.items.add(new File(['apples'], 'dropped.txt')); return all; }"
        )
        await page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
        await state(card(page, "dropped.txt"), "done")
        await page.set_input_files("#folder", folder)

        await state(card(page, "fruit (2 files)"), "done")


async def test_the_page_works_without_a_script(new_page: NewPage, tmp_path: Path) -> None:
    """Files are chosen in plain fields, and the page shows the job when it is loaded."""
    async with serving_site(tmp_path) as (site, url):
        page = await new_page(java_script_enabled=False)
        await page.goto(url)
        await page.get_by_label("Files", exact=True).set_input_files(
            {"name": "plain.txt", "mimeType": "text/plain", "buffer": b"apples"}
        )
        await page.get_by_role("button", name="Index them").click()
        await expect(card(page, "plain.txt")).to_be_visible()
        async for _ in site.board.changes(None):
            if site.board.jobs[0].state.final:
                break
        await page.reload()

        await expect(card(page, "plain.txt").locator(".tag")).to_have_text("Done")


async def test_the_runs_of_the_server_are_on_the_live_page(new_page: NewPage, tmp_path: Path) -> None:
    """What a job and a search do is seen there: the index, the batches, the search."""
    async with serving_site(tmp_path) as (_, url):
        page = await new_page()
        await page.goto(url)
        await upload(page, "fruit.txt")
        await state(card(page, "fruit.txt"), "done")
        await page.goto(f"{url}/search?q=apples")
        await page.get_by_role("link", name="Live").click()

        await expect(page.get_by_role("link", name="Live")).to_have_attribute("aria-current", "page")
        for name in ("index", "search", "embed"):
            await expect(page.locator("main").get_by_text(name, exact=True).first).to_be_visible()
