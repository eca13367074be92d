"""The live view as an ASGI application: a thin driver of Starlette around a history.

A connection that listens keeps a position in the history and nothing else: what it sends next is worked out when
the browser has taken what was sent before, so that a slow or dead one holds nothing back and piles nothing up.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, TypeVar, final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sideband.exporters.history import CaptureMode, Chunk, Event, History, Position, Record, Redact
from sideband.exporters.live._filter import Filter, tree
from sideband.exporters.live._rows import array, encode, message, totals
from sideband.exporters.live.access import Access, Receive, Scope, Send
from sideband.exporters.live.pages import STATIC, environment
from sideband.runs import Component, Outcome
from sideband.scope import Registration, add_global_handler

__all__ = ["LiveView", "live_view"]

_INTERVAL: Final = 0.2
"""Seconds between two looks at the history, for each browser that listens."""
_PAGE: Final = 400
"""The most runs of one message: some milliseconds' work, after which others have their turn."""
_SHOWN: Final = 200
"""Runs on a page without script."""
_SEND_TIMEOUT: Final = 20.0
_MOST_LISTENERS: Final = 100
_TEMPLATES: Final = environment()
"""Read with this module, so that a view can be made on a running event loop without blocking it."""

_Placed = TypeVar("_Placed", Chunk, Event)
Navigation = Sequence[tuple[str, str]]
"""Labels and addresses of an application's pages."""


@final
class LiveView:
    """An ASGI application that shows a history of runs; made by `live_view`.

    Closing: `close` ends what it streams, and takes its own handler out; later requests see the history as it was.
    Threads: the history may be written from any thread; the application runs on one event loop.
    Cost: nothing while nobody looks, but for its handler; for each browser a look every 0.2 s, and what changed.
    """

    def __init__(
        self, history: History, registration: Registration | None, access: Access, closing: _Closing
    ) -> None:
        """Put the parts together."""
        self.history = history
        """What it shows."""
        self._registration = registration
        self._access = access
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._access(scope, receive, send)

    def close(self) -> None:
        """End the streams, and stop watching if the history is its own; twice is harmless."""
        self._closing.closed = True
        if self._registration is not None:
            self._registration.remove()


@final
class _Closing:
    def __init__(self) -> None:
        self.closed = False
        self.listeners = 0


def live_view(
    history: History | None = None,
    *,
    token: str | None = None,
    hosts: Iterable[str] = (),
    nav: Navigation = (),
    capture: CaptureMode | None = None,
    redact: Redact | None = None,
) -> LiveView:
    """Return an application that shows what a program's components are doing, to be mounted in any other.

    ```python
    app.mount("/live", live_view())           # Starlette or FastAPI: everything in the process
    app.mount("/live", live_view(history))    # what a handler of yours has seen
    ```

    Args:
        history: the handler whose runs are shown; without it a new one is registered for the whole process.
        token: what a browser has to give, once, as `?token=…`; without it only this machine may look.
        hosts: further names, without a port, by which this server may be called without a token.
        nav: labels and addresses of the application's own pages, for the bar at the top.
        capture: whether a new history keeps payloads: see `History`.
        redact: what a new history keeps of them: see `History`.

    Raises:
        ValueError: the token is too short, `capture` is none of its words, or it or `redact` is given with a
            history, which has its own.
    """
    registration: Registration | None = None
    if history is not None and (capture is not None or redact is not None):
        raise ValueError("capture and redact belong to a history: give them to History(…) instead")
    closing = _Closing()
    kept = History(capture=capture, redact=redact) if history is None else history
    views = _Views(kept, tuple(nav), closing)
    access = Access(views.application(), token=token, hosts=hosts)
    if history is None:
        registration = add_global_handler(kept)
    return LiveView(kept, registration, access, closing)


