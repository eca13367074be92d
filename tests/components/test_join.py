"""Fragments of messages, calls and usages put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.components import (
    AudioPart,
    ChatModelOutput,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    Usage,
)
from sideband.streams import join


def joined(*fragments: ToolCall) -> tuple[ToolCall, ...]:
    """Return the calls that a message has whose fragments have these, one each."""
    message: Message = join(
        [Message.assistant(), *(Message.assistant(tool_calls=[one]) for one in fragments)]
    )
    return message.tool_calls


def test_text_fragments_make_one_message() -> None:
    """The role and the name are the first's, text and reasoning are joined."""
    fragments = [Message.assistant("Hel", reasoning="h"), Message.assistant("lo", reasoning="m")]

    assert join(fragments) == Message.assistant("Hello", reasoning="hm")


def test_fragments_with_parts_make_a_message_with_parts() -> None:
    """Neighbouring text is one part, and so are pieces of one sound; images stay by themselves."""
    image = ImagePart(b"i")
    fragments = [
        Message.assistant("a"),
        Message.assistant("b", image),
        Message.assistant(image, ""),
        Message.assistant(AudioPart(b"12", media_type="audio/pcm", transcript="x")),
        Message.assistant(AudioPart(b"34", media_type="audio/pcm")),
        Message.assistant(AudioPart(b"56", media_type="audio/mpeg")),
    ]

    assert join(fragments).content == (
        TextPart("ab"),
        image,
        image,
        AudioPart(b"1234", media_type="audio/pcm", transcript="x"),
        AudioPart(b"56", media_type="audio/mpeg"),
    )


def test_a_conversation_is_no_message() -> None:
    """Fragments of two roles are an error that names both."""
    with pytest.raises(ValueError, match="'assistant' and then 'tool'"):
        join([Message.assistant("a"), Message.tool("b")])


def test_interleaved_fragments_are_told_apart_by_index() -> None:
    """OpenAI's form: id and name first, then the index alone."""
    assert joined(
        ToolCall("a", "add", "", 0),
        ToolCall("b", "sub", "", 1),
        ToolCall(arguments='{"x"', index=1),
        ToolCall(arguments="{}", index=0),
        ToolCall(arguments=":1}", index=1),
    ) == (ToolCall("a", "add", "{}", 0), ToolCall("b", "sub", '{"x":1}', 1))


def test_fragments_without_index_are_told_apart_by_id() -> None:
    """The id alone is enough, also interleaved; a fragment with neither goes on with the latest call."""
    assert joined(
        ToolCall("a", "add", "{"), ToolCall("b", "sub", "["), ToolCall("a", "", "}"), ToolCall("b"), ToolCall(arguments="]")
    ) == (ToolCall("a", "add", "{}"), ToolCall("b", "sub", "[]"))  # fmt: skip


def test_whole_calls_that_share_an_index_stay_apart() -> None:
    """Some servers number every call 0: a new id is a new call, and what follows belongs to it."""
    assert joined(
        ToolCall("a", "add", "{}", 0), ToolCall("b", "sub", "{", 0), ToolCall(arguments="}", index=0)
    ) == (ToolCall("a", "add", "{}", 0), ToolCall("b", "sub", "{}", 0))


def test_whole_calls_without_id_and_index_stay_apart() -> None:
    """Ollama's form: each has its name."""
    calls = (ToolCall("", "add", "{}"), ToolCall("", "add", "{}"))

    assert joined(*calls) == calls


def test_an_id_that_comes_late_belongs_to_its_index() -> None:
    """The call goes on, and has that id from then on."""
    assert joined(ToolCall("", "add", "{", 0), ToolCall("a", "", "}", 0)) == (ToolCall("a", "add", "{}", 0),)


def test_a_name_may_be_repeated_or_come_in_pieces() -> None:
    """Both are seen in the wild."""
    assert joined(ToolCall("a", "add", "{", 0), ToolCall("a", "add", "}", 0))[0].name == "add"
    assert joined(ToolCall("a", "get_", "", 0), ToolCall("", "sum", "", 0))[0].name == "get_sum"


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_calls_cut_and_interleaved_anyhow_are_what_they_were(arguments: list[str], random: object) -> None:
    """However the calls' arguments are cut, and whichever goes on next, each has its own in order."""
    whole = tuple(ToolCall(f"id{n}", f"tool{n}", text, n) for n, text in enumerate(arguments))
    queues = [[ToolCall(arguments=letter, index=n) for letter in text] for n, text in enumerate(arguments)]
    fragments = [ToolCall(call.id, call.name, "", call.index) for call in whole]
    while any(queues):
        queue = random.choice([queue for queue in queues if queue])  # type: ignore[attr-defined]
        fragments.append(queue.pop(0))

    assert joined(*fragments) == whole


def test_usages_are_added() -> None:
    """A stream of usages is their sum."""
    assert join([Usage(input_tokens=1), Usage(output_tokens=2)]) == Usage(input_tokens=1, output_tokens=2)


def test_fragments_of_answers_make_one_answer() -> None:
    """Messages are joined, usages added, and of each word the last counts."""
    fragments = [
        ChatModelOutput(Message.assistant("a"), Usage(input_tokens=1), None, "m-1", "r1"),
        ChatModelOutput(Message.assistant("b"), Usage(output_tokens=1), "stop"),
        ChatModelOutput(Message.assistant("")),
    ]

    assert join(fragments) == ChatModelOutput(
        Message.assistant("ab"), Usage(input_tokens=1, output_tokens=1), "stop", "m-1", "r1"
    )
