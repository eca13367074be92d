"""The live view over a real server: its pages, its data, and what it streams, with lost connections."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tests.http_server import Relay, serving_http

from sideband import callbacks, component, metadata, observe
from sideband.exporters import History, LiveView, live_view

TOKEN = "a-token-that-is-long-enough"
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">\ud800'


@component("Tool")
def double(number: int) -> int:
    return 2 * number


@component("ChatModel")
def speak(text: str) -> Any:
    yield from text.split(" ")


@asynccontextmanager
async def mounted(view: LiveView) -> AsyncGenerator[str]:
    """Serve the view under a path of another application."""
    app = Starlette()
    app.mount("/live", view)
    async with serving_http(app, before_close=view.close) as url:
        yield f"{url}/live"


async def lines_of(response: httpx.Response) -> AsyncGenerator[str]:
    async for line in response.aiter_lines():
        yield line


class Page:
    """What a browser's page knows, and no more: the rows by number, and the last event's id."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.last = ""
        self.messages = 0
        self.begun = 0
        self.told: list[tuple[int, Any]] = []

    def take(self, identity: str, message: dict[str, Any]) -> None:
        self.last = identity
        self.messages += 1
        if message["anew"]:
            self.begun += 1
            self.rows.clear()
        for row in message["rows"]:
            self.rows[row["number"]] = row
            self.told.append((row["number"], row.get("outcome")))
        for number in message["dropped"]:
            self.rows.pop(number, None)

    async def listen(self, url: str, *, until: Any) -> None:
        """Listen as an EventSource does, from where it was, until something is true of it."""
        headers = {"last-event-id": self.last} if self.last else {}
        async with (
            httpx.AsyncClient(timeout=30) as client,
            client.stream("GET", f"{url}/events", headers=headers) as response,
            aclosing(lines_of(response)) as lines,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            identity = ""
            async for line in lines:
                if line.startswith("id: "):
                    identity = line[4:]
                elif line.startswith("data: "):
                    self.take(identity, json.loads(line[6:]))
                    if until(self):
                        return


async def test_one_line_mounts_it_and_it_watches_the_whole_process() -> None:
    """Until it is closed."""
    view = live_view()
    async with mounted(view) as url, httpx.AsyncClient() as client:
        double(3)
        told = (await client.get(f"{url}/runs.json")).json()

    assert [row["name"] for row in told["rows"]] == ["double"]
    double(4)
    assert len(view.history) == 1


async def test_a_handler_of_its_own_is_shown() -> None:
    """What it has not seen is not there, and closing the view leaves it where it is."""
    history = History()
    async with mounted(live_view(history)) as url, httpx.AsyncClient() as client:
        double(1)
        with callbacks(history):
            double(2)
        told = (await client.get(f"{url}/runs.json")).json()

    assert [row["kind"] for row in told["rows"]] == ["Tool"]


async def test_the_page_shows_the_runs_without_script() -> None:
    """With links to each, its error and causes, and everything escaped."""
    history = History()
    with (
        callbacks(history),
        metadata(user=HOSTILE),
        pytest.raises(ValueError, match="alert"),
        observe(f"call {HOSTILE}", component="Agent", input=HOSTILE) as run,
    ):
        list(speak(HOSTILE))
        run.emit(HOSTILE, {HOSTILE: HOSTILE})
        run.attributes[HOSTILE] = HOSTILE
        raise ValueError(HOSTILE) from KeyError(HOSTILE)
    async with mounted(live_view(history)) as url, httpx.AsyncClient() as client:
        page = await client.get(f"{url}/")
        pages = [await client.get(f"{url}/runs/{record.id}") for record in history.latest()]

    assert "call &lt;script&gt;" in page.text
    assert all("&lt;script&gt;alert(1)" in one.text for one in pages)
    assert "KeyError" in "".join(one.text for one in pages)
    for one in [page, *pages]:
        assert one.status_code == 200
        assert "<script>" not in one.text
        assert "<img" not in one.text
        assert all('src="/live/static/' in tag for tag in re.findall("<script[^>]*>", one.text))


async def test_the_page_shows_what_its_address_asks_for() -> None:
    """By kind, name, outcome and metadata, with what is around it."""
    history = History()
    with callbacks(history):
        for user in ("Ann", "Bob"):
            with metadata(user=user), observe(f"ask-{user}", component="Agent"):
                double(1)
    async with mounted(live_view(history)) as url, httpx.AsyncClient() as client:

        async def found(**query: str) -> set[tuple[str, str]]:
            told = (await client.get(f"{url}/runs.json", params=query)).json()
            return {(row["name"], row["metadata"]["user"]) for row in told["rows"]}

        assert await found(kind="Tool") == {("double", "Ann"), ("double", "Bob")}
        assert await found(name="ASK") == {("ask-Ann", "Ann"), ("ask-Bob", "Bob")}
        assert await found(metadata="user=ann") == {("ask-Ann", "Ann"), ("double", "Ann")}
        assert await found(metadata="bo", kind="Agent") == {("ask-Bob", "Bob")}
        assert await found(outcome="running") == set()
        assert await found(kind="Nonsense") == set()
        page = (await client.get(f"{url}/", params={"kind": "Tool", "metadata": "user=ann"})).text

    assert "ask-Ann" in page
    assert "ask-Bob" not in page


async def test_a_run_that_is_not_kept_is_not_found() -> None:
    """Whatever is asked of it."""
    async with mounted(live_view(History())) as url, httpx.AsyncClient() as client:
        for path in ("runs/0", "runs/../../x", "runs/0/chunks.json", "nowhere", "static/../access.py"):
            assert (await client.get(f"{url}/{path}")).status_code == 404


async def test_chunks_are_given_from_a_place_on() -> None:
    """While the run goes on; each once, and how many are no longer kept."""
    history = History(max_chunks=3)
    with callbacks(history):
        stream = speak("a b c d e")
        assert [next(stream), next(stream)] == ["a", "b"]
        (record,) = history.latest()
        async with mounted(live_view(history)) as url, httpx.AsyncClient() as client:

            async def ask(place: int) -> Any:
                return (await client.get(f"{url}/runs/{record.id}/chunks.json?chunk={place}")).json()

            first = await ask(0)
            list(stream)
            second, late = await ask(first["next"]), await ask(0)

    assert ([chunk[1] for chunk in first["chunks"]], first["ended"]) == (["a", "b"], False)
    assert ([chunk[1] for chunk in second["chunks"]], second["ended"]) == (["c", "d", "e"], True)
    assert (late["missed"], second["missed"]) == (2, 0)


async def test_changes_are_streamed_as_they_come() -> None:
    """A run that goes on, then its end."""
    history = History()
    page = Page()
    async with mounted(live_view(history)) as url:
        with callbacks(history), observe("long"):
            await page.listen(url, until=lambda page: page.rows)
            assert "outcome" not in page.rows[1]
        await page.listen(url, until=lambda page: "outcome" in page.rows[1])

    assert (page.begun, page.told) == (1, [(1, None), (1, "ok")])


async def test_connections_that_are_lost_lose_and_double_nothing() -> None:
    """Over a connection that breaks again and again, a page knows in the end each of the runs, told as ended once."""
    history = History(max_runs=5_000)
    page, runs = Page(), 1_500
    async with mounted(live_view(history)) as url, Relay(url.removesuffix("/live")) as relay:

        async def work() -> None:
            with callbacks(history):
                for number in range(runs):
                    double(number)
                    if number % 10 == 0:
                        await asyncio.sleep(0)
                    if number % 150 == 149:
                        relay.drop()

        async def read() -> None:
            while len(page.rows) < runs:
                try:
                    await page.listen(f"{relay.url}/live", until=lambda page: len(page.rows) == runs)
                except httpx.TransportError:
                    continue

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(work())

    ended = [number for number, outcome in page.told if outcome == "ok"]
    assert sorted(ended) == list(range(1, runs + 1))
    assert page.begun == 1


async def test_a_page_that_comes_back_to_another_server_begins_anew() -> None:
    """What it knew was of another program."""
    page = Page()
    for count in (3, 2):
        history = History()
        with callbacks(history):
            for number in range(count):
                double(number)
        async with mounted(live_view(history)) as url:
            await page.listen(url, until=lambda page, count=count: len(page.rows) == count)

    assert (page.begun, len(page.rows)) == (2, 2)


@pytest.mark.parametrize(
    "last", ["", "x", "1.2.3.4", "1.2", "....", "\u00b2.\u00b2.\u00b2", "a.-1.-1", "9" * 500]
)
async def test_a_place_that_makes_no_sense_is_the_beginning(last: str) -> None:
    """Whatever a browser says that it had last."""
    history = History()
    with callbacks(history):
        double(1)
    async with (
        mounted(live_view(history)) as url,
        httpx.AsyncClient() as client,
        client.stream("GET", f"{url}/events", params={"after": last}) as response,
        aclosing(lines_of(response)) as lines,
    ):
        told = [line async for line in _first_data(lines)]

    assert json.loads(told[0])["anew"]


async def _first_data(lines: Any) -> AsyncGenerator[str]:
    async for line in lines:
        if line.startswith("data: "):
            yield line[6:]
            return


async def test_a_browser_that_does_not_read_holds_nothing_back() -> None:
    """It is sent no more than fits into the sockets' buffers; the program and other browsers go on."""
    history = History(max_runs=20_000)
    page, runs = Page(), 15_000
    async with mounted(live_view(history)) as url:
        host, port = url.removeprefix("http://").removesuffix("/live").split(":")
        _, dead = await asyncio.open_connection(host, int(port))
        dead.write(f"GET /live/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        await dead.drain()
        with callbacks(history):
            for number in range(runs):
                double(number)
        async with asyncio.timeout(30):
            await page.listen(url, until=lambda page: len(page.rows) == runs)
        dead.transport.abort()

    assert page.begun == 1


async def test_ten_thousand_runs_come_in_parts() -> None:
    """No message has more runs than can be made in some milliseconds."""
    history = History()
    with callbacks(history):
        for number in range(12_000):
            double(number)
    page = Page()
    async with mounted(live_view(history)) as url:
        await page.listen(url, until=lambda page: len(page.rows) == 10_000)

    assert page.messages == 25
    assert sorted(page.rows) == list(range(2_001, 12_001))


async def test_what_is_dropped_is_told() -> None:
    """A page has no run that the history has not."""
    history = History(max_runs=10)
    page = Page()
    async with mounted(live_view(history)) as url:
        with callbacks(history):
            double(0)
            await page.listen(url, until=lambda page: page.rows)
            for number in range(15):
                double(number)
        await page.listen(url, until=lambda page: 16 in page.rows)

    assert sorted(page.rows) == list(range(7, 17))


async def test_closing_the_view_ends_its_streams() -> None:
    """And a browser that comes back is told to stay away."""
    view = live_view(History())
    async with mounted(view) as url, httpx.AsyncClient() as client:
        async with client.stream("GET", f"{url}/events") as response:
            await anext(response.aiter_lines())
            view.close()
        again = await client.get(f"{url}/events")

    assert again.status_code == 204


async def test_with_a_token_nothing_is_told_without_it() -> None:
    """Neither pages, data, files nor streams."""
    async with mounted(live_view(History(), token=TOKEN)) as url, httpx.AsyncClient() as client:
        paths = ("", "runs.json", "events", "static/base.css", "runs/1")
        codes = [(await client.get(f"{url}/{path}")).status_code for path in paths]
        headers = {"authorization": f"Bearer {TOKEN}"}
        page = await client.get(f"{url}/", headers=headers)

    assert codes == [401] * 5
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_payloads_that_are_off_are_nowhere() -> None:
    """The page says that they are."""
    history = History(capture="off")
    with callbacks(history), observe("call", input="hidden-words") as run:
        run.output = "hidden-words"
    async with mounted(live_view(history)) as url, httpx.AsyncClient() as client:
        pages = [(await client.get(f"{url}/{path}")).text for path in ("", f"runs/{run.id}", "runs.json")]

    assert not any("hidden-words" in page for page in pages)
    assert "payloads are off" in pages[0]
    assert "Payloads are off" in pages[1]


def test_options_of_a_history_do_not_go_with_one_that_is_there() -> None:
    """They would be without effect."""
    with pytest.raises(ValueError, match="give them to History"):
        live_view(History(), capture="off")


async def test_it_works_inside_of_fastapis_kind_of_application_behind_a_prefix() -> None:
    """Its links lead to where it is mounted."""
    inner, outer = Starlette(), Starlette()
    view = live_view(History())
    inner.mount("/watch", view)
    outer.mount("/api", inner)
    async with serving_http(outer, before_close=view.close) as url, httpx.AsyncClient() as client:
        page = (await client.get(f"{url}/api/watch/")).text

        assert '"/api/watch/static/live.js"' in page
        assert (await client.get(f"{url}/api/watch/static/live.js")).status_code == 200


def test_without_its_packages_it_says_how_to_install_them() -> None:
    """And the history works without them."""
    code = """
import sys
sys.modules["starlette.applications"] = sys.modules["starlette"] = None
from sideband.exporters import History
try:
    from sideband.exporters import live_view
except ImportError as error:
    print(error, len(History()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )

    assert 'pip install "sideband[live]"' in done.stdout
