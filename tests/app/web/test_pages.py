from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sideband import Component, Handler, Run, add_global_handler
from sideband.app.web import job_pages
from sideband.app.web.jobs import JobState
from sideband.app.web.site import Site
from sideband.app.web.uploads import Limits

from .client import Listener
from .conftest import SiteAt

JSON = {"accept": "application/json"}
HTML = {"accept": "text/html", "sec-fetch-site": "same-origin"}
HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


async def ended(site: Site, name: str) -> JobState:
    """Wait until a job has ended, and say how."""
    async for _ in site.board.changes(None):
        job = site.board.job(name)
        assert job is not None
        if job.state.final:
            return job.state
    raise AssertionError("the board was closed")


async def uploaded(client: httpx.AsyncClient, url: str, *files: tuple[str, bytes]) -> str:
    answer = await client.post(f"{url}/jobs/upload", files=[("files", file) for file in files], headers=JSON)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


# -- without a script ----------------------------------------------------------------------------


async def test_everything_works_without_a_script(site_at: SiteAt) -> None:
    """A form is sent, the answer leads to the job, and the page shows how it stands whenever it is loaded."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        sent = await client.post(
            f"{url}/jobs/upload", files=[("files", ("a.md", b"# Apples\n\nApples are red."))], headers=HTML
        )
        job = sent.headers["location"].removeprefix("/#job-")
        assert (sent.status_code, await ended(site, job)) == (303, JobState.DONE)
        page = await client.get(url)
        found = await client.get(f"{url}/search", params={"q": "which fruit is red"})

    assert f'id="job-{job}"' in page.text
    assert "Documents: 1 stored" in page.text
    assert "<mark>red</mark>" in found.text
    assert "Apples" in found.text


async def test_a_search_in_an_empty_store_says_so(site_at: SiteAt) -> None:
    """Nothing is wrong: there is nothing to find yet."""
    async with site_at() as (_, url), httpx.AsyncClient() as client:
        found = await client.get(f"{url}/search", params={"q": "anything"})

    assert found.status_code == 200
    assert "Nothing found" in found.text
    assert "nothing is indexed yet" in found.text


async def test_a_question_that_is_too_long_is_refused(site_at: SiteAt) -> None:
    """It is told how long it may be."""
    async with site_at() as (_, url), httpx.AsyncClient() as client:
        found = await client.get(f"{url}/search", params={"q": "why " * 500})

    assert found.status_code == 400
    assert "longer than 1,000 characters" in found.text


async def test_what_is_not_there_is_said_in_words(site_at: SiteAt) -> None:
    """A wrong address, a job that is gone, results that are too old, a folder that is not on offer."""
    async with site_at() as (_, url), httpx.AsyncClient() as client:
        asked = {
            "page": await client.get(f"{url}/nowhere"),
            "job": await client.post(f"{url}/jobs/none/cancel", headers=JSON),
            "results": await client.post(f"{url}/answer", data={"search": "old"}, headers=JSON),
            "folder": await client.post(f"{url}/jobs/folder/0", headers=JSON),
        }

    assert {name: answer.status_code for name, answer in asked.items()} == {
        "page": 404,
        "job": 404,
        "results": 410,
        "folder": 404,
    }
    assert "There is no such page" in asked["page"].text
    assert asked["job"].json()["error"] == "there is no such job any more"
    assert "search again" in asked["results"].json()["error"]


# -- what is hostile -----------------------------------------------------------------------------


async def test_names_and_texts_are_shown_and_never_markup(site_at: SiteAt) -> None:
    """A file's name and its text that are HTML are escaped wherever they are shown."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        files = (f"{HOSTILE}.txt", f"apples {HOSTILE}".encode()), (f"{HOSTILE}.exe", b"MZ")
        await ended(site, await uploaded(client, url, *files))
        page = (await client.get(url)).text
        found = (await client.get(f"{url}/search", params={"q": f"apples {HOSTILE}"})).text

    for text in (page, found):
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "&lt;script&gt;" in text


async def test_another_site_can_start_nothing(site_at: SiteAt) -> None:
    """What is not sent from the page itself is refused before anything is done."""
    foreign = [
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"host": "rebound.example"},
    ]
    paths = ("/jobs/stdlib", "/jobs/upload", "/jobs/x/cancel", "/answer")
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        answers = [await client.post(url + path, headers=one) for path in paths for one in foreign]

        assert {answer.status_code for answer in answers} == {403, 421}
        assert not site.board.jobs


