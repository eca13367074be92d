"""An answer of chat completions, from the chunks of any library that has them. May import generation and components; no SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from sideband.components import Message, MessageJoiner, ToolCall, Usage
from sideband.generation import Frame
from sideband.providers._sdk import response_frame

__all__ = ["FINISH_REASONS", "ChatAnswer"]

FINISH_REASONS: Mapping[str, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # Of responses.
    "completed": "stop",
    "max_output_tokens": "length",
}
"""Ours, by OpenAI's."""


@final
class ChatAnswer:
    """What is known of one answer of chat completions."""

    def __init__(self) -> None:
        self._calls = MessageJoiner()
        self._finish: str | None = None
        self._refused = False
        self._usage: Any = None
        self._model: str | None = None
        self._id: str | None = None
        self._fingerprint: str | None = None

    def frames(self, chunk: Any) -> list[Frame]:
        """Take a chunk; return what can go out."""
        # Some servers tell the usage so far with every chunk, so the last one counts.
        self._usage = getattr(chunk, "usage", None) or self._usage
        self._model = chunk.model or self._model
        self._id = chunk.id or self._id
        self._fingerprint = getattr(chunk, "system_fingerprint", None) or self._fingerprint
        frames: list[Frame] = []
        for choice in chunk.choices or ():
            self._finish = choice.finish_reason or self._finish
            # Servers differ in the name; the protocol itself has none for thoughts.
            thought = getattr(choice.delta, "reasoning_content", None) or getattr(
                choice.delta, "reasoning", None
            )
            if isinstance(thought, str) and thought:
                frames.append(Frame.reasoning(thought))
            refusal = getattr(choice.delta, "refusal", None)
            self._refused = self._refused or bool(refusal)
            if said := choice.delta.content or refusal:
                frames.append(Frame.text(said))
            for part in choice.delta.tool_calls or ():
                function = part.function
                name, arguments = (function.name, function.arguments) if function else (None, None)
                fragment = ToolCall(part.id or "", name or "", arguments or "", part.index)
                self._calls.add(Message("assistant", tool_calls=(fragment,)))
        return frames

    def end(self) -> list[Frame]:
        """Return what can be said only when the stream has ended; no response where the model was not through."""
        frames = [] if self._usage is None else [Frame.usage(_chat_usage(self._usage))]
        if self._finish is None:
            return frames
        calls = self._calls.value.tool_calls
        response = response_frame(
            FINISH_REASONS,
            self._finish,
            calls=bool(calls),
            refused=self._refused,
            model=self._model,
            answer_id=self._id,
            system_fingerprint=self._fingerprint,
        )
        return [*map(Frame.tool_call, calls), *frames, response]


def _chat_usage(usage: Any) -> Usage:
    read, written = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens or 0,
        cached_tokens=(read and read.cached_tokens) or 0,
        reasoning_tokens=(written and written.reasoning_tokens) or 0,
    )
