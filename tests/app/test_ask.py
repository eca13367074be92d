"""Asking: what a model is asked, how its answer is counted and shown, and the command with the real local model."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sideband.app.answer import AnswerMeter, cited, request_for
from sideband.app.answer_view import AnswerView, summary
from sideband.app.cli import main
from sideband.app.prices import cost_of
from sideband.components import Document, Usage
from sideband.generation import Frame, GenerateEndInfo, Request, ResponseMeta, Runtime
from sideband.runs import Outcome

PASSAGES = [
    Document(id=str(number), text=text, metadata={"title": f"title {number}"}, score=0.5)
    for number, text in enumerate(["one", "two " * 400], start=1)
]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(**changes: Any) -> GenerateEndInfo:
    """Return how a generation ended."""
    facts: dict[str, Any] = {
        "provider": "local", "model": "m", "messages": 1, "tools": 0, "request_id": "r", "function_id": None,
        "metadata": {}, "requested_model": "m", "outcome": Outcome.OK, "error": None, "usage": Usage(),
        "finish_reason": "stop", "response_id": "r", "duration": 3.0, "time_to_first_frame": 1.0,
    }  # fmt: skip
    return GenerateEndInfo(**{**facts, **changes})


# -- what is asked -------------------------------------------------------------------------------------


@pytest.mark.parametrize("small", [True, False])
def test_a_model_is_given_the_passages_by_number_and_the_question(small: bool) -> None:
    """Each shortened; a small model gets one plain instruction."""
    request = request_for("Why?", PASSAGES, max_tokens=9, small=small)

    text = "\n".join(message.text for message in request.messages)
    assert "[1] title 1: one" in text
    assert "[2] title 2: two two" in text
    assert "Why?" in text
    assert len(text) < 1500
    assert request.options.max_tokens == 9
    assert len(request.messages) == (1 if small else 2)


def test_the_passages_that_an_answer_names_are_found() -> None:
    """Numbers of passages that there are."""
    assert cited("So it is [2]. And [1][2], not [3] or [0] or [x].", PASSAGES) == {1, 2}
    assert cited("Nothing.", PASSAGES) == set()


# -- how it is counted ---------------------------------------------------------------------------------


def test_pieces_are_counted_until_the_provider_tells_its_tokens() -> None:
    """The rate is that after the first token."""
    clock = Clock()
    meter = AnswerMeter(clock)
    assert [meter.time_to_first_token, meter.rate, meter.tokens] == [None, None, 0]

    clock.now += 1
    meter.on_frame(Frame.text("a"), 1.0)
    assert [meter.rate] == [None]
    for _ in range(4):
        meter.on_frame(Frame.text("b"), 2.0)
    clock.now += 2
    assert [meter.time_to_first_token, meter.tokens, meter.rate] == [1.0, 5, 2.0]

    meter.on_generate_end(told(usage=Usage(input_tokens=7, output_tokens=9)))
    assert [meter.tokens, meter.rate, meter.seconds] == [9, 4.0, 3.0]
    assert (
        summary(meter, "free") == "first token after 1.00 s · 9 tokens · 4.0 tokens/s · 7 read · free · 3.0 s"
    )


async def test_the_meter_is_a_hook_of_the_generation() -> None:
    """It is told by the runtime."""

    class Two:
        name = "two"

        async def generate(self, request: Request) -> AsyncIterator[Frame]:
            yield Frame.text("a")
            yield Frame.text("b")
            yield Frame.response(ResponseMeta("m", "stop"))

    meter = AnswerMeter()
    await Runtime(Two(), hooks=[meter]).generate("?").text()

    assert meter.tokens == 2
    assert meter.ended is not None
    assert meter.ended.outcome == "ok"


@pytest.mark.parametrize(
    ("usage", "provider", "model", "expected"),
    [
        (Usage(input_tokens=10, cost=0.5), "openai", "whatever", 0.5),
        (Usage(input_tokens=10), "local", "smollm2", 0.0),
        (Usage(input_tokens=10), "openai", "no-such-model", None),
        (Usage(input_tokens=10), "nobody", "gpt-5-mini", None),
    ],
)
def test_the_cost_is_the_providers_or_that_of_the_price_lists(
    usage: Usage, provider: str, model: str, expected: float | None
) -> None:
    """A model on this machine is free; of what is not listed nothing is said."""
    assert cost_of(usage, provider, model) == expected


def test_a_listed_model_has_its_price() -> None:
    """For what was read and what was written."""
    cost = cost_of(Usage(input_tokens=1_000_000, output_tokens=1_000), "openai-responses", "gpt-5-mini")

    assert cost is not None
    assert 0.01 < cost < 10


# -- how it is shown -----------------------------------------------------------------------------------


def shown(pieces: list[str], *, terminal: bool) -> str:
    """Return what is written of an answer in pieces."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=20, color_system=None, legacy_windows=False)
    meter = AnswerMeter(Clock())
    with AnswerView(console, meter, lambda: "free") as view:
        for piece in pieces:
            meter.on_frame(Frame.text(piece), 0.5)
            view.add(piece)
    return out.getvalue()


