"""Frames become one message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sideband.components import (
    AudioPart,
    ChatModelOutput,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    Usage,
)
from sideband.generation import MESSAGE_METADATA, RESTART, Frame, FrameJoiner, ResponseMeta, join_frames
from sideband.streams import join


def test_frames_of_text_make_one_message() -> None:
    """`sideband.streams.join` knows frames."""
    assert join([Frame.text("Hel"), Frame.text("lo")]) == Message.assistant("Hello")


def test_no_frames_make_an_empty_answer() -> None:
    """A provider that says nothing has said nothing."""
    assert join_frames([]) == ChatModelOutput(Message.assistant())


def test_the_answer_has_message_usage_and_what_the_provider_said() -> None:
    """Thoughts are no text, control frames no part of the message."""
    frames = [
        Frame.usage(Usage(input_tokens=3)),
        Frame.reasoning("hm"),
        Frame.text("a"),
        Frame.control("flush"),
        Frame.text("b"),
        Frame.custom(MESSAGE_METADATA, {"signature": "s"}),
        Frame.custom("mood", "good"),
        Frame.usage(Usage(output_tokens=2)),
        Frame.response(ResponseMeta("m-1", "stop", "r-1")),
    ]

    answer = join_frames(frames)
    assert (answer.message.text, answer.message.reasoning) == ("ab", "hm")
    assert answer.message.metadata == {"signature": "s"}
    assert answer.usage == Usage(input_tokens=3, output_tokens=2)
    assert (answer.finish_reason, answer.model, answer.id) == ("stop", "m-1", "r-1")


def test_parts_keep_their_places_among_text() -> None:
    """Pieces of one sound are one part."""
    frames = [
        Frame.text("see"),
        Frame.image(ImagePart(url="u")),
        Frame.audio(b"1", "audio/pcm"),
        Frame.audio(b"2", "audio/pcm"),
        Frame.text("!"),
    ]

    assert join_frames(frames).message.content == (
        TextPart("see"),
        ImagePart(url="u"),
        AudioPart(b"12", None, "audio/pcm"),
        TextPart("!"),
    )


def test_fragments_of_calls_are_put_together() -> None:
    """Interleaved ones, by index; results of tools are kept apart from the message."""
    joiner = FrameJoiner()
    for call in [
        ToolCall("a", "add", "{", 0),
        ToolCall("b", "sub", "[", 1),
        ToolCall("", "", "}", 0),
        ToolCall("", "", "]", 1),
    ]:
        joiner.add(Frame.tool_call(call))
    joiner.add(Frame.tool_result(ToolResult("a", "add", 3)))

    assert joiner.value.tool_calls == (ToolCall("a", "add", "{}", 0), ToolCall("b", "sub", "[]", 1))
    assert joiner.tool_results == [ToolResult("a", "add", 3)]


def test_what_the_response_says_of_usage_is_not_added() -> None:
    """Niro, statement 29: it fills fields of 0 and details that are not there."""
    frames = [
        Frame.usage(Usage(input_tokens=3, details={"audio": 1})),
        Frame.response(
            ResponseMeta(usage=Usage(input_tokens=3, output_tokens=2, details={"audio": 5, "image": 1}))
        ),
    ]

    usage = join_frames(frames).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (3, 2)
    assert usage.details == {"audio": 1, "image": 1}
    assert join_frames(frames[1:]).usage == frames[1].content.usage
    assert join_frames([]).usage is None


@given(st.lists(st.text(max_size=4)), st.integers(0, 30))
def test_a_joiner_can_be_read_at_any_time(texts: list[str], place: int) -> None:
    """What it has so far is what the frames so far make; more can be added after."""
    joiner = FrameJoiner()
    for text in texts[:place]:
        joiner.add(Frame.text(text))
    so_far = joiner.value.text
    for text in texts[place:]:
        joiner.add(Frame.text(text))

    assert so_far == "".join(texts[:place])
    assert joiner.value.text == "".join(texts)


def test_what_came_before_a_restart_is_void() -> None:
    """The message and the response are those of the answer that began anew; what was consumed still counts."""
    frames = [
        Frame.text("no"),
        Frame.usage(Usage(input_tokens=3)),
        Frame.response(ResponseMeta("m", "length")),
        Frame.control(RESTART),
        Frame.control("flush"),
        Frame.text("yes"),
        Frame.usage(Usage(input_tokens=4)),
    ]

    output = join_frames(frames)

    assert output.message == Message.assistant("yes")
    assert output.usage == Usage(input_tokens=7)
    assert output.finish_reason is None
