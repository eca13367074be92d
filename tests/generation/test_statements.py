"""What the hooks that these succeed did, fact by fact, and which test shows what became of it here.

Niro, for Go, was read and tried before this package was written; what was found worth keeping is numbered.
A test that shows one of these facts, kept or decided anew, names it in its docstring: "Niro, statement 43"; where a
module says at its top that the numbers are Niro's, "statement 43" will do. The facts here are in our words, as they
hold now.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

FACTS = {
    1: "a hook has six methods; a variable that its start sets holds for the generation, its frames can be aborted at",
    2: "start and end tell who was asked for what, and what came of it",
    4: "what the start sets is seen by the provider and by all later calls",
    6: "a hook overrides what it needs",
    7: "no hook costs nothing: the source itself comes back",
    9: "messages are counted as the request has them, instructions among them",
    11: "an empty model is called (default)",
    12: "composing leaves out what is None; one hook is itself",
    13: "composed hooks are called in the order given, at the end, too",
    14: "composed hooks see what the others set",
    15: "all composed hooks see a frame, whatever one of them raises",
    16: "all of them are told of the error, the one that raised it, too",
    19: "a wrapped stream is one more stream; no task, no buffer",
    20: "a frame is told to hooks, then the call or result in it, then it is given to the consumer",
    21: "frames of all kinds are told",
    22: "usage frames are added up, not told",
    24: "times count from the start that the caller gives",
    25: "hooks are never ahead of the consumer",
    26: "a stream without frames starts and ends",
    27: "whoever learns of the end can rely on it that the hooks have",
    28: "the end tells the model that answered, its reason and the id of its answer",
    29: "what the response says of usage fills what frames left open, and is not added",
    30: "an error in the stream is told as error and end, with what was used so far",
    39: "the calls of one generation come one after the other; generations run side by side",
    41: "what is no request is refused at once; then the start, the provider, the hooks, the pipeline",
    43: "a provider that fails when it is called fails the generation: start, error, end",
    46: "a runtime is a provider",
    55: "what was cached is counted; no detail of a usage is a flag",
    56: "a pipe holds as much as it is told; with nothing it is a rendezvous",
    57: "an answer is iterated over; what it comes to is complete at its end",
    58: "sending waits where a pipe is full, and is refused where it is closed",
    59: "an error comes after what was sent before it",
    60: "closing twice is closing once, and the first way of it holds",
    63: "of several responses the last one counts",
    65: "a stream is made of a list, collected, read as text, and sent on with all that it says",
    66: "usages are added field by field",
    67: "the defaults: 8 rounds, 8 tools at a time, 30 s a tool; what is out of range is refused",
    68: "no request is refused at once; a provider's errors come out of the stream, in any round",
    69: "the caller's request stays as it was",
    70: "a forced tool is forced once",
    71: "tools are executed when the model has ended its message; one at a time, in order, where that is asked for",
    74: "results come in the order of the calls",
    75: "usage is the sum of all rounds, the response that of the last one",
    76: "each result is a message after the assistant's; adapters put them together",
    77: "hooks are told of results by whoever executes, also where the consumer does not get them",
    78: "what fails is a result that the model sees",
    79: "who approves may take longer than the tool; a denial says something in any case",
    80: "rounds are counted by what the model is asked; the last one's calls are not executed",
    84: "a call is begun, looked up, checked, approved, executed, made readable, and ended",
    85: "an unknown tool is a result that says so, and a run",
    86: "every call ends for the hooks, also where its output cannot be told to a model",
    88: "nothing is no text, text is text, all else is JSON",
    89: "arguments are checked against all that annotations say",
    91: "a runtime's tools are offered behind those of the request, in the order given",
    92: "who executes a call asks for approval, once",
    93: "retry asks again after errors of which that is worth it, so often and no more, with delays",
    96: "delays grow up to a limit, give or take a quarter",
    97: "a limit of time holds for the call and for all that is read",
    99: "a generation has an id, a request id, a parent and what its block says of user and session",
    101: "a cache gives whole answers again, as copies, with response and usage",
    103: "retry stands outside of timeout",
    104: "hooks of each runtime see what that runtime asks",
    105: "stages have no task and no buffer, and without stages there is nothing in between",
    106: "stages map, filter, tap, leave text alone, join text",
    108: "frames are told apart by kind, thoughts among them, and shown as they pass; failing there ends the stream",
    109: "hooks are told in whose name something is asked, once, before the first frame",
    110: "all providers of a fan are asked at once, and its frames come as they arrive, with their source",
    111: "the first whole answer wins a race, and the others are closed",
    112: "each of a sequence gets the text of the one before, and the last one is streamed",
    113: "a schema goes with a copy of the request, the answer is read as a whole",
    115: "there is one final value, and none after an error",
    118: "a generation with tools is told once, as a whole",
    119: "a generation inside of a tool is inside of the whole, in time, too",
    122: "each member of a fan, a race or a sequence is one generation, with its tools, for its own hooks",
    129: "adapters give text as it comes, whole calls, usage, the response; they close, and take options and clients",
    130: "finish reasons have one name",
    132: "errors go by their status, and say whether to try again",
}  # fmt: skip
"""Facts that hold here, kept or decided anew."""

ELSEWHERE = {
    48: "how a provider caches prompts is its own: `Options.extra` says it as its SDK does", 50: "likewise",
    51: "likewise", 52: "likewise", 53: "likewise", 54: "likewise",
    81: "a program hands over by what it calls next; no tool does so by a signal",
    117: "agents are programs: there is no language of its own for them",
    124: "what is remembered between generations is the program's",
    125: "there are no realtime sessions, only requests and their streams", 126: "likewise", 127: "likewise",
}  # fmt: skip
"""Facts about what is not here, and why."""

KEPT = {
    1, 2, 4, 6, 7, 9, *range(11, 17), *range(19, 23), *range(24, 31), 39, 41, 43, 46, 48, *range(50, 61), 63,
    *range(65, 72), *range(74, 82), *range(84, 87), 88, 89, 91, 92, 93, 96, 97, 99, 101, *range(103, 107),
    *range(108, 114), 115, *range(117, 120), 122, *range(124, 128), 129, 130, 132,
}  # fmt: skip
"""The numbers of all that was found worth keeping; the others were flaws, or only there of any meaning."""

TESTS = Path(__file__).parent.parent
LAYERS = ("components", "generation", "providers", "streams")
NUMBERS = re.compile(r"\bstatements? (\d+(?:(?:, | and )\d+)*)", flags=re.IGNORECASE)


def docstrings() -> Iterator[str]:
    """Give the docstrings of tests that speak of Niro."""
    for path in sorted(path for layer in LAYERS for path in (TESTS / layer).rglob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        all_of_it = "Niro's" in (ast.get_docstring(module) or "")
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                text = " ".join((ast.get_docstring(node) or "").split())
                if all_of_it or "Niro" in text:
                    yield text


def named() -> set[int]:
    """Return the numbers that tests name."""
    found = (numbers for text in docstrings() for numbers in NUMBERS.findall(text))
    return {int(number) for numbers in found for number in re.findall(r"\d+", numbers)}


def test_every_fact_is_either_here_or_not() -> None:
    """None is forgotten, and none is in both lists."""
    assert sorted([*FACTS, *ELSEWHERE]) == sorted(KEPT)


def test_every_fact_has_a_test_that_names_it() -> None:
    """And none is named that there cannot be, or that is said not to be here."""
    assert set(FACTS) - named() == set()
    assert named() & set(ELSEWHERE) == set()
    assert named() <= set(range(1, 133))
