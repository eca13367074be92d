"""The live view in a real browser: what moves, what is typed, what is lost on the way, and what is hostile."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from tests.browser.conftest import DESKTOP, PHONE, SEEN_AS, NewPage, Served, accessible, fits
from tests.http_server import Relay

from sideband import callbacks, component, metadata, observe
from sideband.components import Usage
from sideband.exporters import History, live_view
from sideband.serving import Batch, Serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'


@component("Tool")
def double(number: int) -> int:
    return 2 * number


@component("ChatModel", name="speaker")
async def speak(words: asyncio.Queue[str | None]) -> AsyncGenerator[str]:
    while (word := await words.get()) is not None:
        yield word


@asynccontextmanager
async def watching(served: Served, history: History) -> AsyncGenerator[str]:
    view = live_view(history)
    app = Starlette()
    app.mount("/live", view)
    async with served(app, before_close=view.close) as url:
        yield f"{url}/live/"


def line(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_text(name, exact=True))


async def busy(history: History) -> None:
    """Let everything happen once that the page can show."""
    serving = Serving(_model, name="embed", batch_size=8, callbacks=[history])
    with callbacks(history):
        async with serving, asyncio.TaskGroup() as users:
            for user, items in (("Ann", 3), ("Bob", 4)):
                users.create_task(_ask(serving, user, items))
        with pytest.raises(LookupError), observe("look_up", component="Tool", input={"term": "carrier"}):
            raise LookupError("no entry") from TimeoutError("no answer")
        words: asyncio.Queue[str | None] = asyncio.Queue()
        for word in ("a ", "sideband", None):
            words.put_nowait(word)
        with observe("answer", component="Agent", input="what?") as run:
            run.emit("thinking", {"about": HOSTILE})
            run.usage = Usage(input_tokens=10, output_tokens=20, cost=0.001)
            async for _ in speak(words):
                pass


def _model(batch: Batch[str]) -> list[int]:
    return [len(text) for text in batch]


async def _ask(serving: Any, user: str, items: int) -> None:
    with metadata(user=user), observe("ask", component="Agent"):
        await serving.dispatch_many(["text"] * items)


@pytest.mark.parametrize(("size", "scheme"), SEEN_AS)
async def test_the_page_is_accessible_and_fits(
    new_page: NewPage, served: Served, size: tuple[int, int], scheme: str
) -> None:
    """With runs of every kind and outcome, before and after one is selected, light and dark, on a phone, too."""
    history = History(max_runs=12)
    for _ in range(2):
        await busy(history)
    page = await new_page(size, scheme)
    async with watching(served, history) as url:
        with callbacks(history), observe("going on", component="Chain"):
            await page.goto(url)
            await expect(line(page, "going on")).to_be_visible()
            await accessible(page)
            await fits(page)
            await line(page, "look_up").first.click()
            await expect(page.get_by_text("TimeoutError")).to_be_visible()
            await accessible(page)
            await fits(page)


@pytest.mark.parametrize(("size", "scheme"), SEEN_AS)
async def test_the_page_without_script_is_accessible_and_fits(
    new_page: NewPage, served: Served, size: tuple[int, int], scheme: str
) -> None:
    """It shows the runs there are, each with a link to all that is known of it, and can be filtered."""
    history = History()
    await busy(history)
    page = await new_page(size, scheme, java_script_enabled=False)
    async with watching(served, history) as url:
        await page.goto(url)
        await page.get_by_label("Kind").select_option("Tool")
        await page.get_by_role("button", name="Filter").click()
        await page.get_by_role("link", name="look_up").click()
        await expect(page.get_by_text("no entry", exact=True)).to_be_visible()
        await page.get_by_role("link", name="All runs").click()
        await expect(page.get_by_role("link", name="speaker")).to_be_visible()


async def test_a_run_is_seen_as_it_goes_on(new_page: NewPage, served: Served) -> None:
    """It appears when it starts, its stream is written as it comes, and its end is told."""
    history = History()
    page = await new_page()
    words: asyncio.Queue[str | None] = asyncio.Queue()

    async def consume() -> None:
        with callbacks(history), observe("answer", component="Agent"):
            async for _ in speak(words):
                pass

    async with watching(served, history) as url:
        await page.goto(url)
        await expect(page.get_by_text("No runs yet")).to_be_visible()
        consumer = asyncio.create_task(consume())
        words.put_nowait("A sideband ")
        await line(page, "speaker").click()
        await expect(page.locator("#stream")).to_have_text("A sideband ")
        for word in ("travels ", HOSTILE, " beside."):
            words.put_nowait(word)
        await expect(page.locator("#stream")).to_have_text(f"A sideband travels {HOSTILE} beside.")
        await expect(page.locator("#details .tag")).to_have_text("running")
        words.put_nowait(None)
        await consumer
        await expect(page.locator("#details .tag")).to_have_text("ok")
        await expect(page.locator("#stream")).to_have_text(f"A sideband travels {HOSTILE} beside.")
        await expect(page.locator(".time-bar.running")).to_have_count(0)

    assert await page.title() == "Live · Sideband"


async def test_hostile_text_stays_text(new_page: NewPage, served: Served) -> None:
    """In a name, an input, an error, an event, metadata and attributes."""
    history = History()
    with (
        callbacks(history),
        metadata(user=HOSTILE),
        pytest.raises(ValueError, match="img"),
        observe(HOSTILE, component="Agent", type=HOSTILE, input={HOSTILE: HOSTILE}) as run,
    ):
        run.emit(HOSTILE, HOSTILE)
        run.attributes[HOSTILE] = HOSTILE
        raise ValueError(HOSTILE)
    page = await new_page()
    async with watching(served, history) as url:
        await page.goto(url)
        await page.get_by_role("row").nth(1).click()
        await expect(page.locator("#details .error-text")).to_have_text(HOSTILE)

        assert await page.title() == "Live · Sideband"
        assert await page.locator("main img, main script").count() == 0


async def test_what_is_looked_at_is_in_the_address(new_page: NewPage, served: Served) -> None:
    """The filter and the selected run; another browser that opens it sees the same."""
    history = History()
    await busy(history)
    first, second = await new_page(), await new_page(PHONE)
    async with watching(served, history) as url:
        await first.goto(url)
        await first.get_by_label("Kind").select_option("Serving")
        await first.get_by_label("Metadata").fill("user=Bob")
        await expect(first.locator("#kept")).to_contain_text("1 of 8 runs")
        await line(first, "embed").last.click()
        await expect(first.get_by_role("heading", name="Served by")).to_be_visible()
        await second.goto(first.url)

        await expect(second.get_by_role("heading", name="Served by")).to_be_visible()
        await expect(second.locator("#kept")).to_contain_text("1 of 8 runs")
    assert re.search(r"kind=Serving&metadata=user%3DBob&run=[0-9a-f]{16}$", first.url)


async def test_a_call_leads_to_its_batch_and_back(new_page: NewPage, served: Served) -> None:
    """By links in the details; a box of the batch shows whose items it holds."""
    history = History()
    await busy(history)
    page = await new_page()
    async with watching(served, history) as url:
        await page.goto(url)
        box = page.get_by_role("button", name=re.compile("Batch of 7"))
        assert sorted((await box.get_attribute("title") or "").removeprefix("7 of 8: ").split(", ")) == [
            "Ann 3",
            "Bob 4",
        ]
        await expect(box.locator(".cell.free")).to_have_count(1)
        await box.click()
        details = page.locator("#details")
        await expect(details.get_by_role("heading", name="Served")).to_be_visible()
        await details.get_by_role("link", name="embed").first.click()
        await expect(details.get_by_role("heading", name="Served by")).to_be_visible()
        await details.get_by_role("link", name="embed").click()

        await expect(details.get_by_text("user=Ann")).to_be_visible()


async def test_a_connection_that_is_lost_is_regained(new_page: NewPage, served: Served) -> None:
    """Two browsers, each loses its connection again and again; in the end both know each run, each once."""
    history = History()
    pages = [await new_page(), await new_page(PHONE)]
    async with watching(served, history) as url, Relay(url.removesuffix("/live/")) as relay:
        for page in pages:
            await page.goto(f"{relay.url}/live/")
            await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        for burst in range(4):
            with callbacks(history):
                for number in range(50):
                    double(number)
            relay.refusing = burst % 2 == 0
            relay.drop()
            with callbacks(history):
                for number in range(50):
                    double(number)
            if relay.refusing:
                for page in pages:
                    await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
                relay.refusing = False
            for page in pages:
                await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
                await expect(page.locator("#kept")).to_have_text(
                    f"{100 * (burst + 1)} of {100 * (burst + 1)} runs"
                )


async def test_it_can_be_read_by_keyboard(new_page: NewPage, served: Served) -> None:
    """Arrows move, open and close; Enter shows a run, Escape leads back to its line."""
    history = History()
    with callbacks(history), observe("outer", component="Agent"):
        double(1)
        double(2)
    page = await new_page()
    async with watching(served, history) as url:
        await page.goto(url)
        await line(page, "outer").focus()
        await page.keyboard.press("ArrowLeft")
        await expect(line(page, "outer")).to_have_attribute("aria-expanded", "false")
        await expect(line(page, "double")).to_have_count(0)
        await page.keyboard.press("ArrowRight")
        await expect(line(page, "double")).to_have_count(2)
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("End")
        await expect(line(page, "double").last).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#details")).to_be_focused()
        await expect(page.locator("#details h2")).to_have_text("double")
        await page.keyboard.press("Escape")
        await expect(page.locator("#details")).to_be_hidden()
        await expect(line(page, "double").last).to_be_focused()
        await page.keyboard.press("ArrowLeft")
        await expect(line(page, "outer")).to_be_focused()


async def test_ten_thousand_runs_are_smooth(new_page: NewPage, served: Served) -> None:
    """Only lines in sight are made, the last one can be gone to, and drawing takes less than a blink."""
    history = History()
    with callbacks(history):
        for number in range(12_500):
            with (
                observe(f"outer {number}", component="Chain")
                if number % 5 == 0
                else observe("inner", component="Tool")
            ):
                pass
    page = await new_page()
    async with watching(served, history) as url:
        await page.goto(url)
        await expect(page.locator("#kept")).to_have_text(
            "10,000 of 12,500 runs; 2,500 older ones dropped, since 10,000 are kept"
        )
        await expect(page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", "10001")
        await page.get_by_role("row").nth(1).focus()
        await page.keyboard.press("End")
        await expect(line(page, "outer 2500")).to_be_focused()
        assert await page.get_by_role("row").count() < 60
        milliseconds = await page.evaluate(
            """async () => {
                const grid = document.querySelector(".grid");
                const began = performance.now();
                for (let step = 0; step < 50; step++) { grid.scrollTop = step * 5000; grid.dispatchEvent(new Event("scroll")); }
                return (performance.now() - began) / 50;
            }"""
        )
        assert milliseconds < 100
        await page.get_by_label("Name").fill("outer 12495")
        await expect(page.locator("#kept")).to_contain_text("1 of 12,500 runs")


async def test_what_is_read_stays_where_it_is(new_page: NewPage, served: Served) -> None:
    """Away from the top the list keeps its order, and says what is new; a click leads there."""
    history = History()
    with callbacks(history):
        for number in range(100):
            with observe(f"run {number}"):
                pass
    page = await new_page()
    async with watching(served, history) as url:
        await page.goto(url)
        await expect(line(page, "run 99")).to_be_visible()
        await page.evaluate("document.querySelector('.grid').scrollTop = 900")
        await expect(line(page, "run 60")).to_be_visible()
        with callbacks(history):
            double(1)
            double(2)
        await page.get_by_role("button", name="2 new").click()
        await expect(line(page, "double").first).to_be_visible()


async def test_a_view_can_be_paused(new_page: NewPage, served: Served) -> None:
    """Nothing moves until it goes on, from where it was."""
    history = History()
    page = await new_page(DESKTOP)
    async with watching(served, history) as url:
        await page.goto(url)
        await expect(page.locator("#connection")).to_have_text("Live")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#connection")).to_have_text("Paused")
        with callbacks(history):
            double(1)
        await page.get_by_role("button", name="Go on").click()
        await expect(line(page, "double")).to_be_visible()


async def test_the_colours_can_be_chosen(new_page: NewPage, served: Served) -> None:
    """Dark in a light system, and it stays so."""
    page = await new_page()
    async with watching(served, History()) as url:
        await page.goto(url)
        light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.get_by_role("button", name="Dark colours").click()
        await page.reload()
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await expect(page.get_by_role("button", name="Dark colours")).to_have_attribute(
            "aria-pressed", "true"
        )

    assert light != dark
