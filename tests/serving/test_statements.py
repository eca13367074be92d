"""What the server that this one succeeds did, fact by fact, and which test shows what became of it here.

`batch_serving` for Elixir was read and tried before this package was written; what was found is numbered.
A test that shows one of these facts, kept or decided anew, names it in its docstring: "Statement 43",
"Statements 48 and 49", "decision 6". The facts here are in our words, as they hold now.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

from sideband.serving import Batch, BatchOutput, HookEvent, Serving

from .helpers import Gate, double, progress, turns

FACTS = {
    1: "a function or a class with handle_batch is served; all else is refused at once",
    2: "a serving is described once, and what is done to its options later does not change it",
    3: "batch_size is at least 1",
    4: "map_inputs and map_results are functions or None",
    6: "names of hooks are checked",
    7: "an option that is unknown or out of range is refused, by name",
    9: "functions emit events as classes do",
    10: "setup is called once for each partition",
    11: "the model is executed in its worker, never on the server's loop",
    12: "each partition has a state of its own",
    13: "a batch has values and a size, and shows its size alone",
    14: "an exception of the model fails its batch, not the server",
    15: "inline, setup is called at the first use; nothing is set up for no items",
    16: "inline takes a list as one item",
    17: "a single call has a single result, else it fails by name",
    18: "inline_many cuts lists at batch_size, which always is set",
    19: "no items give no results",
    20: "batches of a list are in its order, the rest last",
    21: "inline results are flat, whatever number of batches",
    22: "inline takes any iterable, and fills batches from it",
    23: "a list in an iterable is one item",
    24: "any iterable will do, everywhere",
    25: "map_inputs gives a sequence, else it fails by name",
    26: "inline checks the number of results",
    27: "an exception reaches an inline caller as it is",
    28: "inline emits events",
    29: "inline with hooks cuts longer lists",
    30: "a serving is named after its model unless told otherwise",
    33: "the defaults: 32 items, no wait, one partition, 30 s to close",
    34: "the number of partitions is at least 1",
    37: "what crashes is replaced, and nothing else goes down with it",
    38: "items are executed in the order in which they came; a batch has batch_size items at most",
    39: "a full batch runs at once",
    40: "a partial batch runs when its first item has waited for batch_timeout",
    41: "batch_timeout of 0 waits for no time",
    42: "only what does not fill a batch waits",
    43: "an overdue batch grows until a partition is free",
    44: "as many batches run at a time as there are partitions",
    45: "a list is split over batches",
    46: "a list of just batch_size items queues like any other",
    47: "without hooks batches are filled across callers",
    48: "with hooks a call that fits is not split",
    49: "with hooks a longer call is cut from its start",
    50: "partitions run in parallel",
    51: "dispatch takes a list as one item",
    52: "results have the caller's order, whatever finished first",
    53: "exceptions may be given as results instead of raised",
    54: "dispatching no items executes nothing",
    55: "what is iterated over is read in the caller, whose error it is if that fails",
    56: "maps are executed in the caller, on lists",
    57: "map_inputs may change the number of items",
    58: "map_results has to give one result a value",
    59: "an iterator is read as there is room, and its results are one flat list",
    60: "an empty iterable gives an empty list, always",
    61: "an iterable that raises sends nothing",
    62: "a caller may limit its wait",
    63: "what a caller who left had waiting is not executed",
    64: "calling what is not started says how to start it",
    65: "a failing batch fails every caller with an item in it",
    66: "the server survives a failing batch",
    67: "a call fails with its first failing batch, and what still waits of it is taken out",
    68: "the error is the model's exception, with no payload added",
    69: "a wrong number of results fails the batch",
    70: "results that are no sequence of entries fail the batch",
    71: "a stream gives the parts of a request as they are done, in order",
    72: "a single call streams its events and its result, as lists of one",
    73: "a stream may be left early, and read by any task",
    74: "events of a part come before its results, and parts in the order of the items",
    75: "an event that is not declared is refused",
    76: "a payload has one entry an item, and each caller gets its slice",
    77: "an event after the function has returned is refused",
    78: "with hooks iterables are taken, too",
    79: "a stream raises where the failure stands, after what came before",
    80: "map_results is applied to each part of a stream",
    81: "closing without draining fails what waits, and awaits what runs",
    82: "callers of a server that is gone are told",
    90: "calls and batches are runs, with sizes, waits and times",
}  # fmt: skip
"""Statements that hold here, kept or decided anew."""

ELSEWHERE = {
    5: "nothing is distributed yet", 8: "a class has what it needs from its own program", 31: "options have one place",
    32: "batch_size has one place", 35: "names are for people: two servings may share one", 36: "no process groups",
    83: "nothing is distributed yet", 84: "likewise", 85: "likewise", 86: "likewise", 87: "likewise", 88: "likewise",
    89: "likewise", 91: "batches are put together by the serving alone, and not padded",
}  # fmt: skip
"""Statements about what is not here, and why."""

DECISIONS = range(1, 12)


def named(what: str) -> set[int]:
    """Return the numbers that docstrings of tests name."""
    found: set[int] = set()
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                text = " ".join((ast.get_docstring(node) or "").split())
                for numbers in re.findall(
                    rf"\b{what}s? (\d+(?:(?:, | and )\d+)*)", text, flags=re.IGNORECASE
                ):
                    found |= {int(number) for number in re.findall(r"\d+", numbers)}
    return found


def test_every_statement_has_a_test_that_names_it() -> None:
    """Each of the 91 is either shown by a test, or about what is not here."""
    assert sorted([*FACTS, *ELSEWHERE]) == list(range(1, 92))
    assert set(FACTS) - named("statement") == set()
    assert named("statement") - set(FACTS) == set()


def test_every_decision_has_a_test_that_names_it() -> None:
    """Each of the eleven that a port has to take."""
    assert set(DECISIONS) - named("decision") == set()


# -- what no other test is about ---------------------------------------------------------------------


def test_a_serving_keeps_what_it_was_told() -> None:
    """Changing a list that it was given changes nothing; two servings of one model know nothing of each other.

    Statement 2.
    """
    hooks = ["progress"]
    first: Serving[int, int] = Serving(double, batch_size=2, hooks=hooks)
    hooks.append("other")
    second: Serving[int, int] = Serving(double, batch_size=3, name="second")
    second.configure(batch_size=4)

    assert (first._settings.hooks, first._settings.batch_size, first.name) == (("progress",), 2, "double")
    assert (second._settings.hooks, second.name) == ((), "second")


def test_the_defaults_need_no_tuning() -> None:
    """Batches of 32, no wait for company, one partition, half a minute to close. Statement 33."""
    defaults = {name: one.default for name, one in inspect.signature(Serving).parameters.items()}
    expected = {"batch_size": 32, "batch_timeout": 0.0, "partitions": 1, "shutdown_timeout": 30.0}

    assert {name: defaults[name] for name in expected} == expected


async def test_a_list_of_one_batchs_size_queues_like_any_other() -> None:
    """Behind a waiting item it shares its batch. Statement 46."""
    gate = Gate()
    async with Serving(gate, batch_size=3) as serving:
        busy = asyncio.create_task(serving.dispatch("busy"))
        await turns()
        single = asyncio.create_task(serving.dispatch("a"))
        await turns()
        many = asyncio.create_task(serving.dispatch_many([1, 2, 3]))
        await gate.open_all()
        await asyncio.gather(busy, single, many)

    assert gate.batches == [["busy"], ["a", 1, 2], [3]]


async def test_a_single_call_streams_lists_of_one() -> None:
    """Its events and its result are those of one item. Statement 72."""
    async with Serving(progress, hooks=("progress",)) as serving:
        events = [event async for event in serving.stream("a")]

    assert events == [
        HookEvent(name="progress", payload=[("first", "a")], offset=0),
        HookEvent(name="progress", payload=[("second", "a")], offset=0),
        BatchOutput(output=["a"], offset=0),
    ]


@pytest.mark.parametrize("synchronous", [False, True])
async def test_a_generator_is_streamed_with_hooks(synchronous: bool) -> None:
    """Each of its parts has its events and then its results, mapped for that part. Statements 78 and 80."""
    serving: Serving[str, str] = Serving(
        progress,
        hooks=("progress",),
        batch_size=2,
        map_results=lambda results: [f"<{one}>" for one in results],
    )
    async with serving:
        if synchronous:
            events = await asyncio.to_thread(
                lambda: list(serving.stream_many_sync(letter for letter in "abc"))
            )
        else:
            events = [event async for event in serving.stream_many(letter for letter in "abc")]

    outputs = [event.output for event in events if isinstance(event, BatchOutput)]
    assert [result for output in outputs for result in output] == ["<a>", "<b>", "<c>"]
    assert [type(event) for event in events] == [HookEvent, HookEvent, BatchOutput] * len(outputs)
    assert [event.offset for event in events] == sorted(event.offset for event in events)


async def test_a_batch_function_of_a_test_needs_no_server() -> None:
    """It is given a `Batch` that the test makes, and emits to nobody. Statement 9."""
    batch = Batch(["a"], serving="test", hooks=("progress",))

    assert progress(batch) == ["a"]
