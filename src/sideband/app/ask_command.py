"""`sideband ask`: find passages, let a model answer from them, show what it cites. May import the app, providers, generation."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

from rich.console import Group
from rich.text import Text

from sideband.app.answer import AnswerMeter, cited, request_for
from sideband.app.answer_view import AnswerView, summary
from sideband.app.prices import cost_of
from sideband.app.screen import errors_console, output_console, print_json, save_picture, store_path
from sideband.app.search_command import listing, result_rows, search
from sideband.app.store import Store
from sideband.components import Document, Usage
from sideband.generation import GenerationStream, Runtime
from sideband.providers import ClosableProvider, load

__all__ = ["AskOptions", "run_ask"]

_PATIENCE = 1.0
"""Seconds that a model has to give one more piece after Ctrl-C, so that its answer is closed and not cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """What the user wants."""

    question: str
    passages: int
    store: Path | None
    provider: str
    model: str
    max_tokens: int
    json: bool
    svg: Path | None


@dataclass(slots=True)
class _Answer:
    text: str = ""
    stopped: bool = False


def run_ask(options: AskOptions) -> int:
    """Answer a question from a store, and return the exit code: 130 if Ctrl-C ended the answer."""
    with Store.open(store_path(options.store)) as store:
        found = search(store, options.question, options.passages)
    if not found:
        output_console().print("nothing to answer from: the store is empty")
        return 1
    meter = AnswerMeter()
    answer, provider = asyncio.run(_answered(options, found, meter))
    _report(options, found, answer, meter, provider)
    return 128 + signal.SIGINT if answer.stopped else 0


async def _answered(
    options: AskOptions, found: Sequence[Document], meter: AnswerMeter
) -> tuple[_Answer, ClosableProvider]:
    answer = _Answer()
    console = errors_console() if options.json else output_console()
    small = options.provider == "local"
    async with load(options.provider, options.model) as provider:
        request = request_for(
            options.question, found, max_tokens=options.max_tokens, small=small, model=provider.model
        )
        runtime = Runtime(provider, hooks=[meter])
        with _Stop() as stop, AnswerView(console, meter, lambda: _cost_so_far(meter, provider)) as view:
            async with runtime.generate(request) as stream:
                while (piece := await _next(stream, stop)) is not None:
                    answer.text += piece
                    if not options.json or console.is_terminal:
                        view.add(piece)
        answer.stopped = stop.wanted.is_set()
    return answer, provider


@final
class _Stop:
    """A block in which Ctrl-C is a wish and no exception, where the system lets an event loop hear of it."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._heard = False

    def __enter__(self) -> Self:
        try:
            self._loop.add_signal_handler(signal.SIGINT, self.wanted.set)
            self._heard = True
        except (NotImplementedError, RuntimeError, ValueError):
            pass  # Windows, or no main thread: Ctrl-C cancels, as it does by itself
        return self

    def __exit__(self, *_: object) -> None:
        if self._heard:
            self._loop.remove_signal_handler(signal.SIGINT)


async def _next(stream: GenerationStream, stop: _Stop) -> str | None:
    """Return the next piece of text; None at the end, or when the user wants no more."""
    while not stop.wanted.is_set():
        frame = await _unless(stop, anext(stream, None))
        if frame is None or stop.wanted.is_set():
            return None
        if frame.kind == "text":
            text: str = frame.content
            return text
    return None


async def _unless(stop: _Stop, pull: Coroutine[Any, Any, Any]) -> Any:
    """Wait for a pull; once the user wants to stop, only a moment longer."""
    pulling = asyncio.ensure_future(pull)
    stopping = asyncio.ensure_future(stop.wanted.wait())
    try:
        await asyncio.wait({pulling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not pulling.done():
            await asyncio.wait({pulling}, timeout=_PATIENCE)
        if pulling.done():
            return pulling.result()
        pulling.cancel()
        await asyncio.wait({pulling})
        return None
    finally:
        stopping.cancel()
        if not pulling.done():
            pulling.cancel()


def _report(
    options: AskOptions,
    found: Sequence[Document],
    answer: _Answer,
    meter: AnswerMeter,
    provider: ClosableProvider,
) -> None:
    model = meter.ended.model if meter.ended is not None else provider.model
    cost = None if meter.usage is None else cost_of(meter.usage, provider.name, model)
    named = cited(answer.text, found)
    if options.json:
        print_json(_as_json(options, found, answer, meter, model, cost, named))
        return
    shown = Group(
        Text("\nPassages", style="bold"),
        *listing(found, marked=named),
    )
    output_console().print(shown)
    outcome = "" if meter.ended is None or meter.ended.outcome == "ok" else f" · {meter.ended.outcome}"
    line = Text(f"{summary(meter, _dollars(cost))} · {model}{outcome}", style="dim")
    errors_console().print(line, soft_wrap=True)
    if options.svg is not None:
        save_picture(options.svg, f'sideband ask "{options.question}"', [Text(answer.text), shown, line])


def _cost_so_far(meter: AnswerMeter, provider: ClosableProvider) -> str:
    """Say what an answer costs while it is written: at least its tokens, since what was read is told at the end."""
    cost = cost_of(Usage(output_tokens=meter.tokens), provider.name, provider.model)
    return f"≥ {_dollars(cost)}" if cost else _dollars(cost)


def _dollars(cost: float | None) -> str:
    if cost is None:
        return ""
    return "free" if cost == 0 else f"${cost:.6f}".rstrip("0")


def _as_json(
    options: AskOptions,
    found: Sequence[Document],
    answer: _Answer,
    meter: AnswerMeter,
    model: str,
    cost: float | None,
    named: set[int],
) -> dict[str, Any]:
    rows = result_rows(found)
    usage = meter.usage
    return {
        "question": options.question,
        "answer": answer.text,
        "outcome": meter.ended.outcome if meter.ended is not None else None,
        "model": model,
        "time_to_first_token": meter.time_to_first_token,
        "seconds": meter.seconds,
        "tokens": meter.tokens,
        "input_tokens": None if usage is None else usage.input_tokens,
        "cost_usd": cost,
        "passages": [{**row, "cited": row["rank"] in named} for row in rows],
    }
