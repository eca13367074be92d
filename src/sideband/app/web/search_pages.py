"""The page *Search*: results, and an answer that is written from them. May import Starlette and the web page's parts."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, final
from urllib.parse import parse_qsl

from markupsafe import Markup, escape
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sideband.app.screen import printable
from sideband.app.web.answering import PASSAGES
from sideband.app.web.excerpts import excerpt, linked, marked, settled
from sideband.app.web.recent import Search
from sideband.app.web.site import Site, wants_json
from sideband.components import Document
from sideband.errors import SidebandError

__all__ = ["search_routes"]

_RESULTS = 8
_EXCERPT = 320
_LONGEST_QUESTION = 1_000
_MAX_FORM = 16 * 2**10
_MARK = "\0answer\0"
"""Stands where the answer will, in a page that is sent while it is written; no document has it."""


def search_routes(site: Site) -> list[Route]:
    """Return the routes of the page and of its answers."""
    pages = _SearchPages(site)
    return [Route("/search", pages.search), Route("/answer", pages.answer, methods=["POST"])]


@final
class _SearchPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def search(self, request: Request) -> Response:
        question = " ".join(request.query_params.get("q", "").split())
        if len(question) > _LONGEST_QUESTION:
            problem = f"the question is longer than {_LONGEST_QUESTION:,} characters; say it in fewer"
            return self._page(question[:_LONGEST_QUESTION], problem=problem, status=400)
        if not question:
            return self._page("")
        try:
            found = await self._site.bench.search(question, _RESULTS)
            await self._site.tell_store()
        except SidebandError as error:
            return self._page(question, problem=str(error), status=500)
        # Only the page's own form may have an answer written at once: a model may cost money, and a link none.
        own = request.headers.get("sec-fetch-site") == "same-origin"
        at_once = own and request.query_params.get("then") == "answer" and bool(found)
        return self._page(question, self._site.recent.add(question, found), at_once=at_once)

    async def answer(self, request: Request) -> Response:
        form = await _small_form(request)
        search = self._site.recent.get(form.get("search", ""))
        if search is None or not search.found:
            why = "these results are too old to answer from; search again"
            if wants_events(request) or wants_json(request):
                return JSONResponse({"error": why}, status_code=410)
            return self._page(form.get("q", ""), problem=why, status=410)
        if wants_events(request):
            return EventSourceResponse(self._events(search), ping=15, sep="\n")
        page = self._page_text(search.question, search, writing=True)
        return StreamingResponse(self._whole(search, page), media_type="text/html")

    async def _events(self, search: Search) -> AsyncGenerator[ServerSentEvent]:
        try:
            async with aclosing(self._site.answering.answer(search.question, search.found)) as pieces:
                async for piece in pieces:
                    kind, data = ("piece", {"text": piece}) if isinstance(piece, str) else ("done", piece)
                    yield _event(kind, data)
        except SidebandError as error:
            yield _event("problem", {"text": str(error)})

    async def _whole(self, search: Search, page: str) -> AsyncGenerator[str]:
        """Give a page piece by piece, its answer as it is written: for browsers without scripts."""
        before, after = page.split(_MARK)
        yield before
        waiting = ""
        try:
            async with aclosing(self._site.answering.answer(search.question, search.found)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, str):
                        waiting += piece
                        cut = settled(waiting)
                        yield _as_links(waiting[:cut], len(search.found))
                        waiting = waiting[cut:]
                    else:
                        yield _as_links(waiting, len(search.found))
                        yield Markup('</p><p class="quiet small num">{}').format(piece["summary"])
        except SidebandError as error:
            yield Markup('{}</p><p class="note bad">{}').format(waiting, str(error))
        yield after

    def _page(
        self,
        question: str,
        search: Search | None = None,
        *,
        problem: str = "",
        status: int = 200,
        at_once: bool = False,
    ) -> Response:
        values = _values(question, search, problem=problem, at_once=at_once)
        return self._site.page("search.html", "/search", status=status, **values)

    def _page_text(self, question: str, search: Search, *, writing: bool) -> str:
        return self._site.render("search.html", "/search", **_values(question, search, writing=writing))


def wants_events(request: Request) -> bool:
    """Tell whether a script asks for an answer piece by piece."""
    return "text/event-stream" in request.headers.get("accept", "")


def _values(
    question: str,
    search: Search | None,
    *,
    problem: str = "",
    at_once: bool = False,
    writing: bool = False,
) -> dict[str, Any]:
    found: Sequence[Document] = search.found if search is not None else ()
    return {
        "question": question,
        "longest": _LONGEST_QUESTION,
        "search": search,
        "results": [_result(document, question) for document in found],
        "problem": problem,
        "at_once": at_once,
        "writing": writing,
        "mark": _MARK,
        "passages": PASSAGES,
    }


def _result(document: Document, question: str) -> Mapping[str, Any]:
    """Return what is shown of a result."""
    metadata = document.metadata
    title, source = printable(metadata["title"]), printable(metadata["source"])
    short = excerpt(document.text, question, _EXCERPT)
    whole = " ".join(document.text.split())
    return {
        "title": title,
        "score": max(document.score or 0.0, 0.0),
        "source": "" if source == title else source,
        "place": printable(str(metadata["place"]))
        or (f"line {metadata['line']}" if metadata["collection"] != "stdlib" else ""),
        "excerpt": marked(short, question),
        "whole": marked(document.text, question) if short != whole else [],
    }


def _as_links(text: str, passages: int) -> Markup:
    parts = [
        escape(part) if number is None else Markup('<a href="#result-{0}">{1}</a>').format(number, part)
        for part, number in linked(text, passages)
    ]
    return Markup("").join(parts)


def _event(kind: str, data: Mapping[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data), event=kind, sep="\n")


async def _small_form(request: Request) -> dict[str, str]:
    """Return the fields of a form without files; what is longer than such a form is not read."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_FORM:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))
