"""Prompts: messages made of templates."""

from __future__ import annotations

import asyncio
import builtins
from typing import Any

import pytest

from sideband import callbacks
from sideband.components import Message, PromptInput, PromptOutput, by_component
from sideband.errors import MissingExtraError
from sideband.graph import START, Chain, Workflow, static
from sideband.handlers import Handler
from sideband.prompts import ChatTemplate, MissingVariableError, Placeholder, PromptTemplate, TemplateError
from sideband.prompts._template import _environment
from sideband.testing import Recorder

CHAT = ChatTemplate(
    [
        ("system", "Answer in {{ language | default('English') }}."),
        Message.assistant("Ready."),
        Placeholder("history", optional=True),
        ("user", "{% for one in documents %}\n- {{ one.text }}\n{% endfor %}\n{{ question }}"),
    ],
    name="answer",
)


def test_messages_are_made_in_their_order() -> None:
    """Templates filled, messages as they are, those of a variable among them."""
    messages = CHAT(
        {
            "question": "Why?",
            "documents": [Message.user("a"), Message.user("b")],
            "history": [Message.user("Hi")],
        }
    )

    assert messages == (
        Message.system("Answer in English."),
        Message.assistant("Ready."),
        Message.user("Hi"),
        Message.user("- a\n- b\nWhy?"),
    )
    assert CHAT.variables == {"language", "history", "documents", "question"}
    assert repr(CHAT) == "<ChatTemplate 'answer' of ['documents', 'history', 'language', 'question']>"


def test_one_template_is_one_message() -> None:
    """Of a role; its text can be had alone."""
    prompt = PromptTemplate("Dear {{ name }}", role="system")

    assert prompt({"name": "Ann", "more": 1}) == (Message.system("Dear Ann"),)
    assert prompt.text({"name": "Bob"}) == "Dear Bob"


def test_missing_variables_are_all_named() -> None:
    """Also those of a placeholder; with what was given."""
    with pytest.raises(MissingVariableError) as raised:
        PromptTemplate("{{ a }} {{ b }} {{ c }}", name="p")({"b": 1, "z": 2})
    assert (raised.value.missing, raised.value.given) == (("a", "c"), ("b", "z"))
    assert str(raised.value) == "prompt 'p': 'a', 'c' is missing; given was 'b', 'z'"

    with pytest.raises(MissingVariableError, match="'history' is missing; given was nothing"):
        ChatTemplate([Placeholder("history")])({})


def test_a_template_that_cannot_be_read_is_told_with_its_line() -> None:
    """Where it is made, not where it is filled."""
    with pytest.raises(TemplateError) as raised:
        PromptTemplate("fine\n{% if %}", name="p")
    assert raised.value.line == 2
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    "template",
    [
        "{{ x.__class__.__mro__ }}",
        "{{ x.append(1) }}",
        "{{ ''.__class__ }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ x.nothing }}",
        "{{ 1 / 0 }}",
        "{{ x + 1 }}",
    ],
)
def test_a_template_cannot_reach_into_the_program(template: str) -> None:
    """Nor change what it is given; what fails is told by one error."""
    given: list[Any] = []

    with pytest.raises(TemplateError):
        PromptTemplate(template)({"x": given})

    assert given == []


def test_what_variables_hold_is_no_template() -> None:
    """However much it looks like one, and nothing of it is escaped."""
    assert PromptTemplate("{{ x }}").text({"x": "{{ y }} <b> & {% if %}"}) == "{{ y }} <b> & {% if %}"


@pytest.mark.parametrize(
    ("part", "error"),
    [(("owner", "x"), ValueError), ("text", TypeError), (3, TypeError), (("user",), TypeError)],
)
def test_what_is_no_part_is_refused(part: Any, error: type[Exception]) -> None:
    """Where it is made."""
    with pytest.raises(error):
        ChatTemplate([part])


def test_a_placeholder_takes_messages_alone() -> None:
    """One, or several."""
    prompt = ChatTemplate([Placeholder("x")])

    assert prompt({"x": Message.user("a")}) == (Message.user("a"),)
    with pytest.raises(TemplateError, match="'x' has to hold messages, got 'text'"):
        prompt({"x": ["text"]})


async def test_filling_is_a_run_of_kind_prompt() -> None:
    """Typed for handlers; in a graph not observed twice."""
    seen: list[Any] = []

    class See(Handler):
        def on_start(self, run: Any, input: Any) -> None:  # noqa: A002
            seen.append(input)

        def on_end(self, run: Any, output: Any) -> None:
            seen.append(output)

    recorder, chain = Recorder(), Chain[Any, Any]("c").append(CHAT, key="prompt").compile()
    with callbacks(recorder, by_component(prompt=See())):
        messages = await chain.invoke({"question": "Why?", "documents": []})

    assert [(run.component.value, run.name, run.type) for run in recorder.runs()] == [
        ("Chain", "c", ""),
        ("Prompt", "answer", "Jinja2"),
    ]
    assert seen == [PromptInput({"question": "Why?", "documents": []}), PromptOutput(messages)]


async def test_a_prompt_takes_what_a_workflow_maps() -> None:
    """Its variables are the entries of its input."""
    workflow = Workflow[str, Any]("w").add_node(
        "p", PromptTemplate("{{ a }}{{ b }}"), inputs={"a": START, "b": static(2)}
    )

    assert await workflow.output("p").compile().invoke("1") == (Message.user("12"),)


def test_prompts_need_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command that installs it."""
    found = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("jinja2"):
            raise ImportError(name)
        return found(name, *args, **kwargs)

    _environment.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r'pip install "sideband\[prompts\]"'):
        PromptTemplate("x")


async def test_prompts_can_be_filled_in_many_threads_at_once() -> None:
    """Nothing is shared between calls."""
    prompt = PromptTemplate("{% for i in range(n) %}{{ n }}{% endfor %}")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.to_thread(prompt.text, {"n": n})) for n in range(9)]

    assert [task.result() for task in tasks] == [str(n) * n for n in range(9)]
