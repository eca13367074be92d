"""Answers from passages, piece by piece. May import the app's answers and prices, generation and the providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, final

from sideband import component
from sideband.app.answer import AnswerMeter, cited, request_for
from sideband.app.errors import AppError
from sideband.app.prices import cost_of
from sideband.app.progress import duration
from sideband.components import Document
from sideband.errors import SidebandError
from sideband.generation import Runtime
from sideband.providers import ClosableProvider, load

__all__ = ["PASSAGES", "Answering", "Model", "TooManyAnswersError"]

_AT_ONCE = 2
PASSAGES = 3
"""How many results an answer is written from: what a small model reads in a bearable time, and still keeps apart."""


class TooManyAnswersError(AppError, RuntimeError):
    """As many answers are being written as may be."""

    def __init__(self, most: int) -> None:
        """Tell how many that is."""
        super().__init__(f"{most} answers are being written already; wait for one of them, or stop one")
        self.most = most


@final
@dataclass(frozen=True, slots=True)
class Model:
    """Who answers."""

    provider: str = "local"
    name: str = ""
    max_tokens: int = 256


@final
class Answering:
    """Lets a language model answer; it is loaded with the first question.

    Cancellation: closing an answer's stream ends it at the provider.
    Closing: `aclose` ends the model's process, where it has one.
    Threads: those of one event loop.
    """

    def __init__(self, model: Model) -> None:
        """Say who answers."""
        self._model = model
        self._loading: asyncio.Task[ClosableProvider] | None = None
        self._writing = 0

    async def answer(self, question: str, found: Sequence[Document]) -> AsyncGenerator[str | dict[str, Any]]:
        """Give an answer's pieces of text as they come, and at last what there is to be told of the whole.

        Raises:
            TooManyAnswersError: others are being written.
            SidebandError: the model cannot be loaded, or gives no answer.
        """
        if self._writing >= _AT_ONCE:
            raise TooManyAnswersError(_AT_ONCE)
        self._writing += 1
        try:
            provider = await self._provider()
            async with aclosing(self._written(provider, question, list(found)[:PASSAGES])) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._writing -= 1

    async def _provider(self) -> ClosableProvider:
        if self._loading is None:
            self._loading = asyncio.create_task(
                asyncio.to_thread(load, self._model.provider, self._model.name)
            )
        try:
            return await asyncio.shield(self._loading)
        except SidebandError:
            self._loading = None  # what was missing may be there next time
            raise

    async def _written(
        self, provider: ClosableProvider, question: str, passages: list[Document]
    ) -> AsyncGenerator[str | dict[str, Any]]:
        small = self._model.provider == "local"
        request = request_for(
            question, passages, max_tokens=self._model.max_tokens, small=small, model=provider.model
        )
        meter = AnswerMeter()

        @component("Chain")
        async def answer(question: str) -> AsyncGenerator[str]:  # noqa: ARG001 - what its run is about
            async with Runtime(provider, hooks=[meter]).generate(request) as stream:
                async for frame in stream:
                    if frame.kind == "text":
                        yield str(frame.content)

        text = ""
        async with aclosing(answer(question)) as pieces:
            async for piece in pieces:
                text += piece
                yield piece
        yield await asyncio.to_thread(_told, meter, provider, cited(text, passages))

    async def aclose(self) -> None:
        """Let go of the model."""
        if self._loading is None:
            return
        (provider,) = await asyncio.gather(self._loading, return_exceptions=True)
        if not isinstance(provider, BaseException):
            await provider.aclose()


def _told(meter: AnswerMeter, provider: ClosableProvider, named: set[int]) -> dict[str, Any]:
    ended = meter.ended
    name = provider.model if ended is None else ended.model
    cost = None if meter.usage is None else cost_of(meter.usage, provider.name, name)
    parts = [name, f"{meter.tokens:,} tokens"]
    if meter.rate is not None:
        parts.append(f"{meter.rate:.0f} tokens/s")
    if meter.time_to_first_token is not None:
        parts.append(f"first after {duration(meter.time_to_first_token)}")
    if cost:
        parts.append(f"${cost:.6f}".rstrip("0"))
    return {"summary": " · ".join(parts), "cited": sorted(named)}
