"""What hooks are told of a generation as a whole, and where it is recorded: on its run. May import components and runs.

A run of kind ChatModel says what it is in these entries of its `attributes`; `wrap_stream` fills them, and so can
whoever else makes such runs.

    model, provider          asked for and by whom; else the run's name and type
    messages, tools          how many the request has; else counted in the input
    request_id, function_id  the caller's names; else the run's id, and None
    metadata                 the request's own, over those of the scope
    response_model, response_id, finish_reason      what the provider said
    time_to_first_frame      seconds to the first frame that is no usage
    cached                   whether the answer came out of a cache
    executes_tools           whether somebody tells of tool calls by events, so that their frames do not
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from sideband.components import ChatModelInput, ChatModelOutput, Message, Usage
from sideband.components._wrap import CONVERSIONS
from sideband.generation._frames import CACHED
from sideband.runs import Component, Outcome, Run

__all__ = ["DEFAULT_MODEL", "GenerateEndInfo", "GenerateStartInfo", "end_info", "output_of", "start_info"]

DEFAULT_MODEL = "(default)"
"""What hooks read as the model where none was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateStartInfo:
    """What is known of a generation when it starts."""

    provider: str
    """Who is asked ("openai"); empty where nobody says."""
    model: str
    """The model that is asked for; "(default)" where that is left to the provider."""
    messages: int
    """How many messages the request has."""
    tools: int
    """How many tools the request offers."""
    request_id: str
    """The caller's name of the request; the run's id where there is none."""
    function_id: str | None
    """The caller's name of what asks."""
    metadata: Mapping[str, Any]
    """What the caller wants to be seen, over the metadata of the scope."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateEndInfo(GenerateStartInfo):
    """What is known of a generation when it has ended; `model` is the one that answered, where that is known."""

    requested_model: str
    """The model that was asked for."""
    outcome: Outcome
    """How it ended: ok, error, cancelled, or closed, where the consumer stopped early."""
    error: BaseException | None
    """What it failed with; None where it did not."""
    usage: Usage
    """What was consumed, as far as it went and the provider told."""
    finish_reason: str | None
    """Why the model stopped; None where it did not, or nobody says."""
    response_id: str | None
    """The provider's name of the answer."""
    duration: float
    """Seconds from the start to the end."""
    time_to_first_frame: float | None
    """Seconds from the start to the first frame that is no usage; None without one."""
    cached: bool = False
    """Whether the answer came out of a cache: its tokens are those of the answer that was kept, its cost is 0."""


def start_info(run: Run) -> GenerateStartInfo:
    """Return what a run says of its generation at the start."""
    attributes = run.attributes
    given: Mapping[str, Any] = attributes.get("metadata") or {}
    asked = ChatModelInput(())
    if "messages" not in attributes:  # not made by `wrap_stream`: its input may say
        typed = CONVERSIONS[Component.CHAT_MODEL][0](run, run.input)
        asked = typed if isinstance(typed, ChatModelInput) else asked
    return GenerateStartInfo(
        provider=attributes.get("provider") or run.type,
        model=attributes.get("model") or run.name or DEFAULT_MODEL,
        messages=attributes.get("messages", len(asked.messages)),
        tools=attributes.get("tools", len(asked.tools)),
        request_id=attributes.get("request_id") or run.id,
        function_id=attributes.get("function_id"),
        metadata={**run.metadata, **given},
    )


def end_info(run: Run, output: ChatModelOutput | None) -> GenerateEndInfo:
    """Return what a run says of its generation, which has ended, and what its output adds to that."""
    asked, attributes = start_info(run), run.attributes
    given = output or ChatModelOutput(Message("assistant"))
    used = run.usage if isinstance(run.usage, Usage) else given.usage
    return GenerateEndInfo(
        provider=asked.provider,
        model=attributes.get("response_model") or given.model or asked.model,
        messages=asked.messages,
        tools=asked.tools,
        request_id=asked.request_id,
        function_id=asked.function_id,
        metadata=asked.metadata,
        requested_model=asked.model,
        outcome=run.outcome or Outcome.OK,
        error=run.error,
        usage=used or Usage(),
        finish_reason=attributes.get("finish_reason") or given.finish_reason,
        response_id=attributes.get("response_id") or given.id,
        duration=run.elapsed,
        time_to_first_frame=attributes.get("time_to_first_frame", run.time_to_first_chunk),
        cached=attributes.get(CACHED, False),
    )


def output_of(run: Run, output: Any) -> ChatModelOutput | None:
    """Return the output of a run as a chat model's, where it can be read as one."""
    typed = CONVERSIONS[Component.CHAT_MODEL][1](run, output)
    return typed if isinstance(typed, ChatModelOutput) else None
