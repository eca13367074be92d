"""What goes to a chat model and comes from it: messages, their parts, calls of tools and their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, final

from sideband.components._json import serialisable, to_jsonable
from sideband.components._values import nothing
from sideband.errors import ToolArgumentsError

__all__ = [
    "AudioPart",
    "FilePart",
    "ImagePart",
    "Message",
    "Part",
    "Role",
    "TextPart",
    "ToolCall",
    "ToolDefinition",
    "ToolResult",
    "VideoPart",
]

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@final
@serialisable
@dataclass(frozen=True, slots=True)
class TextPart:
    """Text among other parts of a message."""

    text: str


@dataclass(frozen=True, slots=True)
class _Media:
    data: bytes | None = None
    """The content itself; None where it is at `url`."""
    url: str | None = None
    """Where it is, or a provider's own name of an uploaded file."""
    media_type: str | None = None
    """Its MIME type, with parameters where it needs them: "audio/pcm;rate=24000"."""

    def __repr__(self) -> str:
        """Show how much there is, not the bytes."""
        content = f"url={self.url!r}" if self.data is None else f"{len(self.data)} bytes"
        return f"{type(self).__name__}({content}, media_type={self.media_type!r})"


@final
@serialisable
@dataclass(frozen=True, slots=True, repr=False)
class ImagePart(_Media):
    """An image, by its bytes or its address."""

    detail: str | None = None
    """How closely the model is to look ("low", "high"), where a provider knows that."""


@final
@serialisable
@dataclass(frozen=True, slots=True, repr=False)
class AudioPart(_Media):
    """Sound, by its bytes or its address; parts of one media type that follow one another are one."""

    transcript: str | None = None
    """What is said in it, where that is known."""


@final
@serialisable
@dataclass(frozen=True, slots=True, repr=False)
class VideoPart(_Media):
    """A video, by its bytes or its address."""


@final
@serialisable
@dataclass(frozen=True, slots=True, repr=False)
class FilePart(_Media):
    """A file of another kind, a PDF for instance, by its bytes or its address."""

    name: str | None = None
    """Its name, which tells a model what it is."""


Part: TypeAlias = TextPart | ImagePart | AudioPart | VideoPart | FilePart
"""What a message with more than text consists of."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool as a model is told of it."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=nothing)
    """The JSON schema of its arguments, which are an object."""
    strict: bool = False
    """Whether the provider is to hold the model to the schema, where it can."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to have a tool called; in a stream also a fragment of one.

    Fragments of one call have its `index` or its `id`; those after the first may have no name, and
    the `arguments` of all of them, in their order, are its arguments.
    """

    id: str = ""
    """The provider's name of this call, which its result has to give; empty where a provider has none."""
    name: str = ""
    arguments: str = ""
    """Its arguments as the model wrote them: the text of a JSON object, or a fragment of that."""
    index: int | None = None
    """Its place among the calls of its message, in streams; None where the provider does not count."""

    @property
    def parsed(self) -> dict[str, Any]:
        """The arguments by name; no text is no arguments.

        Raises:
            ToolArgumentsError: the text is not that of a JSON object, because the model wrote something
                else or because this is a fragment.
        """
        if not self.arguments.strip():
            return {}
        try:
            parsed: Any = json.loads(self.arguments)
        except (ValueError, RecursionError) as error:
            raise ToolArgumentsError(self.name, self.arguments, f"they are no JSON: {error}") from error
        kind: type = parsed.__class__
        if kind is not dict:
            reason = f"they have to be a JSON object, got a {kind.__name__}"
            raise ToolArgumentsError(self.name, self.arguments, reason)
        arguments: dict[str, Any] = parsed
        return arguments


@final
@serialisable
@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave for a call, or why it gave nothing."""

    call_id: str = ""
    """The `id` of the call that it answers."""
    name: str = ""
    """The tool's name."""
    content: Any = None
    """What it returned; where `is_error`, what the model is told in its place."""
    is_error: bool = False

    @property
    def text(self) -> str:
        """The content as a model reads it: text as it is, nothing for None, all else as JSON.

        Raises:
            SerialisationError: the content is a value that has no form in JSON.
        """
        if self.content is None:
            return ""
        if isinstance(self.content, str):
            return self.content
        if isinstance(self.content, bytes):
            return self.content.decode(errors="replace")
        return json.dumps(to_jsonable(self.content), ensure_ascii=False)


@final
@serialisable
@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; in a stream also a fragment of one.

    Made by `Message.user("…")`, `Message.system`, `Message.assistant` and `Message.tool`.
    """

    role: Role
    content: str | tuple[Part, ...] = ""
    """Its text, or its parts where there is more than text."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Of an assistant: the tools that are to be called."""
    call_id: str = ""
    """Of a tool: the `id` of the call that this answers."""
    name: str = ""
    """Of a tool: its name; of others, who speaks, where several have one role."""
    is_error: bool = False
    """Of a tool: whether it failed, and the content says how."""
    reasoning: str = ""
    """Of an assistant: what it thought before it spoke, where its provider shows that."""
    metadata: Mapping[str, Any] = field(default_factory=nothing)
    """What only its provider understands and wants back: signatures of reasoning, cache marks, …"""

    @property
    def text(self) -> str:
        """The text of the message, of all its parts together."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts, also where it is text alone; none where it is empty."""
        if isinstance(self.content, str):
            return (TextPart(self.content),) if self.content else ()
        return self.content

    @staticmethod
    def user(*content: str | Part, name: str = "") -> Message:
        """Make a message of text, or of text and other parts in their order."""
        return Message("user", _content(content), name=name)

    @staticmethod
    def system(*content: str | Part) -> Message:
        """Make the message that tells a model how to behave."""
        return Message("system", _content(content))

    @staticmethod
    def assistant(
        *content: str | Part, tool_calls: tuple[ToolCall, ...] | list[ToolCall] = (), reasoning: str = ""
    ) -> Message:
        """Make what a model said, and what it wants to have called."""
        return Message("assistant", _content(content), tuple(tool_calls), reasoning=reasoning)

    @staticmethod
    def tool(
        content: str | Part | ToolResult, *, call_id: str = "", name: str = "", is_error: bool = False
    ) -> Message:
        """Make the message that gives a tool's result to the model.

        Args:
            content: the text of the result, or the result, which knows the rest.
            call_id: the `id` of the call that it answers.
            name: the tool's name.
            is_error: whether the tool failed, and the content says how.
        """
        if isinstance(content, ToolResult):
            result = content
            return Message(
                "tool", result.text, call_id=result.call_id, name=result.name, is_error=result.is_error
            )
        return Message("tool", _content((content,)), call_id=call_id, name=name, is_error=is_error)


def _content(given: tuple[str | Part, ...]) -> str | tuple[Part, ...]:
    if not given:
        return ""
    if len(given) == 1 and isinstance(given[0], str):
        return given[0]
    return tuple(TextPart(one) if isinstance(one, str) else one for one in given)
