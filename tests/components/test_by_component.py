"""Handlers by kind of component, with typed payloads.

The numbers are those of the statements about Eino's helper that this keeps, or mends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sideband
from sideband import Ending, Handler, Run, by_component, callbacks, component, handler, observe, only
from sideband.components import (
    ChatModelInput,
    ChatModelOutput,
    Document,
    EmbeddingInput,
    EmbeddingOutput,
    IndexerInput,
    IndexerOutput,
    LoaderInput,
    LoaderOutput,
    Message,
    PromptInput,
    PromptOutput,
    RetrieverInput,
    RetrieverOutput,
    ToolCall,
    ToolInput,
    ToolOutput,
    ToolResult,
    TransformerInput,
    TransformerOutput,
    Usage,
)
from sideband.errors import HandlerRefusedError
from sideband.handlers import Plan, entries
from sideband.runs import Component

ONE = Document("1", "one")
TWO = Document("2", "two")
SAID = Message.assistant("said")
ASKED = Message.user("asked")
NOTHING = object()


def passed(kind: str, given: Any, gave: Any = None, usage: Usage | None = None) -> tuple[Any, Any]:
    """Return what a handler for a kind gets as the input and the output of a run named "it"."""
    seen: list[Any] = []
    noting = handler(
        on_start=lambda run, value: seen.append(value), on_end=lambda run, value: seen.append(value)
    )
    name = "lambda_" if kind == "Lambda" else Component(kind).name.lower()
    with (
        callbacks(by_component(**{name: noting})),
        observe("it", component=kind, input=given) as run,
    ):
        run.output = gave
        run.usage = usage
    return seen[0], seen[1]


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("ChatModel", "asked", ChatModelInput((ASKED,))),
        ("ChatModel", ASKED, ChatModelInput((ASKED,))),
        ("ChatModel", [ASKED, SAID], ChatModelInput((ASKED, SAID))),
        ("ChatModel", [{"role": "user", "content": "asked"}], ChatModelInput((ASKED,))),
        (
            "ChatModel",
            {"messages": [ASKED], "tool_choice": "none", "temperature": 0.5},
            ChatModelInput((ASKED,), tool_choice="none", options={"temperature": 0.5}),
        ),
        ("Prompt", {"name": "Ada"}, PromptInput({"name": "Ada"})),
        ("Embedding", "a", EmbeddingInput(("a",))),
        ("Embedding", ["a", "b"], EmbeddingInput(("a", "b"))),
        ("Embedding", {"texts": ["a"], "normalise": True}, EmbeddingInput(("a",), {"normalise": True})),
        ("Retriever", "query", RetrieverInput("query")),
        ("Retriever", {"q": "query"}, RetrieverInput("query")),
        (
            "Retriever",
            {"query": "query", "top_k": 3, "store": "s"},
            RetrieverInput("query", 3, options={"store": "s"}),
        ),
        ("Indexer", ONE, IndexerInput((ONE,))),
        ("Indexer", [ONE, TWO], IndexerInput((ONE, TWO))),
        ("Loader", "a.txt", LoaderInput("a.txt")),
        ("Loader", Path("a.txt"), LoaderInput(Path("a.txt"))),
        ("Transformer", [ONE], TransformerInput((ONE,))),
        ("Tool", '{"a": 1}', ToolInput("it", '{"a": 1}')),
        ("Tool", {"a": 1}, ToolInput("it", {"a": 1})),
        ("Tool", ToolCall("7", "add", "{}"), ToolInput("add", "{}", "7")),
    ],
)
def test_bare_inputs_are_wrapped(kind: str, given: Any, expected: Any) -> None:
    """Statements 77 and 79 to 82: a text, a list, a mapping of arguments become the kind's own input."""
    assert passed(kind, given)[0] == expected


