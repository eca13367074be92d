"""How fragments of messages become one. May import streams.

A fragment of a call of a tool belongs to

1. the call with its `id`, if it has one and such a call has begun;
2. else the latest call with its `index`, unless both have an `id` (some servers give all calls one index);
3. with neither `id` nor `index`: the latest call, unless it has a name, which only a call's beginning has.

Any other fragment begins a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, final

from sideband.components._messages import AudioPart, Message, Part, Role, TextPart, ToolCall
from sideband.components._payloads import ChatModelOutput
from sideband.components._values import Usage
from sideband.streams import accumulator

__all__ = ["CallJoiner", "MessageJoiner", "join_parts"]


@final
class _Call:
    """A call of which there may be more to come."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, index: int | None) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.index = index

    def add(self, fragment: ToolCall) -> None:
        self.id = self.id or fragment.id
        if fragment.name != self.name:  # some servers repeat it with each fragment, others send it in pieces
            self.name += fragment.name
        self.arguments.append(fragment.arguments)


@final
class CallJoiner:
    """Puts the fragments of calls of tools together, also of several calls at a time."""

    __slots__ = ("_by_id", "_by_index", "_calls")

    def __init__(self) -> None:
        """Start without a call."""
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}

    def add(self, fragment: ToolCall) -> None:
        """Take one fragment more."""
        call = self._call_of(fragment)
        if call is None:
            call = _Call(fragment.index)
            self._calls.append(call)
        call.add(fragment)
        if call.id:
            self._by_id[call.id] = call
        if fragment.index is not None:
            self._by_index[fragment.index] = call

    def _call_of(self, fragment: ToolCall) -> _Call | None:
        if fragment.id and fragment.id in self._by_id:
            return self._by_id[fragment.id]
        if fragment.index is not None:
            call = self._by_index.get(fragment.index)
            return None if call is not None and call.id and fragment.id else call
        if fragment.id or fragment.name or not self._calls:
            return None
        return self._calls[-1]

    @property
    def value(self) -> tuple[ToolCall, ...]:
        """The calls so far, in the order in which they began."""
        return tuple(
            ToolCall(call.id, call.name, "".join(call.arguments), call.index) for call in self._calls
        )


def join_parts(pieces: Iterable[str | Part]) -> str | tuple[Part, ...]:
    """Make a message's content of text and parts: the text alone, or parts, with neighbours of one kind as one."""
    groups: list[tuple[str | None, list[Any]]] = []
    for piece in pieces:
        kind = _kind_to_join(piece)
        if kind is not None and groups and groups[-1][0] == kind:
            groups[-1][1].append(piece)
        else:
            groups.append((kind, [piece]))
    if all(kind == "text" for kind, _ in groups):
        return "".join(_text(piece) for _, group in groups for piece in group)
    joined = [_joined(kind, group) for kind, group in groups]
    return tuple(part for part in joined if part != TextPart(""))


def _kind_to_join(piece: str | Part) -> str | None:
    if isinstance(piece, str | TextPart):
        return "text"
    if isinstance(piece, AudioPart) and piece.data is not None:
        return f"audio {piece.media_type}"
    return None


def _joined(kind: str | None, group: list[Any]) -> Part:
    if kind == "text":
        return TextPart("".join(map(_text, group)))
    if len(group) == 1:
        only: Part = group[0]
        return only
    said = "".join(piece.transcript or "" for piece in group)
    return AudioPart(b"".join(piece.data for piece in group), None, group[0].media_type, said or None)


def _text(piece: str | TextPart) -> str:
    return piece if isinstance(piece, str) else piece.text


@accumulator(Message)
@final
class MessageJoiner:
    """Makes one message of fragments of one role.

    Raises `ValueError` in `add` for a fragment of another role than the first: a conversation is no message.
    """

    __slots__ = ("_calls", "_first", "_last", "_pieces", "_reasoning")

    def __init__(self) -> None:
        """Start without a fragment."""
        self._first: Message | None = None
        self._last: dict[str, object] = {}
        self._pieces: list[str | Part] = []
        self._reasoning: list[str] = []
        self._calls = CallJoiner()

    def add(self, fragment: Message, /) -> None:
        """Take one fragment more."""
        first = self._first = self._first or fragment
        if fragment.role != first.role:
            raise ValueError(
                f"fragments of a message have one role, got {first.role!r} and then {fragment.role!r}"
            )
        if isinstance(fragment.content, str):
            self._pieces.append(fragment.content)
        else:
            self._pieces += fragment.content
        if fragment.reasoning:
            self._reasoning.append(fragment.reasoning)
        for call in fragment.tool_calls:
            self._calls.add(call)
        self._last |= fragment.metadata

    @property
    def value(self) -> Message:
        """The message so far; of what is no text, the first that says it, of metadata the last."""
        first = self._first
        role: Role = "assistant" if first is None else first.role
        made = Message(role) if first is None else first
        return replace(
            made,
            content=join_parts(self._pieces),
            tool_calls=self._calls.value,
            reasoning="".join(self._reasoning),
            metadata={**self._last} or made.metadata,
        )


@accumulator(Usage)
def _add_usages(total: Usage, usage: Usage) -> Usage:
    return total + usage


@accumulator(ChatModelOutput)
@final
class _OutputJoiner:
    """Makes one answer of fragments of it."""

    __slots__ = ("_last", "_message", "_usage")

    def __init__(self) -> None:
        self._message = MessageJoiner()
        self._usage: Usage | None = None
        self._last: dict[str, str] = {}

    def add(self, fragment: ChatModelOutput, /) -> None:
        self._message.add(fragment.message)
        if fragment.usage is not None:
            self._usage = fragment.usage if self._usage is None else self._usage + fragment.usage
        told = {"finish_reason": fragment.finish_reason, "model": fragment.model, "id": fragment.id}
        self._last |= {name: word for name, word in told.items() if word is not None}

    @property
    def value(self) -> ChatModelOutput:
        last = self._last
        return ChatModelOutput(
            self._message.value, self._usage, last.get("finish_reason"), last.get("model"), last.get("id")
        )
