"""The page *Search* in a real browser, and the accessibility of all pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page, expect
from tests.browser.conftest import PHONE, SEEN_AS, NewPage, accessible, fits
from tests.web_site import serving_site

from sideband.app.web.answering import Model

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = "Apples are red. " * 40 + "\n\nBananas are yellow, and long words like " + "x" * 90 + " are cut."


async def indexed(page: Page, url: str) -> None:
    """Index a text, and a file that is not read."""
    await page.goto(url)
    files = [("fruit.txt", TEXT), ("tool.exe", "MZ")]
    payloads: list[FilePayload] = [
        {"name": name, "mimeType": "text/plain", "buffer": text.encode()} for name, text in files
    ]
    await page.set_input_files("#files", payloads)
    await expect(page.locator(".job[data-state=done]")).to_have_count(1, timeout=30_000)


async def test_an_answer_is_written_into_the_page_and_can_be_stopped(
    new_page: NewPage, tmp_path: Path
) -> None:
    """Its pieces come one by one; the button ends it; what was written stays."""
    async with serving_site(tmp_path, answers=Model(max_tokens=400)) as (_, url):
        page = await new_page()
        await indexed(page, url)
        await page.get_by_role("link", name="Search").click()
        await page.get_by_label("Your question").fill("What colour are apples?")
        await page.get_by_role("button", name="Answer").click()
        answer = page.locator("#answer")
        await expect(answer).not_to_be_empty(timeout=60_000)
        await page.get_by_role("button", name="Stop").click(timeout=5_000)

        await expect(page.locator("#answer-state")).to_have_text("Stopped.")
        await expect(page.get_by_role("button", name="Write it again")).to_be_focused()
        await expect(answer).not_to_be_empty()


async def test_results_show_words_score_and_place(new_page: NewPage, tmp_path: Path) -> None:
    """The question's words are marked, and the link of a passage leads to it."""
    async with serving_site(tmp_path) as (_, url):
        page = await new_page()
        await indexed(page, url)
        await page.goto(f"{url}/search?q=yellow+bananas")

        first = page.locator(".result").first
        await expect(first.locator("mark").first).to_have_text("Bananas")
        await expect(first.locator(".result-score")).to_contain_text("0.")
        await expect(first.locator(".result-place")).to_contain_text("line 3")
        await page.get_by_label("result 1", exact=True).click()
        await expect(page).to_have_url(f"{url}/search?q=yellow+bananas#result-1")


async def test_what_is_wrong_with_an_answer_is_said(new_page: NewPage, tmp_path: Path) -> None:
    """The words of the error are on the page, and it can be tried again."""
    async with serving_site(tmp_path, answers=Model(name="missing.gguf")) as (_, url):
        page = await new_page()
        await indexed(page, url)
        await page.goto(f"{url}/search?q=bananas")
        await page.get_by_role("button", name="Write an answer").click()

        await expect(page.locator("#answer-state")).to_contain_text("missing.gguf")
        await expect(page.get_by_role("button", name="Write it again")).to_be_visible()


async def test_every_page_is_accessible_in_every_size_and_colour(new_page: NewPage, tmp_path: Path) -> None:
    """No violation of axe's rules, and nothing wider than the window: empty pages, with jobs, with results."""
    async with serving_site(tmp_path) as (_, url):
        for size, scheme in SEEN_AS:
            page = await new_page(size, scheme)
            rare = ("/nowhere", "/search?q=" + "why+" * 300) if size == PHONE and scheme == "dark" else ()
            for path in ("/", "/search", *rare):
                await page.goto(url + path)
                await accessible(page)
                await fits(page)
        await indexed(await new_page(), url)
        for size, scheme in SEEN_AS:
            page = await new_page(size, scheme)
            await page.goto(url)
            await page.locator(".job-problems summary").first.click()
            await accessible(page)
            await fits(page)
            await page.goto(f"{url}/search?q=yellow+bananas")
            await page.locator(".result summary").first.click()
            await accessible(page)
            await fits(page)


@pytest.mark.parametrize(("size", "scheme"), SEEN_AS[::3])
async def test_a_job_at_work_is_accessible(
    new_page: NewPage, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    """Its bar has a name, its button too; and nothing moves that should not."""
    async with serving_site(tmp_path) as (site, url):
        page = await new_page(size, scheme, reduced_motion="reduce")
        await page.goto(url)
        await page.locator(".offers button").first.click()
        await expect(page.locator(".job[data-state=running]")).to_have_count(1, timeout=30_000)
        await accessible(page)
        await fits(page)
        bar = page.get_by_role("progressbar", name="Progress of Python")

        await expect(bar).to_be_visible()
        site.runner.cancel(site.board.jobs[0])
