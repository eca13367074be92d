"""What components of each kind take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, TypeAlias, final

from sideband.components._json import serialisable
from sideband.components._messages import Message, ToolDefinition
from sideband.components._values import Document, Usage, nothing

__all__ = [
    "ChatModelInput",
    "ChatModelOutput",
    "EmbeddingInput",
    "EmbeddingOutput",
    "IndexerInput",
    "IndexerOutput",
    "LoaderInput",
    "LoaderOutput",
    "PromptInput",
    "PromptOutput",
    "RetrieverInput",
    "RetrieverOutput",
    "ToolInput",
    "ToolOutput",
    "TransformerInput",
    "TransformerOutput",
    "Vectors",
]

Vectors: TypeAlias = Sequence[Sequence[float]]


@final
@serialisable
@dataclass(frozen=True, slots=True)
class ChatModelInput:
    """What a chat model is given."""

    messages: Sequence[Message]
    """The conversation so far, oldest first."""
    tools: Sequence[ToolDefinition] = ()
    """The tools that it may ask to have called."""
    tool_choice: str | None = None
    """"auto", "required", "none" or a tool's name; None leaves it to the provider."""
    options: Mapping[str, Any] = field(default_factory=nothing)
    """Model, temperature, limits: whatever else it was given."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class ChatModelOutput:
    """What a chat model gives; in a stream also a fragment of it."""

    message: Message
    usage: Usage | None = None
    finish_reason: str | None = None
    """Why it stopped: "stop", "length", "tool_calls", "content_filter", or the provider's own word."""
    model: str | None = None
    """The model that answered, where the provider tells."""
    id: str | None = None
    """The provider's name of this answer."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class PromptInput:
    """What a prompt is filled with."""

    variables: Mapping[str, Any]
    """What goes into its gaps, by name."""
    templates: Sequence[Any] = ()
    """The templates that have the gaps, in the form that the component uses."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class PromptOutput:
    """What a prompt gives."""

    messages: Sequence[Message]


@final
@serialisable
@dataclass(frozen=True, slots=True)
class EmbeddingInput:
    """What an embedder is given."""

    texts: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=nothing)
    """Whatever else it was given."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class EmbeddingOutput:
    """What an embedder gives: one vector a text, in the order of the texts."""

    vectors: Vectors
    """Shape (number of texts, dimensions)."""
    usage: Usage | None = None


@final
@serialisable
@dataclass(frozen=True, slots=True)
class RetrieverInput:
    """What a search is given."""

    query: str
    top_k: int | None = None
    """How many documents are wanted at most."""
    score_threshold: float | None = None
    """The score that a document has to have at least."""
    filter: Any = None
    """Which documents come into question, in the store's own form."""
    options: Mapping[str, Any] = field(default_factory=nothing)
    """Whatever else it was given."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class RetrieverOutput:
    """What a search finds, the best first."""

    documents: Sequence[Document]


@final
@serialisable
@dataclass(frozen=True, slots=True)
class IndexerInput:
    """What an index is given to store."""

    documents: Sequence[Document]
    options: Mapping[str, Any] = field(default_factory=nothing)
    """Whatever else it was given."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class IndexerOutput:
    """What an index stored: the documents' ids, in their order."""

    ids: Sequence[str]


@final
@serialisable
@dataclass(frozen=True, slots=True)
class LoaderInput:
    """What a loader is to read."""

    source: str | PathLike[str]
    """A path or an address; in JSON its text."""
    options: Mapping[str, Any] = field(default_factory=nothing)
    """Whatever else it was given."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class LoaderOutput:
    """What a loader read, and where."""

    source: str | PathLike[str]
    documents: Sequence[Document]


@final
@serialisable
@dataclass(frozen=True, slots=True)
class TransformerInput:
    """What is to be split, filtered or reordered."""

    documents: Sequence[Document]
    options: Mapping[str, Any] = field(default_factory=nothing)
    """Whatever else it was given."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class TransformerOutput:
    """What became of the documents."""

    documents: Sequence[Document]


@final
@serialisable
@dataclass(frozen=True, slots=True)
class ToolInput:
    """What a tool is called with."""

    name: str
    arguments: Any
    """The arguments by name; the JSON text of them, or the only argument, where the tool takes that."""
    call_id: str = ""
    """The `id` of the model's call that asks for it; empty where no model does."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gives: what its function returned, or a `ToolResult`."""

    result: Any
