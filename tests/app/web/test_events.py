from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import httpx
import pytest
from tests.http_server import Relay
from tests.web_site import stored_chunks

from .client import Listener
from .conftest import SiteAt

WORDS = "apple river engine window cloud music letter garden stone copper violet harbour".split()  # noqa: SIM905


def files(number: int) -> list[tuple[str, tuple[str, str]]]:
    """Return the files of a job: one to six documents, of one to eight chunks each."""
    rng = random.Random(number)
    return [
        (
            "files",
            (
                f"{number}-{document}.txt",
                "\n\n".join(" ".join(rng.choices(WORDS, k=100)) for _ in range(rng.randint(1, 8))),
            ),
        )
        for document in range(rng.randint(1, 6))
    ]


async def upload(client: httpx.AsyncClient, url: str, number: int) -> str:
    answer = await client.post(
        f"{url}/jobs/upload", files=files(number), headers={"accept": "application/json"}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def test_a_hundred_jobs_are_counted_exactly_over_connections_that_are_lost(site_at: SiteAt) -> None:
    """For each of a hundred jobs, several at once, what a page adds up is what is in the store, chunk for chunk."""
    async with site_at() as (site, url), Relay(url) as relay:
        listener = Listener(relay.url, relay)
        steady = Listener(url)
        async with asyncio.TaskGroup() as group, httpx.AsyncClient(timeout=30) as client:
            tasks = [group.create_task(each.listen()) for each in (listener, steady)]
            jobs: list[str] = []
            for number in range(100):
                await steady.until_there_are(12)
                jobs.append(await upload(client, url, number))
            await listener.until(*jobs)
            await steady.until(*jobs)
            for task in tasks:
                task.cancel()
        expected = [await asyncio.to_thread(stored_chunks, site, f"{number}-*") for number in range(100)]

    assert all(expected)
    for one in (listener, steady):
        assert [one.chunks[job] for job in jobs] == expected
        assert [sum(one.events[job]) for job in jobs] == expected
        assert one.snapshots == 1  # the one that it began with
        assert all(later == earlier + 1 for earlier, later in pairwise(one.numbers))
    assert listener.connections > 50


async def test_who_falls_behind_is_told_the_totals_and_is_right_again(site_at: SiteAt) -> None:
    """With a journal of eight entries a page that keeps losing its connection misses events, and never the sum."""
    async with site_at(entries=8) as (site, url), Relay(url) as relay:
        listener = Listener(relay.url, relay, seed=1)
        async with asyncio.TaskGroup() as group, httpx.AsyncClient(timeout=30) as client:
            task = group.create_task(listener.listen())
            jobs = await asyncio.gather(*[upload(client, url, number) for number in range(12)])
            await listener.until(*jobs)
            task.cancel()
        expected = [await asyncio.to_thread(stored_chunks, site, f"{number}-*") for number in range(12)]

    assert [listener.chunks[job] for job in jobs] == expected
    assert listener.snapshots > 1
    assert listener.numbers == sorted(listener.numbers)


@pytest.mark.parametrize("place", ["", "nonsense", "0123abcd-5", "-1", "%00", "9" * 5_000])
async def test_a_place_that_never_was_gets_the_totals(site_at: SiteAt, place: str) -> None:
    """Whatever a page says it saw last, it is told how things stand, and goes on from there."""
    async with (
        site_at() as (_, url),
        httpx.AsyncClient() as client,
        client.stream("GET", f"{url}/events", params={"after": place}) as answer,
    ):
        lines = answer.aiter_lines()
        first = [await anext(lines) for _ in range(2)]

    assert "event: snapshot" in first
