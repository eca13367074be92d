"""Answers that are given again. May import observe and components.

1. The key is a digest of all that a provider is sent, of the provider's name, and of the scope within which answers are
   shared. What is for hooks alone (`request_id`, `function_id`, `metadata`) is not in it.
2. Only an answer that came to its end is kept: with its finish marker, and not refused.
3. What was consumed counts once: a replayed usage has its tokens, which describe the answer, but a cost of 0, and says in
   its details how many of them were not consumed anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, final

from sideband.components import Usage, from_jsonable, to_jsonable
from sideband.errors import SerialisationError
from sideband.generation._cache_store import CacheStore, MemoryStore
from sideband.generation._flight import Flight
from sideband.generation._frames import CACHED, RESTART, Frame, ResponseMeta
from sideband.generation._provider import Provider, makes_runs, provider_name
from sideband.generation._request import Request
from sideband.observe import emit
from sideband.streams._sources import close_source

__all__ = ["CACHE", "CacheUse", "cache"]

CACHE = "cache"
"""The event by which `cache` tells its run what it did with a request: a `CacheUse`."""

_VERSION = 1
_WHOLE = frozenset({"stop", "length", "tool_calls"})

_logger = logging.getLogger("sideband")

Scope: TypeAlias = str | Callable[[Request], str] | None


class CacheUse(NamedTuple):
    """What a cache did with a request."""

    status: Literal["hit", "miss", "shared", "skipped"]
    """Given out of the store; asked for; joined to an equal request that is under way; asked for, and not to be kept,
    since the request has no form in JSON."""
    key: str
    """The request's digest; empty for one that has none."""


def cache(
    provider: Provider, *, scope: Scope, store: CacheStore | None = None, share: bool = True
) -> Provider:
    """Make a provider that gives the same answer to the same request.

    A cached answer has the frames of the one that was kept. Its response says so in its `metadata` (`CACHED`), and so
    does `info.cached` to hooks; its usages have the tokens of the answer, a cost of 0, and the details
    "replayed_input_tokens" and "replayed_output_tokens". The run around it is told by the event `CACHE`.

    Args:
        provider: who is asked.
        scope: within which answers are shared: a text, or a function that gives the one of a request (a tenant, a
            user). None says that whoever asks the same may get the same.
        store: where answers are kept; by default a `MemoryStore` of its own.
        share: whether equal requests at the same time are one call. It is made in a task of its own, no faster than its
            quickest reader reads, with the context of the first one. The usage of a shared call counts once, for
            whoever has it first; the others' is as that of a cached answer.

    Order: frames come as they did.
    Cancellation: of one reader of a shared call ends its own stream alone; that of the last one, the call.
    Closing: as cancellation.
    Threads: as the provider and the store; requests are shared within one event loop.
    Cost: about 7 µs a frame for an answer that is kept, since it is written and read back; as much again where it is
        made in a task of its own.

    Raises:
        TypeError: `scope` is neither a text nor a function nor None.
    """
    if not (scope is None or isinstance(scope, str) or callable(scope)):
        raise TypeError(f"scope is a text, a function of the request, or None for everybody, got {scope!r}")
    return _Cached(provider, scope, MemoryStore() if store is None else store, share)


@final
class _Cached:
    """A provider that gives the same answer to the same request."""

    def __init__(self, provider: Provider, scope: Scope, store: CacheStore, share: bool) -> None:
        self.name = provider_name(provider)
        self.makes_runs = makes_runs(provider)
        self._provider = provider
        self._scope = scope
        self._store = store
        self._share = share
        self._flights: dict[tuple[asyncio.AbstractEventLoop, str], Flight] = {}

    def __repr__(self) -> str:
        return f"cache({self._provider!r})"

    async def generate(self, request: Request, /) -> AsyncGenerator[Frame]:
        frames = await self._frames(request)
        try:
            async for frame in frames:
                yield frame
        finally:
            await close_source(frames)

    async def _frames(self, request: Request) -> AsyncIterator[Frame]:
        try:
            key = self._key(request)
        except SerialisationError:
            emit(CACHE, CacheUse("skipped", ""))
            return aiter(self._provider.generate(request))
        kept = await self._kept(key)
        if kept is not None:
            emit(CACHE, CacheUse("hit", key))
            return _replayed(kept)
        place = (asyncio.get_running_loop(), key)
        flight = self._flights.get(place)
        emit(CACHE, CacheUse("miss" if flight is None else "shared", key))
        if not self._share:
            return self._recorded(key, request)
        if flight is None:
            source = aiter(self._provider.generate(request))
            flight = Flight(source, partial(self._keep, key), partial(self._forget, place))
            self._flights[place] = flight
        return _shared(flight)

    def _forget(self, place: tuple[asyncio.AbstractEventLoop, str], flight: Flight) -> None:
        if self._flights.get(place) is flight:  # another one may have begun
            del self._flights[place]

    def _key(self, request: Request) -> str:
        scope = self._scope(request) if callable(self._scope) else self._scope
        sent = replace(request, request_id=None, function_id=None, metadata={})
        told = json.dumps([_VERSION, self.name, scope, to_jsonable(sent)], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    async def _recorded(self, key: str, request: Request) -> AsyncGenerator[Frame]:
        source = aiter(self._provider.generate(request))
        frames: list[Frame] = []
        try:
            async for frame in source:
                frames.append(frame)
                yield frame
            await self._keep(key, frames)
        finally:
            await close_source(source)

    async def _kept(self, key: str) -> list[Frame] | None:
        try:
            value = await self._store.get(key)
            return None if value is None else _read(value)
        except Exception:  # a store that is away, or has what is no answer, must not take the model away, too
            _logger.exception("a cached answer could not be read from %r; the model is asked", self._store)
            return None

    async def _keep(self, key: str, frames: list[Frame]) -> None:
        responses = [frame.content for frame in frames if frame.kind == "response"]
        if not responses or responses[-1].finish_reason not in _WHOLE or Frame.control(RESTART) in frames:
            return
        try:
            value = json.dumps(to_jsonable(frames)).encode()
            same = _read(value) == frames
        except SerialisationError:
            return
        if not same:  # a frame with a value of somebody's own would come back as another one
            return
        try:
            await self._store.put(key, value)
        except Exception:  # as above
            _logger.exception("an answer could not be kept in %r", self._store)


def _read(value: bytes) -> list[Frame]:
    frames: list[Frame] = from_jsonable(json.loads(value))
    if not isinstance(frames, list) or not all(isinstance(frame, Frame) for frame in frames):
        raise ValueError("it is no list of frames")
    return frames


async def _replayed(frames: list[Frame]) -> AsyncGenerator[Frame]:
    for frame in frames:
        yield _marked(frame)


async def _shared(flight: Flight) -> AsyncGenerator[Frame]:
    readers = flight.read()
    try:
        async for frame, first in readers:
            yield frame if first else _marked(frame)
    finally:
        await readers.aclose()


def _marked(frame: Frame) -> Frame:
    """Return a frame as that of an answer for which nothing was consumed."""
    content: Any = frame.content
    if isinstance(content, Usage):
        return Frame.usage(_replayed_usage(content))
    if isinstance(content, ResponseMeta):
        usage = None if content.usage is None else _replayed_usage(content.usage)
        return Frame.response(replace(content, usage=usage, metadata={**content.metadata, CACHED: True}))
    return frame


def _replayed_usage(usage: Usage) -> Usage:
    replayed = {
        "replayed_input_tokens": usage.input_tokens,
        "replayed_output_tokens": usage.output_tokens,
    }
    return replace(usage, cost=0.0, details={**usage.details, **replayed})
