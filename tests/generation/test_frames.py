"""Frames, requests and options: what they are, and what becomes of them in JSON."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.components import (
    AudioPart,
    ImagePart,
    Message,
    ToolCall,
    ToolDefinition,
    ToolResult,
    Usage,
    VideoPart,
    from_jsonable,
    to_jsonable,
)
from sideband.generation import CustomContent, Frame, Options, Request, ResponseMeta

FRAMES = [
    (Frame.text("a"), "text", "a"),
    (Frame.reasoning("hm"), "reasoning", "hm"),
    (Frame.audio(b"1", "audio/pcm"), "audio", AudioPart(b"1", None, "audio/pcm")),
    (Frame.image(ImagePart(url="u")), "image", ImagePart(url="u")),
    (Frame.video(b"1", "video/mp4"), "video", VideoPart(b"1", None, "video/mp4")),
    (Frame.tool_call(ToolCall("1", "f")), "tool_call", ToolCall("1", "f")),
    (Frame.tool_result(ToolResult("1", "f", 3)), "tool_result", ToolResult("1", "f", 3)),
    (Frame.usage(Usage(input_tokens=3)), "usage", Usage(input_tokens=3)),
    (Frame.control("flush"), "control", "flush"),
    (Frame.custom("mood", 3), "custom", CustomContent("mood", 3)),
    (Frame.response(ResponseMeta("m", "stop", "r")), "response", ResponseMeta("m", "stop", "r")),
]


@pytest.mark.parametrize(("frame", "kind", "content"), FRAMES)
def test_a_frame_has_its_kind_and_its_content(frame: Frame, kind: str, content: Any) -> None:
    """For each kind there is a constructor of its name."""
    assert (frame.kind, frame.content) == (kind, content)
    assert frame == Frame(kind, content)  # type: ignore[arg-type]


@pytest.mark.parametrize(("frame", "kind", "content"), FRAMES)
def test_a_frame_comes_back_from_json_as_it_was(frame: Frame, kind: str, content: Any) -> None:
    """Recordings of generations can be read again."""
    assert from_jsonable(json.loads(json.dumps(to_jsonable(frame)))) == frame


@pytest.mark.parametrize(("frame", "kind", "content"), FRAMES)
def test_a_frame_can_be_copied_and_pickled(frame: Frame, kind: str, content: Any) -> None:
    """A provider may be in another process."""
    assert pickle.loads(pickle.dumps(frame)) == copy.deepcopy(frame) == frame


def test_frames_cannot_be_changed() -> None:
    """A hook cannot spoil what the consumer gets; those of text, made in a hurry, are no different."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Frame.text("a").content = "b"  # type: ignore[misc]


def test_frames_can_be_matched() -> None:
    """By kind, with the content at hand."""
    match Frame.text("a"):
        case Frame(kind="text", content=text):
            assert text == "a"
        case _:
            pytest.fail("no match")


names = st.text(max_size=5)
requests = st.builds(
    Request,
    st.lists(st.builds(Message.user, names), max_size=2).map(tuple),
    model=names,
    tools=st.lists(st.builds(ToolDefinition, names), max_size=2).map(tuple),
    options=st.builds(
        Options, temperature=st.none() | st.floats(0, 2), stop=st.lists(names, max_size=2).map(tuple)
    ),
    response_schema=st.none() | st.just({"type": "object"}),
    metadata=st.dictionaries(names, st.integers(), max_size=2),
)


@given(requests)
def test_a_request_comes_back_from_json_as_it_was(request: Request) -> None:
    """Recorded requests can be asked again."""
    assert from_jsonable(json.loads(json.dumps(to_jsonable(request)))) == request


def test_a_request_is_made_of_what_can_be_asked() -> None:
    """A text, a message, several, or a request."""
    message = Message.user("why?")
    request = Request((message,))

    assert Request.of("why?") == Request.of(message) == Request.of([message]) == request
    assert Request.of(request) is request


@pytest.mark.parametrize("asked", [3, [], ["why?"], None])
def test_what_cannot_be_asked_is_refused(asked: Any) -> None:
    """The error says what can."""
    with pytest.raises(TypeError, match="a request is a text, a Message, several, or a Request"):
        Request.of(asked)
