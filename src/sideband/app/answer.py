"""An answer from passages: what a model is asked, how its answer is counted, which passages it cites. May import the app.

The counting is a `GenerationHook` that only reads what it is told.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import final

from sideband.components import Document, Message, Usage
from sideband.generation import Frame, GenerateEndInfo, GenerateStartInfo, GenerationHook, Options, Request

__all__ = ["AnswerMeter", "cited", "request_for"]

_INSTRUCTIONS = (
    "Answer the question in one to three sentences, from the passages alone. "
    "Name the passages that you use by their numbers, like [1]. "
    "If the passages do not say it, say that they do not."
)
_PLAINLY = (
    "Here are passages from the documentation.\n\n{passages}\n\n"
    "With these passages, answer this question in one sentence: {question}"
)
_PASSAGE_CHARACTERS = 800
_CITATION = re.compile(r"\[(\d{1,3})\]")


def request_for(
    question: str, passages: Sequence[Document], *, max_tokens: int, small: bool, model: str = ""
) -> Request:
    """Return what a model is asked: the passages by number, and the question.

    Args:
        question: what the user wants to know.
        passages: what was found.
        max_tokens: how long the answer may get.
        small: whether the model is one that is led astray by more than one plain instruction.
        model: the provider's name of it, for whoever watches; empty for its default.
    """
    told = "\n\n".join(
        f"[{number}] {passage.metadata['title']}: {_shortened(passage.text)}"
        for number, passage in enumerate(passages, start=1)
    )
    if small:
        asked: tuple[Message, ...] = (Message.user(_PLAINLY.format(passages=told, question=question)),)
        options = Options(temperature=0.0, frequency_penalty=0.3, max_tokens=max_tokens)
    else:  # not all of them take a temperature
        asked = (Message.system(_INSTRUCTIONS), Message.user(f"Passages:\n\n{told}\n\nQuestion: {question}"))
        options = Options(max_tokens=max_tokens)
    return Request(asked, model=model, options=options, function_id="ask")


def _shortened(text: str) -> str:
    plain = " ".join(text.split())
    return (
        plain if len(plain) <= _PASSAGE_CHARACTERS else plain[:_PASSAGE_CHARACTERS].rsplit(" ", 1)[0] + " …"
    )


def cited(answer: str, passages: Sequence[Document]) -> set[int]:
    """Return the numbers of the passages that an answer names, from 1."""
    return {number for number in map(int, _CITATION.findall(answer)) if 1 <= number <= len(passages)}


@final
class AnswerMeter(GenerationHook):
    """How far an answer is: time to its first token, tokens, tokens a second.

    Until the provider tells how many tokens it has written, pieces of text are counted for them.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Stand before the start; `clock` gives seconds."""
        self._clock = clock
        self._began = clock()
        self._first: float | None = None
        self.pieces = 0
        self.ended: GenerateEndInfo | None = None

    def on_generate_start(self, info: GenerateStartInfo) -> None:  # noqa: ARG002
        self._began = self._clock()

    def on_frame(self, frame: Frame, elapsed: float) -> None:
        if frame.kind in {"text", "reasoning"}:
            self.pieces += 1
            if self._first is None:
                self._first = elapsed

    def on_generate_end(self, info: GenerateEndInfo) -> None:
        self.ended = info

    @property
    def seconds(self) -> float:
        """Since the start, up to the end."""
        return self._clock() - self._began if self.ended is None else self.ended.duration

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds; None before there was one."""
        return self._first

    @property
    def usage(self) -> Usage | None:
        """What the provider told; None before it did."""
        return self.ended.usage if self.ended is not None and self.ended.usage.total_tokens else None

    @property
    def tokens(self) -> int:
        """Tokens written: as the provider counts them, or else pieces of text."""
        return self.usage.output_tokens if self.usage is not None else self.pieces

    @property
    def rate(self) -> float | None:
        """Tokens a second since the first one; None before there were two."""
        if self._first is None or self.tokens < 2 or self.seconds <= self._first:
            return None
        return (self.tokens - 1) / (self.seconds - self._first)
