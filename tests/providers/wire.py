"""An HTTP server on a real socket that answers each request as its test says, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

End = Literal["whole", "cut", "hold"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: a status, headers, and a body that goes out piece by piece."""

    pieces: Sequence[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/event-stream"
    end: End = "whole"
    """Whether the body is ended as the protocol says, its connection is closed without that, or nothing more comes."""
    silent: bool = False
    """Whether not even the headers are sent."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: Any


class WireServer:
    """Serves its replies in order, the last one again and again."""

    def __init__(self, *replies: Reply) -> None:
        """Keep the replies for the requests to come."""
        self._replies = list(replies)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[Received] = []
        self._left = asyncio.Event()

    @property
    def url(self) -> str:
        """Its address, without a path."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def disconnected(self, *, timeout: float = 10.0) -> None:
        """Wait until a client has closed a connection whose reply was not through."""
        await asyncio.wait_for(self._left.wait(), timeout)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and answer it; return whether the connection may take another."""
        self.requests.append(await received(reader))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        try:
            await send(reply, writer)
            if reply.end == "hold" or reply.silent:
                await reader.read()
                self._left.set()
        except ConnectionError:
            self._left.set()
        return reply.end == "whole" and not self._left.is_set()


async def send(reply: Reply, writer: asyncio.StreamWriter) -> None:
    """Send a reply, piece by piece."""
    if reply.silent:
        return
    headers = {"content-type": reply.content_type, "transfer-encoding": "chunked", **reply.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {reply.status} Scripted\r\n{head}\r\n".encode())
    for piece in reply.pieces:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        # Another turn of the loop: the client may read this piece before the next one is there.
        await asyncio.sleep(0)
    if reply.end == "whole":
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def received(reader: asyncio.StreamReader) -> Received:
    """Read one request."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(lines[0].split(" ")[1], headers, json.loads(body) if body else None)
