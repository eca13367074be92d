"""A page without a browser: it hears of jobs as the page's script does, over real connections that are lost on purpose."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from typing import Any

import httpx
from tests.http_server import Relay


class Listener:
    """Counts what the events say, and takes a lost connection up where it was."""

    def __init__(self, url: str, relay: Relay | None = None, seed: int = 0) -> None:
        """Listen at an address; with a relay the connection is lost again and again."""
        self._url = url
        self._relay = relay
        self._random = random.Random(seed)
        self._place = ""
        self._changed = asyncio.Condition()
        self.chunks: dict[str, int] = defaultdict(int)
        """What the events of each job add up to: the number that the page shows."""
        self.events: dict[str, list[int]] = defaultdict(list)
        """The items of each progress event."""
        self.jobs: dict[str, dict[str, Any]] = {}
        self.numbers: list[int] = []
        """The number of every event, in the order in which they came."""
        self.snapshots = 0
        self.connections = 0

    async def listen(self) -> None:
        """Listen until cancelled."""
        async with httpx.AsyncClient(timeout=30) as client:
            while True:
                try:
                    await self._hear(client)
                except (httpx.TransportError, httpx.StreamError):
                    await asyncio.sleep(0)  # and again

    async def until(self, *jobs: str) -> None:
        """Wait until these jobs have ended, as far as is known here."""
        async with self._changed:
            await self._changed.wait_for(lambda: all(self.jobs.get(job, {}).get("final") for job in jobs))

    async def until_there_are(self, count: int) -> None:
        """Wait until no more than so many jobs are unfinished."""
        async with self._changed:
            await self._changed.wait_for(lambda: sum(not job["final"] for job in self.jobs.values()) <= count)

    async def _hear(self, client: httpx.AsyncClient) -> None:
        headers = {"last-event-id": self._place} if self._place else {}
        left = self._random.randint(1, 12)
        async with client.stream("GET", f"{self._url}/events", headers=headers) as answer:
            assert answer.status_code == 200
            self.connections += 1
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                    continue
                if "data" in event:
                    await self._apply(event)
                    left -= 1
                event = {}
                if left <= 0 and self._relay is not None:
                    self._relay.drop()
                    left = 1_000_000  # what is on its way already may still be read

    async def _apply(self, event: dict[str, str]) -> None:
        self._place = event["id"]
        self.numbers.append(int(event["id"].partition("-")[2]))
        data = json.loads(event["data"])
        if event["event"] == "snapshot":
            self.snapshots += 1
            self.jobs = {job["id"]: job for job in data["jobs"]}
            self.chunks.update({job["id"]: job["chunks"] for job in data["jobs"]})
        elif event["event"] == "job":
            # What is told of the whole job has to be what the events before it add up to.
            assert self.chunks[data["id"]] == data["chunks"]
            self.jobs[data["id"]] = data
        elif event["event"] == "progress":
            self.chunks[data["id"]] += data["items"]
            self.events[data["id"]].append(data["items"])
        async with self._changed:
            self._changed.notify_all()