async def test_nothing_is_started_by_a_link(site_at: SiteAt) -> None:
    """What changes something is not done for GET."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        answers = [await client.get(url + path) for path in ("/jobs/stdlib", "/jobs/x/cancel", "/answer")]

        assert {answer.status_code for answer in answers} <= {404, 405}
        assert not site.board.jobs


async def test_a_link_does_not_have_an_answer_written(site_at: SiteAt) -> None:
    """Only the page's own form has the answer begin by itself."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        await ended(site, await uploaded(client, url, ("a.txt", b"apples")))
        query = {"q": "apples", "then": "answer"}
        own = await client.get(f"{url}/search", params=query, headers=HTML)
        other = await client.get(
            f"{url}/search",
            params=query,
            headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        )

    assert "data-at-once" in own.text
    assert "data-at-once" not in other.text


async def test_with_a_token_nobody_gets_in_without_it(site_at: SiteAt) -> None:
    """Neither pages nor events nor files of the look."""
    token = "a-token-of-some-length"
    async with site_at(token=token) as (_, url), httpx.AsyncClient() as client:
        paths = ("/", "/search", "/events", "/static/ui.css", "/live/")
        without = [await client.get(url + path) for path in paths]
        given = await client.get(url, headers={"authorization": f"Bearer {token}"})

    assert {answer.status_code for answer in without} == {401}
    assert given.status_code == 200


# -- bounds --------------------------------------------------------------------------------------


async def test_a_request_that_is_too_big_is_answered_in_words(site_at: SiteAt, tmp_path: Path) -> None:
    """It is read to its end, so that the browser hears the answer, and nothing of it is kept."""
    async with site_at(limits=Limits(bytes=2**20)) as (site, url), httpx.AsyncClient() as client:
        sent = await client.post(
            f"{url}/jobs/upload", files=[("files", ("a.txt", b"x" * 4 * 2**20))], headers=JSON
        )
        (job,) = site.board.jobs
        lying = await asyncio.to_thread(lambda: list(site.uploads.rglob("*.txt")))

    assert (sent.status_code, job.state, lying) == (413, JobState.FAILED, [])
    assert "more than 1 MiB" in sent.json()["error"]