@final
class _Views:
    """What is answered to which address."""

    def __init__(self, history: History, nav: Navigation, closing: _Closing) -> None:
        self._history = history
        self._nav = nav
        self._closing = closing
        # A browser that comes back to another history, after a restart, has to begin anew.
        self._epoch = secrets.token_hex(4)

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/runs.json", self.runs),
                Route("/runs/{id}", self.run),
                Route("/runs/{id}/chunks.json", self.chunks),
                Route("/events", self.events),
                Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
            ]
        )

    # -- pages -----------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        chosen = Filter.of(request.query_params)
        found = [record for record in self._history.latest(self._history.max_runs) if chosen.accepts(record)]
        lines = tree(self._history, found[:_SHOWN])
        first = min((record.started_at for _, record in lines), default=0.0)
        last = max((record.started_at + record.elapsed for _, record in lines), default=0.0)
        return self._html(
            request,
            "live.html",
            lines=lines,
            found=len(found),
            span=(first, max(last - first, 1e-6)),
            chosen=chosen,
            kinds=list(Component),
            outcomes=["running", *Outcome],
            totals=totals(self._history),
            capture=self._history.capture,
            state=encode({"epoch": self._epoch, "capture": self._history.capture}),
        )

    async def run(self, request: Request) -> Response:
        record = self._found(request)
        around = self._history.get(record.parent) if record.parent else None
        linked = [(identity, self._history.find(identity)) for identity in record.links]
        return self._html(
            request,
            "run_part.html" if "part" in request.query_params else "run.html",
            record=record,
            around=around,
            chunks=list(record.chunks),
            events=list(record.events),
            inside=self._history.children(record)[:_SHOWN],
            linked=linked[:_SHOWN],
            capture=self._history.capture,
        )

    def _html(self, request: Request, name: str, **context: Any) -> Response:
        root = request.scope.get("root_path", "")
        text = _TEMPLATES.get_template(name).render(
            root=root, static=f"{root}/static", nav=self._nav, here=f"{root}/", **context
        )
        # A text may have lone surrogates, which cannot be sent.
        return HTMLResponse(text.encode("utf-8", "replace"))

    def _found(self, request: Request) -> Record:
        record = self._history.find(request.path_params["id"])
        if record is None:
            raise HTTPException(
                404, "No such run is kept: it may have been dropped to make room for later ones."
            )
        return record

    # -- data ------------------------------------------------------------------------------------

    async def runs(self, request: Request) -> Response:
        """Give summaries of the runs that are looked for, the latest first."""
        chosen = Filter.of(request.query_params)
        found = [record for record in self._history.latest(self._history.max_runs) if chosen.accepts(record)]
        return _json(f'{{"totals":{encode(totals(self._history))},"rows":{array(found[:_SHOWN])}}}')

    async def chunks(self, request: Request) -> Response:
        """Give a run's chunks from a place on, and how it stands."""
        record = self._found(request)
        ended = not record.running
        first, seen = _number(request, "chunk"), _number(request, "event")
        chunks, next_chunk = _from(list(record.chunks), first)
        events, next_event = _from(list(record.events), seen)
        told = {
            "chunks": chunks,
            "next": next_chunk,
            "missed": max(0, next_chunk - len(chunks) - first),
            "events": events,
            "next_event": next_event,
            "elapsed": record.elapsed,
            "ended": ended,
        }
        return _json(encode(told))

    async def events(self, request: Request) -> Response:
        """Stream what changes, from where the browser was."""
        if self._closing.closed:
            return Response(status_code=204)  # which tells a browser not to come back
        if self._closing.listeners >= _MOST_LISTENERS:
            raise HTTPException(503, "Too many browsers are listening.")
        given = request.headers.get("last-event-id") or request.query_params.get("after", "")
        return EventSourceResponse(self._stream(self._position(given)), send_timeout=_SEND_TIMEOUT, ping=15)

    def _position(self, given: str) -> Position | None:
        epoch, _, rest = given.partition(".")
        numbers = rest.split(".")
        if (
            epoch != self._epoch
            or len(numbers) != 2
            or not all(one.isascii() and one.isdigit() for one in numbers)
        ):
            return None
        return Position(int(numbers[0][:18]), int(numbers[1][:18]))

    async def _stream(self, position: Position | None) -> AsyncIterator[ServerSentEvent]:
        self._closing.listeners += 1
        try:
            while not self._closing.closed:
                changes = self._history.changes(position, _PAGE)
                position = changes.position
                if changes.records or changes.dropped or changes.anew:
                    yield ServerSentEvent(
                        message(changes, self._history),
                        id=f"{self._epoch}.{position.changed}.{position.dropped}",
                        retry=1000,
                    )
                await asyncio.sleep(0 if changes.more else _INTERVAL)
        finally:
            self._closing.listeners -= 1


def _from(kept: list[_Placed], place: int) -> tuple[list[_Placed], int]:
    """Return what is at a place and after it, and the place to go on from.

    By the places that they were given, since the watched program may add one at any moment.
    """
    if not kept:
        return [], place
    return kept[max(0, place - kept[0].place) :], kept[-1].place + 1


def _number(request: Request, name: str) -> int:
    given = request.query_params.get(name, "0")
    return int(given[:15]) if given.isascii() and given.isdigit() else 0


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")