def test_without_a_terminal_an_answer_is_written_as_it_comes() -> None:
    """Nothing is wrapped, drawn or said beside it."""
    assert shown(["a long answer that", " is not wrapped\n", "two"], terminal=False) == (
        "a long answer that is not wrapped\ntwo\n"
    )


def test_on_a_terminal_each_line_is_there_once_in_the_end() -> None:
    """Wrapped to the width, with the last line below."""
    written = shown(["a long answer that ", "is wrapped at twenty\n\n", "the end"], terminal=True)

    assert "free" in written  # the cost, as it goes
    assert (
        written.rindex("a long answer that")
        < written.rindex("is wrapped at twenty")
        < written.rindex("the end")
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_model_says_is_no_command_to_the_terminal(terminal: bool) -> None:
    """Control characters are blanks; the view's own are not the model's."""
    written = shown(["be\x1b]0;ware\x07\x1b[2Jof"], terminal=terminal)

    assert "\x1b]0" not in written
    assert "\x07" not in written
    assert "\x1b[2J" not in written


# -- the command ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store about fruit, of the fast model."""
    folder = tmp_path_factory.mktemp("ask")
    (folder / "fruit.md").write_text("# Fruit\n\nThe banana is yellow. It grows in bunches on Mount Olo.")
    (folder / "engine.txt").write_text("A combustion engine burns petrol to move pistons.")
    path = folder / "store.db"
    assert main(["index", str(folder), "--store", str(path), "--model", "wordllama", "-q"]) == 0
    return path


def test_a_question_is_answered_from_the_store(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the local model, with the passages and what it took."""
    code = main(["ask", "What colour is the banana?", "--store", str(store), "--max-tokens", "40"])

    captured = capsys.readouterr()
    assert code == 0
    answer, passages = captured.out.split("Passages")
    assert "yellow" in answer
    assert "fruit.md" in passages
    assert "first token after" in captured.err
    assert "tokens/s" in captured.err
    assert "free" in captured.err


def test_an_answer_may_be_had_as_json(
    store: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One document, with everything; and a picture of the screen beside."""
    picture = tmp_path / "ask.svg"
    code = main(["ask", "banana", "--store", str(store), "--max-tokens", "5", "--json", "-k", "1"])
    document = json.loads(capsys.readouterr().out)
    assert main(["ask", "banana", "--store", str(store), "--max-tokens", "5", "--svg", str(picture)]) == 0

    assert code == 0
    assert document["outcome"] == "ok"
    assert document["tokens"] == 5
    assert document["input_tokens"] > 10
    assert document["cost_usd"] == 0
    assert [row["rank"] for row in document["passages"]] == [1]
    assert "<svg" in picture.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ask", " "], 2, "the question is empty"),
        (["ask", "why", "-k", "0"], 2, "-k must be from 1 to 50"),
        (["ask", "why", "--max-tokens", "0"], 2, "--max-tokens must be from 1"),
        (["ask", "why", "--provider", "nobody"], 1, "nobody"),
        (["ask", "why", "--model", "no-such.gguf"], 1, "no-such.gguf"),
    ],
)
def test_what_cannot_be_asked_is_told(
    arguments: list[str], code: int, message: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one line, with what was given."""
    assert main([*arguments, "--store", str(store)]) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_a_store_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any model is started."""
    assert main(["ask", "why", "--store", str(tmp_path / "none.db")]) == 1
    assert "none.db" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C is sent to whole groups of processes")
def test_ctrl_c_ends_the_answer_as_closed_and_still_tells_what_it_took(store: Path) -> None:
    """The run ends as closed; the exit code is that of Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sideband", "ask", "Tell me everything about bananas and engines, at length.",
         "--store", str(store), "--max-tokens", "4000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.read(10)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert b"Passages" in out
    assert b"closed" in err
    assert b"tokens" in err
