"""Frames: what a chat model's stream consists of. May import components.

Reasoning is a kind of its own, not a variant of text, so that whoever shows text never shows thoughts by mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, final

from sideband.components import (
    AudioPart,
    ImagePart,
    ToolCall,
    ToolResult,
    Usage,
    VideoPart,
    serialisable,
)
from sideband.components._values import nothing

__all__ = ["CACHED", "MESSAGE_METADATA", "RESTART", "CustomContent", "Frame", "FrameKind", "ResponseMeta"]

FrameKind: TypeAlias = Literal[
    "text",
    "reasoning",
    "audio",
    "image",
    "video",
    "tool_call",
    "tool_result",
    "usage",
    "control",
    "custom",
    "response",
]

MESSAGE_METADATA = "message_metadata"
"""The type of a custom frame whose data, a mapping, goes into the `metadata` of the joined message."""

CACHED = "cached"
"""The entry of a response's `metadata` that is true where the answer came out of a cache."""

RESTART = "restart"
"""The content of a control frame which says that the answer begins anew: what came of its message is void, what was
consumed is not."""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class ResponseMeta:
    """What a provider says of its answer as a whole: the last frame of its stream."""

    model: str | None = None
    """The model that answered, which may be a more exact name than the one asked for."""
    finish_reason: str | None = None
    """Why it stopped: "stop", "length", "tool_calls", "content_filter" or "other"."""
    id: str | None = None
    """The provider's name of this answer."""
    usage: Usage | None = None
    """What the provider says of the whole; it fills what the usage frames leave open, and is not added."""
    metadata: Mapping[str, Any] = field(default_factory=nothing)
    """Whatever else it says: its own word for the finish reason, a fingerprint, …"""


@final
@serialisable
@dataclass(frozen=True, slots=True)
class CustomContent:
    """The content of a custom frame."""

    type: str
    """What it is, by a name that its maker and its reader know."""
    data: Any = None


@final
@serialisable
@dataclass(frozen=True, slots=True)
class Frame:
    """One piece of a chat model's stream: `kind` says what its `content` is.

    Made by `Frame.text("…")`, `Frame.usage(Usage(…))` and so on for each kind.

    Cost: a text frame takes 0.2 µs to make.
    """

    kind: FrameKind
    content: Any
    """Text for text, reasoning and control; a part for audio, image and video; for the other kinds
    what their constructors take."""

    @staticmethod
    def text(content: str) -> Frame:
        """Make a piece of the answer's text."""
        # As the dataclass would, without its detour through `object.__setattr__`: there is one a token.
        frame = _new(Frame)
        _set_kind(frame, "text")
        _set_content(frame, content)
        return frame

    @staticmethod
    def reasoning(content: str) -> Frame:
        """Make a piece of what the model thinks before it answers."""
        return Frame("reasoning", content)

    @staticmethod
    def audio(content: AudioPart | bytes, media_type: str | None = None) -> Frame:
        """Make a piece of sound, of a part, or of bytes and their MIME type."""
        return Frame("audio", AudioPart(content, None, media_type) if isinstance(content, bytes) else content)

    @staticmethod
    def image(content: ImagePart | bytes, media_type: str | None = None) -> Frame:
        """Make an image, of a part, or of bytes and their MIME type."""
        return Frame("image", ImagePart(content, None, media_type) if isinstance(content, bytes) else content)

    @staticmethod
    def video(content: VideoPart | bytes, media_type: str | None = None) -> Frame:
        """Make a video, of a part, or of bytes and their MIME type."""
        return Frame("video", VideoPart(content, None, media_type) if isinstance(content, bytes) else content)

    @staticmethod
    def tool_call(content: ToolCall) -> Frame:
        """Make a call that the model wants, whole; adapters put fragments together first."""
        return Frame("tool_call", content)

    @staticmethod
    def tool_result(content: ToolResult) -> Frame:
        """Make what a tool gave for a call, where it was executed on the way."""
        return Frame("tool_result", content)

    @staticmethod
    def usage(content: Usage) -> Frame:
        """Make a part of what was consumed; the parts of one stream are added, so none repeats another."""
        return Frame("usage", content)

    @staticmethod
    def control(content: str) -> Frame:
        """Make a signal to the consumer ("flush", "end_of_turn"), by a word that both know."""
        return Frame("control", content)

    @staticmethod
    def custom(type: str, data: Any = None) -> Frame:  # noqa: A002
        """Make a frame of a kind of your own."""
        return Frame("custom", CustomContent(type, data))

    @staticmethod
    def response(content: ResponseMeta) -> Frame:
        """Make the last frame of a provider's stream, its finish marker."""
        return Frame("response", content)


_new: Callable[[type[Frame]], Frame] = object.__new__
_set_kind: Callable[[Frame, FrameKind], None] = Frame.__dict__["kind"].__set__
_set_content: Callable[[Frame, Any], None] = Frame.__dict__["content"].__set__