@pytest.mark.parametrize(
    ("kind", "gave", "expected"),
    [
        ("ChatModel", "said", ChatModelOutput(SAID, Usage(output_tokens=1))),
        ("ChatModel", SAID, ChatModelOutput(SAID, Usage(output_tokens=1))),
        ("Prompt", "asked", PromptOutput((ASKED,))),
        ("Prompt", [ASKED, SAID], PromptOutput((ASKED, SAID))),
        ("Embedding", [[1.0, 2.0]], EmbeddingOutput([[1.0, 2.0]], Usage(output_tokens=1))),
        ("Embedding", [1.0, 2.0], EmbeddingOutput([[1.0, 2.0]], Usage(output_tokens=1))),
        ("Retriever", [ONE, TWO], RetrieverOutput((ONE, TWO))),
        ("Retriever", [], RetrieverOutput(())),
        ("Indexer", ["1", "2"], IndexerOutput(("1", "2"))),
        ("Transformer", ONE, TransformerOutput((ONE,))),
        ("Tool", 3, ToolOutput(3)),
        ("Tool", ToolResult("7", "add", 3), ToolOutput(ToolResult("7", "add", 3))),
    ],
)
def test_bare_outputs_are_wrapped(kind: str, gave: Any, expected: Any) -> None:
    """So are outputs; the usage that the run recorded goes with them (78, mended)."""
    assert passed(kind, None, gave, Usage(output_tokens=1))[1] == expected


def test_arrays_of_vectors_are_wrapped_as_they_are() -> None:
    """Nothing is copied out of an array."""
    array = np.zeros((2, 3), dtype=np.float32)

    assert passed("Embedding", "a", array)[1].vectors is array
    assert passed("Embedding", "a", array[0])[1].vectors[0].shape == (3,)
    assert passed("Embedding", "a", [array[0], array[1]])[1].vectors[1].shape == (3,)


def test_a_loader_s_output_knows_its_source() -> None:
    """It is that of the run's input."""
    assert passed("Loader", "a.txt", [ONE])[1] == LoaderOutput("a.txt", (ONE,))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ChatModel", NOTHING),
        ("ChatModel", [ASKED, NOTHING]),
        ("ChatModel", [{"role": "user", "content": "asked", "cache": True}]),
        ("Prompt", "template"),
        ("Embedding", [NOTHING]),
        ("Embedding", b"bytes"),
        ("Retriever", {"top_k": "three"}),
        ("Retriever", ["a", "b"]),
        ("Indexer", {"documents": "a"}),
        ("Loader", 3),
        ("ToolsNode", [SAID]),
        ("Graph", "value"),
        ("Lambda", "value"),
    ],
)
def test_what_no_payload_can_be_made_of_is_passed_as_it_is(kind: str, value: Any) -> None:
    """Statement 84, mended: nothing is lost or made up, the handler gets the very object."""
    assert passed(kind, value)[0] is value


@pytest.mark.parametrize("kind", ["ChatModel", "Embedding", "Retriever", "Indexer", "Loader", "Prompt"])
def test_an_output_of_another_type_is_passed_as_it_is(kind: str) -> None:
    """The handler gets the very object."""
    assert passed(kind, "a.txt", NOTHING)[1] is NOTHING


@pytest.mark.parametrize(
    ("kind", "given", "gave"),
    [
        ("ChatModel", ChatModelInput((ASKED,)), ChatModelOutput(SAID)),
        ("Embedding", EmbeddingInput(("a",)), EmbeddingOutput([])),
        ("Retriever", RetrieverInput("q"), RetrieverOutput(())),
        ("Tool", ToolInput("add", {}), ToolOutput(3)),
        ("Prompt", PromptInput({}), PromptOutput(())),
        ("Loader", LoaderInput("a"), LoaderOutput("a", ())),
    ],
)
def test_typed_payloads_are_passed_as_they_are(kind: str, given: Any, gave: Any) -> None:
    """What a component has typed itself is not touched."""
    assert passed(kind, given, gave) == (given, gave)
    assert passed(kind, given, gave)[0] is given


def test_each_kind_has_its_own_handler() -> None:
    """Statements 66 and 67, the latter mended: the runs of its kind and no others, for every kind there is."""
    seen: list[tuple[str, str]] = []

    def noting(name: str) -> Handler:
        return handler(on_start=lambda run, _: seen.append((name, run.component.value)))

    names = [kind.name.lower() if kind != "Lambda" else "lambda_" for kind in Component]
    with callbacks(by_component(**{name: noting(name) for name in names})):
        for kind in Component:
            with observe("it", component=kind):
                pass

    assert seen == list(zip(names, map(str, Component), strict=True))


def test_an_unknown_kind_is_an_error_that_lists_the_kinds() -> None:
    """A slip of the pen is not a handler that is never called."""
    with pytest.raises(TypeError, match=r"no kind 'chatmodel'; the kinds are: agent, .*chat_model.*lambda_"):
        by_component(chatmodel=handler(on_start=print))  # type: ignore[call-arg]


def test_what_is_no_handler_is_refused() -> None:
    """With the reason that attaching it would give."""
    with pytest.raises(HandlerRefusedError, match=r"it is no sideband\.Handler"):
        by_component(tool=3)  # type: ignore[arg-type]


