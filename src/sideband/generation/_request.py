"""What a provider is asked. May import components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, final

from sideband.components import Message, ToolDefinition, serialisable
from sideband.components._values import nothing

__all__ = ["Askable", "Options", "Request"]


@final
@serialisable
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a model is to answer; None leaves a setting to the provider."""

    temperature: float | None = None
    """How far it may stray from the likeliest word: 0 for not at all."""
    top_p: float | None = None
    """The share of likelihood from which it may choose, up to 1."""
    top_k: int | None = None
    """The number of words from which it may choose, where a provider has that."""
    max_tokens: int | None = None
    """How long the answer may get."""
    stop: Sequence[str] = ()
    """Texts at which it stops."""
    seed: int | None = None
    """For answers that can be had again, as far as the provider can."""
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning: Literal["none", "low", "medium", "high"] | None = None
    """How much it is to think first, where it can."""
    parallel_tool_calls: bool | None = None
    """Whether it may ask for several calls of tools at once."""
    extra: Mapping[str, Any] = field(default_factory=nothing)
    """Settings that only one provider has, as its SDK names them; they go to its call as they are."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model: a conversation, and how it is to be answered."""

    messages: Sequence[Message]
    """Oldest first; instructions are messages of the role "system"."""
    model: str = ""
    """The provider's name of the model; empty for the provider's default."""
    tools: Sequence[ToolDefinition] = ()
    """The tools that the model may ask to have called."""
    tool_choice: str | None = None
    """"auto", "required", "none", or the name of the tool to call; None leaves it to the provider."""
    options: Options = field(default_factory=Options)
    response_schema: Mapping[str, Any] | None = None
    """The JSON schema that the text of the answer is to fit."""
    request_id: str | None = None
    """The caller's own name of this request; hooks see it."""
    function_id: str | None = None
    """The caller's name of what asks: an agent, a feature; hooks see it."""
    metadata: Mapping[str, Any] = field(default_factory=nothing)
    """Whatever the caller wants hooks to see; it is not sent to the provider."""

    @staticmethod
    def of(asked: Askable) -> Request:
        """Return a request as it is, and make one of a text, a message or several.

        Raises:
            TypeError: it is none of these.
        """
        if isinstance(asked, Request):
            return asked
        if isinstance(asked, str):
            return Request((Message.user(asked),))
        if isinstance(asked, Message):
            return Request((asked,))
        messages: tuple[Any, ...] = tuple(asked) if isinstance(asked, Sequence) else ()
        if not messages or not all(isinstance(message, Message) for message in messages):
            raise TypeError(f"a request is a text, a Message, several, or a Request, got {asked!r}")
        return Request(messages)


Askable: TypeAlias = Request | str | Message | Sequence[Message]
"""What a request can be made of."""
