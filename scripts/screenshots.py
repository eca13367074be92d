"""Take the pictures of the web pages that the documents show: scripts/screenshots.py, with Chromium installed.

Real jobs with the real models; a picture is taken when they have come far enough to be seen.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import ARGUMENTS, chromium  # noqa: E402
from tests.web_site import serving_site  # noqa: E402

MINUTES = 5 * 60_000
QUESTION = "how do I read a CSV file into dictionaries"


async def main() -> None:
    """Index, search and ask in one browser, light and then dark."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            async_playwright() as playwright,
            serving_site(Path(folder), model="wordllama", folders=(Path("docs"),)) as (_, url),
        ):
            browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            light, dark = [await opened(browser, scheme) for scheme in ("light", "dark")]
            for page in (light, dark):
                await page.goto(url)
            await work(light, dark)
            for page in (light, dark):
                await ask(page, url)
                await page.goto(f"{url}/live/")
                await expect(page.locator("main")).to_contain_text("answer")
                await page.wait_for_timeout(1000)
                await shoot(page, "ui-live")
            await watch(browser)
            await browser.close()


async def opened(
    browser: Browser, scheme: str, width: int = 1120, height: int = 840, scale: float = 1.5
) -> Page:
    """Open a page of the pictures' size."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=scale
    )
    return await context.new_page()


async def work(page: Page, other: Page) -> None:
    """Have three jobs, one of them done, and take pictures while two are at work."""
    await page.set_input_files("#files", [ROOT / "README.md", ROOT / "Makefile"])
    await expect(page.locator(".job[data-state=done]")).to_have_count(1, timeout=MINUTES)
    await page.get_by_role("button", name="standard library").click()
    await expect(page.locator(".job").first.locator('[data-text="rate"]')).to_contain_text(
        "/s", timeout=MINUTES
    )
    await page.get_by_role("button", name="docs").click()
    await expect(page.locator(".job").first.locator("[data-field=chunks]").first).to_have_text(
        re.compile(r"^\d{3}$"), timeout=MINUTES
    )
    for each in (page, other):
        await shoot(each, "ui-index")
    await expect(page.locator(".job[data-state=done]")).to_have_count(2, timeout=MINUTES)
    await expect(page.locator(".job").nth(1).locator("[data-field=chunks]").first).to_contain_text(
        ",", timeout=MINUTES
    )
    await page.locator(".job").nth(1).get_by_role("button", name="Cancel").click()
    await expect(page.locator(".job[data-state=cancelled]")).to_have_count(1, timeout=MINUTES)


async def ask(page: Page, url: str) -> None:
    """Search, have an answer written, and take the picture when it is whole."""
    await page.goto(f"{url}/search")
    await page.get_by_label("Your question").fill(QUESTION)
    await page.get_by_role("button", name="Answer").click()
    await expect(page.locator("#answer-state")).to_contain_text("tokens", timeout=MINUTES)
    await page.mouse.move(0, 0)
    await shoot(page, "ui-search")


async def watch(browser: Browser) -> None:
    """Let several people use a program, and look at one of its runs on a desk, then at the whole on a telephone."""
    example = [sys.executable, "-u", str(ROOT / "examples" / "live_view.py"), "120"]
    program = await asyncio.create_subprocess_exec(*example, stdout=asyncio.subprocess.PIPE)
    try:
        assert program.stdout is not None
        address = (await program.stdout.readline()).decode().split()[-1]
        await asyncio.sleep(12)  # what it shows are distributions: they need some runs
        for scheme in ("light", "dark"):
            desk = await opened(browser, scheme, 1280, 820, 1)
            await desk.goto(f"{address}?name=storyteller")
            await desk.get_by_role("row").filter(has_text="storyteller").first.click()
            await desk.get_by_label("Name").fill("")
            await expect(desk.locator("#stream")).to_contain_text("signal that travels")
            await shoot(desk, "live")
            phone = await opened(browser, scheme, 360, 740, 1)
            await phone.goto(address)
            await phone.wait_for_timeout(1000)
            await shoot(phone, "live-phone")
    finally:
        program.terminate()
        await program.wait()


async def shoot(page: Page, name: str) -> None:
    """Write a picture."""
    scheme = "dark" if await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    await page.evaluate("document.activeElement.blur()")
    await page.screenshot(path=IMAGES / f"{name}-{scheme}.png")


if __name__ == "__main__":
    asyncio.run(main())