async def test_jobs_are_bounded(site_at: SiteAt) -> None:
    """Beyond sixteen unfinished ones another is refused, and says why."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        for _ in range(16):
            site.board.add("busy")
        sent = await client.post(f"{url}/jobs/stdlib", headers=JSON)
        file = await client.post(f"{url}/jobs/upload", files=[("f", ("a.txt", b"x"))], headers=JSON)

    assert (sent.status_code, file.status_code) == (429, 429)
    assert "16 jobs are at work" in sent.json()["error"]


async def test_an_upload_that_breaks_off_leaves_nothing(site_at: SiteAt) -> None:
    """The job is over, and its files are gone."""

    async def body() -> AsyncGenerator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nhalf'
        raise ConnectionAbortedError

    async with site_at() as (site, url), httpx.AsyncClient() as client:
        with pytest.raises(ConnectionAbortedError):
            await client.post(
                f"{url}/jobs/upload",
                content=body(),
                headers={"content-type": "multipart/form-data; boundary=b"},
            )
        (job,) = site.board.jobs
        assert await ended(site, job.id) is JobState.CANCELLED
        assert await asyncio.to_thread(lambda: list(site.uploads.rglob("*.txt"))) == []


async def test_an_upload_that_stands_still_is_given_up(
    site_at: SiteAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that stops sending does not hold a place for ever."""
    monkeypatch.setattr(job_pages, "_PIECE_SECONDS", 0.05)
    head = (
        b"POST /jobs/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    async with site_at() as (site, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(head)
        answer = await reader.readline()
        writer.close()

        assert b"400" in answer
        assert [job.state for job in site.board.jobs] == [JobState.CANCELLED]


# -- jobs ----------------------------------------------------------------------------------------


async def test_files_are_gone_once_they_are_indexed(site_at: SiteAt) -> None:
    """And everything else when the server ends."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        await ended(site, await uploaded(client, url, ("a.txt", b"apples")))
        lying = await asyncio.to_thread(lambda: list(site.uploads.iterdir()))

    assert lying == []
    assert not site.uploads.exists()


async def test_a_job_that_is_cancelled_ends_and_keeps_whole_documents(site_at: SiteAt) -> None:
    """The standard library is cancelled while it is indexed; the store is sound, and can be gone on with."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        started = (await client.post(f"{url}/jobs/stdlib", headers=JSON)).json()["id"]
        again = (await client.post(f"{url}/jobs/stdlib", headers=JSON)).json()["id"]
        job = site.board.job(started)
        assert job is not None
        async for _ in site.board.changes(None):
            if job.stored:
                break
        await client.post(f"{url}/jobs/{started}/cancel", headers=JSON)
        state = await ended(site, started)
        info = await site.bench.info()

    assert again == started
    assert state is JobState.CANCELLED
    assert info is not None
    assert info.chunks == job.stored
    assert job.chunks >= job.stored


async def test_a_job_without_anything_to_read_fails_and_says_why(site_at: SiteAt) -> None:
    """Each of its files is named with its reason."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        name = await uploaded(client, url, ("tool.exe", b"MZ"), ("empty.txt", b""))
        state = await ended(site, name)
        page = (await client.get(url)).text

    assert state is JobState.FAILED
    assert "all 2 files there were skipped" in page
    assert re.search(r"tool\.exe</strong> <span class=\"quiet\">of a kind that is not read", page)


class Batches(Handler):
    """Keeps the jobs that each batch served."""

    def __init__(self) -> None:
        self.callers: dict[str, str] = {}
        self.served: list[set[str]] = []

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        if run.component is Component.SERVING:
            self.callers[run.id] = run.metadata.get("job", "")

    def on_end(self, run: Run, output: Any) -> None:
        if run.component is Component.BATCH:
            self.served.append({self.callers.get(link.id, "") for link in run.links})


async def test_jobs_share_batches_and_each_counts_its_own(site_at: SiteAt) -> None:
    """Chunks of several jobs meet in a batch, and every job's events are of its chunks alone."""
    batches = Batches()
    with add_global_handler(batches):
        async with site_at() as (site, url), httpx.AsyncClient() as client:
            await site.bench.ready()
            names = await asyncio.gather(
                *[uploaded(client, url, (f"{n}.txt", b"apples and pears\n\n" * 200)) for n in range(8)]
            )
            for name in names:
                assert await ended(site, name) is JobState.DONE
            jobs = [site.board.job(name) for name in names]
            info = await site.bench.info()

    assert any(len(served) > 1 for served in batches.served)
    assert info is not None
    assert sum(job.chunks for job in jobs if job) == sum(job.stored for job in jobs if job) == info.chunks


async def test_a_number_of_thousands_of_digits_is_no_folder(site_at: SiteAt) -> None:
    """What no folder has is not found, however long it is, and fails nothing."""
    async with site_at() as (_, url), httpx.AsyncClient() as client:
        answers = [
            await client.post(f"{url}/jobs/folder/{number}", headers=JSON)
            for number in ("0", "-1", "x", "9" * 5_000)
        ]

    assert [answer.status_code for answer in answers] == [404] * 4


async def test_a_folder_of_any_bytes_can_be_offered_and_indexed(site_at: SiteAt, tmp_path: Path) -> None:
    """A name that is no UTF-8 is shown as far as it can be, and ends no page and no stream of events."""
    folder = tmp_path / os.fsdecode(b"fruit-\xff")
    folder.mkdir()
    (folder / os.fsdecode(b"\xfe.md")).write_text("# Apples\n\nRed.")
    async with site_at(folders=(folder,)) as (site, url), httpx.AsyncClient() as client:
        listener = Listener(url)
        listening = asyncio.create_task(listener.listen())
        started = await client.post(f"{url}/jobs/folder/0", headers=JSON)
        name = started.json()["id"]
        await asyncio.wait_for(listener.until(name), 30)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        page = await client.get(url)
        state = await ended(site, name)

    assert state.final
    assert page.status_code == 200
    assert "fruit-" in listener.jobs[name]["title"]
    assert "fruit-" in page.text


async def test_pages_say_what_the_store_holds_while_a_job_is_at_work(site_at: SiteAt) -> None:
    """What can be found already is not called nothing."""
    async with site_at() as (site, url), httpx.AsyncClient() as client:
        name = await uploaded(client, url, *[(f"{n}.txt", b"apples and pears\n\n" * 200) for n in range(40)])
        job = site.board.job(name)
        assert job is not None
        async for _ in site.board.changes(None):
            if job.stored:
                break
        page = (await client.get(url)).text

    assert job.stored
    assert "nothing is indexed yet" not in page
    assert re.search(r'id="store">\d+ document', page)
