"""The typed payloads of bare values: what `by_component` makes of what a component takes and gives. May import runs.

1. What is the kind's own payload stays as it is.
2. A mapping of arguments is taken apart by the payload's field names; all others are its options.
3. What is left is passed as it is: a payload that would lose something of it, or say what it does not, is not made.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from os import PathLike
from typing import Any, TypeAlias, cast

from sideband.components._messages import Message, ToolCall
from sideband.components._payloads import (
    ChatModelInput,
    ChatModelOutput,
    EmbeddingInput,
    EmbeddingOutput,
    IndexerInput,
    IndexerOutput,
    LoaderInput,
    LoaderOutput,
    PromptInput,
    PromptOutput,
    RetrieverInput,
    RetrieverOutput,
    ToolInput,
    ToolOutput,
    TransformerInput,
    TransformerOutput,
)
from sideband.components._values import Document, Usage
from sideband.runs import Component, Run

__all__ = ["CONVERSIONS", "Conversion"]

Conversion: TypeAlias = Callable[[Run, Any], Any]
"""Of a run and a bare value: the typed payload, or the value itself."""


def _by_field(made: type, first: str, convert: Callable[[Any], Any]) -> Conversion:
    """Return the conversion of inputs whose field `first` alone can be a bare value."""
    named = {field.name for field in fields(cast("Any", made))} - {"options"}

    def wrap(_: Run, value: Any) -> Any:
        if isinstance(value, made):
            return value
        if not _is_a(value, Mapping):
            return value if (content := convert(value)) is None else made(content)
        given: dict[str, Any] = dict(value)
        if len(given) == 1 and named.isdisjoint(given):  # a call by the parameter's own name
            given = {first: next(iter(given.values()))}
        content = convert(given.get(first))
        if content is None:
            return value
        options = {name: one for name, one in given.items() if name not in named}
        own = {name: one for name, one in given.items() if name in named}
        return made(**{**own, first: content}, **({"options": options} if options else {}))

    return wrap


def _by_content(made: type, convert: Callable[[Any], Any]) -> Conversion:
    """Return the conversion of outputs that have one field."""

    def wrap(_: Run, value: Any) -> Any:
        if isinstance(value, made) or (content := convert(value)) is None:
            return value
        return made(content)

    return wrap


def _is_a(value: object, *kinds: type) -> bool:
    # `isinstance` without what a type checker concludes from it: a sequence of it knows not what.
    return isinstance(value, kinds)


def _is_sequence(value: object) -> bool:
    # Lists first: asking an abstract class takes ten times as long.
    return isinstance(value, (list, tuple)) or (
        isinstance(value, Sequence) and not isinstance(value, str | bytes)
    )


def _sequence(kind: type, value: Any) -> tuple[Any, ...] | None:
    if isinstance(value, kind):
        return (value,)
    if not _is_sequence(value):
        return None
    entries: tuple[Any, ...] = tuple(value)
    return entries if all(isinstance(entry, kind) for entry in entries) else None


def _documents(value: Any) -> tuple[Document, ...] | None:
    return _sequence(Document, value)


def _texts(value: Any) -> tuple[str, ...] | None:
    return _sequence(str, value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _source(value: Any) -> Any:
    return value if _is_a(value, str, PathLike) else None


def _messages(value: Any) -> tuple[Message, ...] | None:
    if isinstance(value, str):
        return (Message.user(value),)
    message = _message(value)
    if message is not None:
        return (message,)
    if not _is_sequence(value):
        return None
    found = tuple(_message(entry) for entry in value)
    messages = tuple(message for message in found if message is not None)
    return messages if len(messages) == len(found) else None


def _message(value: Any) -> Message | None:
    if isinstance(value, Message):
        return value
    match value:  # as the SDKs have it, where it says no more than this
        case {"role": "system" | "user" | "assistant" | "tool" as role, "content": str(text), **rest} if (
            not rest
        ):
            return Message(role, text)
        case _:
            return None


def _chat_output(run: Run, value: Any) -> Any:
    if isinstance(value, str):
        value = Message.assistant(value)
    return ChatModelOutput(value, _usage(run)) if isinstance(value, Message) else value


def _prompt_input(_: Run, value: Any) -> Any:
    return PromptInput(value) if _is_a(value, Mapping) else value


def _embedding_output(run: Run, value: Any) -> Any:
    vectors = _vectors(value)
    return value if vectors is None else EmbeddingOutput(vectors, _usage(run))


def _vectors(value: Any) -> Any:
    if _is_vector(value):
        return [value]
    if getattr(value, "ndim", None) == 2:
        return value
    if not _is_sequence(value):
        return None
    return value if all(map(_is_vector, value)) else None


def _is_vector(value: Any) -> bool:
    # By the first number: there may be a hundred thousand of them.
    if getattr(value, "ndim", None) == 1:  # an array of any library
        return True
    if not _is_sequence(value) or not value:
        return False
    return isinstance(value[0], int | float)


def _loader_output(run: Run, value: Any) -> Any:
    documents = _documents(value)
    asked = _loader_input(run, run.input)
    if documents is None or not isinstance(asked, LoaderInput):
        return value
    return LoaderOutput(asked.source, documents)


def _tool_input(run: Run, value: Any) -> Any:
    if _is_a(value, ToolInput, AsyncIterable, Iterator):
        return value
    if isinstance(value, ToolCall):
        return ToolInput(value.name, value.arguments, value.id)
    return ToolInput(run.name, value)


def _tool_output(_: Run, value: Any) -> Any:
    return value if _is_a(value, ToolOutput, AsyncIterable, Iterator) else ToolOutput(value)


def _usage(run: Run) -> Usage | None:
    return run.usage if isinstance(run.usage, Usage) else None


_loader_input = _by_field(LoaderInput, "source", _source)

CONVERSIONS: Mapping[Component, tuple[Conversion, Conversion]] = {
    Component.CHAT_MODEL: (_by_field(ChatModelInput, "messages", _messages), _chat_output),
    Component.PROMPT: (_prompt_input, _by_content(PromptOutput, _messages)),
    Component.EMBEDDING: (_by_field(EmbeddingInput, "texts", _texts), _embedding_output),
    Component.RETRIEVER: (
        _by_field(RetrieverInput, "query", _text),
        _by_content(RetrieverOutput, _documents),
    ),
    Component.INDEXER: (_by_field(IndexerInput, "documents", _documents), _by_content(IndexerOutput, _texts)),
    Component.LOADER: (_loader_input, _loader_output),
    Component.TRANSFORMER: (
        _by_field(TransformerInput, "documents", _documents),
        _by_content(TransformerOutput, _documents),
    ),
    Component.TOOL: (_tool_input, _tool_output),
}
"""By kind: the conversions of its inputs and of its outputs. The other kinds have no payloads of their own."""
