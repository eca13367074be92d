"""The page *Index*: jobs, and what starts and cancels them. May import Starlette and the web page's parts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import final

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sideband.app.corpus import Corpus
from sideband.app.errors import AppError
from sideband.app.files import MAX_FILE_BYTES, MAX_PICTURED_BYTES, SUFFIXES, file_corpus
from sideband.app.screen import printable
from sideband.app.stdlib import stdlib_corpus
from sideband.app.web.board import TooManyJobsError
from sideband.app.web.jobs import Job, JobState
from sideband.app.web.runner import Work
from sideband.app.web.site import Site, wants_json
from sideband.app.web.uploads import Upload, UploadRefusedError
from sideband.app.web.views import job_view, problem_view

__all__ = ["job_routes"]

_PIECE_SECONDS = 60.0
"""How long a browser may send nothing of a body."""
_SEND_SECONDS = 60.0
_MOST_IN_VAIN = 2 * 2**30
_STDLIB = "Python\N{RIGHT SINGLE QUOTATION MARK}s standard library"


def job_routes(site: Site) -> list[Route]:
    """Return the routes of the page and of what it does."""
    pages = _JobPages(site)
    return [
        Route("/", pages.index),
        Route("/events", pages.events),
        Route("/jobs/upload", pages.upload, methods=["POST"]),
        Route("/jobs/stdlib", pages.stdlib, methods=["POST"]),
        Route("/jobs/folder/{number}", pages.folder, methods=["POST"]),
        Route("/jobs/{id}/cancel", pages.cancel, methods=["POST"]),
    ]


@final
class _JobPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    # -- looking ---------------------------------------------------------------------------------

    async def index(self, request: Request) -> Response:
        await self._site.tell_store()
        return self._page(request)

    def _page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        if problem and wants_json(request):
            return JSONResponse({"error": problem}, status_code=status)
        jobs = [
            (job_view(job), [problem_view(job, problem) for problem in job.problems])
            for job in self._site.board.jobs
        ]
        return self._site.page(
            "index.html",
            "/",
            status=status,
            jobs=jobs,
            problem=problem,
            suffixes=sorted(SUFFIXES),
            most=(MAX_FILE_BYTES // 2**20, MAX_PICTURED_BYTES // 2**20),
        )

    async def events(self, request: Request) -> Response:
        """Tell what changes, from where the page stands: what it saw last, or what it was made with."""
        place = request.headers.get("last-event-id") or request.query_params.get("after")
        return _Events(
            self._changes(place),
            ping=15,
            send_timeout=_SEND_SECONDS,
            sep="\n",
        )

    async def _changes(self, place: str | None) -> AsyncGenerator[ServerSentEvent]:
        async for number, entry in self._site.board.changes(place):
            data = json.dumps(entry.data, separators=(",", ":"))
            yield ServerSentEvent(data, event=entry.kind, id=number, retry=1_000, sep="\n")

    # -- starting and cancelling -----------------------------------------------------------------

    async def stdlib(self, request: Request) -> Response:
        return self._start(request, _STDLIB, lambda: [stdlib_corpus()], key="stdlib")

    async def folder(self, request: Request) -> Response:
        number = request.path_params["number"]
        offered = {str(place): path for place, path in enumerate(self._site.settings.folders)}
        path = offered.get(number)
        if path is None:
            return self._page(request, "there is no such folder on offer", 404)
        return self._start(
            request, printable(str(path)), lambda: [file_corpus([path])], key=f"folder {number}"
        )

    def _start(
        self, request: Request, title: str, corpora: Callable[[], Sequence[Corpus]], *, key: str
    ) -> Response:
        job = self._site.runner.same(key)
        if job is None:
            try:
                job = self._site.board.add(title)
            except TooManyJobsError as error:
                return self._page(request, str(error), 429)
            self._site.runner.start(job, Work(corpora, key=key))
        return _started(request, job)

    async def upload(self, request: Request) -> Response:
        board = self._site.board
        try:
            upload = Upload(
                request.headers.get("content-type", ""), self._site.settings.limits, self._site.uploads
            )
            job = board.add("Upload", JobState.RECEIVING)
        except (UploadRefusedError, TooManyJobsError) as error:
            await _drain(aiter(request.stream()))
            return self._page(request, str(error), getattr(error, "status", 429))
        try:
            await _receive(request, upload)
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(upload.remove))
            if not job.state.final:
                board.move(job, *_ended(error))
            if isinstance(error, UploadRefusedError):
                return self._page(request, str(error), error.status)
            if isinstance(error, (ClientDisconnect, TimeoutError)):
                return self._page(request, "the upload broke off", 400)
            raise
        board.rename(job, upload.title)
        board.move(job, JobState.WAITING)
        self._site.runner.start(job, Work(lambda: [upload.corpus()], upload.remove))
        return _started(request, job)

    async def cancel(self, request: Request) -> Response:
        job = self._site.board.job(request.path_params["id"])
        if job is None:
            return self._page(request, "there is no such job any more", 404)
        self._site.runner.cancel(job)
        return _started(request, job)


@final
class _Events(EventSourceResponse):
    """A stream of events whose reader may be gone without a word."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


async def _receive(request: Request, upload: Upload) -> None:
    """Give a body to the disk as it comes.

    Raises:
        UploadRefusedError: it is not taken.
        TimeoutError: the browser has stopped sending it.
        ClientDisconnect: the browser is gone.
    """
    pieces = aiter(request.stream())
    try:
        while (piece := await _next(pieces)) is not None:
            if piece:
                await asyncio.to_thread(upload.write, piece)
        await asyncio.to_thread(upload.finish)
    except UploadRefusedError:
        await _drain(pieces)
        raise


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    async with asyncio.timeout(_PIECE_SECONDS):
        return await anext(pieces, None)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Let a browser send to the end what is not taken, up to a bound: earlier it does not look at the answer."""
    came = 0
    with suppress(ClientDisconnect, TimeoutError):
        while came < _MOST_IN_VAIN and (piece := await _next(pieces)) is not None:
            came += len(piece)


def _ended(error: BaseException) -> tuple[JobState, str]:
    if isinstance(error, AppError):
        return JobState.FAILED, str(error)
    if isinstance(error, (ClientDisconnect, TimeoutError)):
        return JobState.CANCELLED, "the upload broke off"
    return JobState.FAILED, f"the files could not be received: {error!r}"


def _started(request: Request, job: Job) -> Response:
    if wants_json(request):
        return JSONResponse({"id": job.id}, status_code=202)
    return RedirectResponse(f"/#job-{job.id}", status_code=303)