def test_a_kind_may_be_left_to_none() -> None:
    """So that a condition can stand in the call."""
    assert entries(by_component(tool=None)) == ()


def test_only_what_the_inner_handler_overrides_is_wanted() -> None:
    """Statements 68 and 69: found out when it is made; a run's plan has the inner timings and no others."""

    class Counting(Handler):
        wants_output = False
        max_lag = 7

        def on_end(self, run: Run, output: Any) -> None:
            pass

    (entry,) = entries(by_component(tool=Counting()))
    plan = Plan([entry.handler])

    assert (plan.starts, plan.chunks, plan.events, plan.errors, plan.openings) == ((), (), (), (), ())
    assert [call.handler for call in plan.ends] == [entry.handler]
    assert (entry.handler.wants_output, entry.handler.max_lag) == (False, 7)


def test_a_generator_handler_gets_typed_payloads() -> None:
    """Before its yield and by it."""
    seen: list[Any] = []

    @handler
    def noting(run: Run, value: Any) -> Generator[None, Ending, None]:
        seen.append(value)
        ending = yield
        seen.append(ending.output)

    with callbacks(by_component(tool=noting)), observe("add", component="Tool", input={"a": 1}) as run:
        run.output = 3

    assert seen == [ToolInput("add", {"a": 1}), ToolOutput(3)]


async def test_asynchronous_handlers_are_awaited() -> None:
    """As without `by_component`, in order."""
    seen: list[Any] = []

    class Noting(Handler):
        async def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            seen.append(input)

        async def on_end(self, run: Run, output: Any) -> None:
            seen.append(output)

    with callbacks(by_component(retriever=Noting())):
        async with observe("search", component="Retriever", input="q") as run:
            run.output = [ONE]

    assert seen == [RetrieverInput("q"), RetrieverOutput((ONE,))]


async def test_chunks_are_passed_as_they_are_and_the_whole_is_typed() -> None:
    """Statement 72, mended: a chunk is a piece of text, the output an answer."""
    seen: list[Any] = []

    @component("ChatModel")
    async def chat(messages: list[Message]) -> AsyncIterator[str]:
        yield "sa"
        yield "id"

    noting = handler(
        on_chunk=lambda _, chunk: seen.append(chunk), on_end=lambda _, output: seen.append(output)
    )
    with callbacks(by_component(chat_model=noting)):
        async for _ in chat([ASKED]):
            pass

    assert seen == ["sa", "id", ChatModelOutput(SAID)]


async def test_a_stream_s_copy_is_the_component_s_own_chunks() -> None:
    """With its counts of what was dropped, as any handler gets it."""
    seen: list[Any] = []

    class Reading(Handler):
        async def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
            seen.append([chunk async for chunk in stream])
            seen.append(stream.dropped)

    @component("ChatModel")
    async def chat(messages: list[Message]) -> AsyncIterator[str]:
        yield "sa"
        yield "id"

    with callbacks(by_component(chat_model=Reading())):
        async for _ in chat([ASKED]):
            pass

    assert seen == [["sa", "id"], 0]


def test_filters_inside_are_kept() -> None:
    """A handler that is for some names alone stays so."""
    seen: list[str] = []
    noting = only(handler(on_start=lambda run, _: seen.append(run.name)), name="b")

    with callbacks(by_component(tool=noting, graph=noting)):
        for kind, name in [("Tool", "a"), ("Tool", "b"), ("Graph", "b"), ("Chain", "b")]:
            with observe(name, component=kind):
                pass

    assert seen == ["b", "b"]


def test_errors_and_events_are_passed_as_they_are() -> None:
    """They are the same for all kinds."""
    seen: list[Any] = []
    error = LookupError()
    noting = handler(
        on_error=lambda _, problem: seen.append(problem),
        on_event=lambda _, name, payload: seen.append((name, payload)),
    )

    def fail(act: Callable[[], None]) -> None:
        with callbacks(by_component(tool=noting)), observe("it", component="Tool"):
            sideband.emit("hello", 1)
            act()
            raise error

    with pytest.raises(LookupError):
        fail(lambda: None)

    assert seen == [("hello", 1), error]


def test_a_stream_as_input_is_no_bare_value() -> None:
    """A tool that reads a stream has no arguments to be wrapped."""
    stream = iter(["a"])

    assert passed("Tool", stream, stream) == (stream, stream)
