"""Every example runs by itself, with warnings as errors, and prints what it is there to show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent.parent / "examples"
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.py"))

# One fact of each example's output that its reader is to see.
FACTS = {
    "abort_a_run.py": "the consumer gets Abort(\"tell was stopped at 'secret'\")",
    "background_handler.py": "1002 calls, the last three: ['word 998', 'word 999', 'tell ends']",
    "batch_two_users.py": "one batch of ['one two three', 'four five', 'six', 'seven'] served 2 calls",
    "cost_per_user.py": "all: 144 tokens",
    "first_handler.py": "  Tool look_up fails with KeyError('carrier')",
    "graph_agent.py": "It is sunny in Lisbon 600",
    "graph_judge.py": "the winner is wordy",
    "graph_retrieval.py": "From what I have read: The moon pulls at the sea, so that it rises twice a day. [tides]",
    "live_view.py": "seen: Agent, Batch, ChatModel, Retriever, Serving, Tool",
    "local_model.py": "gets 'Rain all day in Rome, 12 degrees.'",
    "model_with_state.py": "b'': ValueError('an empty text')",
    "priorities_and_keys.py": "urgent: GOOD EVENING NOW",
    "retry_and_cache.py": "4 answers: {'quick says: good morning '}",
    "stream_progress.py": "[####################] 40 of 40 texts, 380 tokens",
    "watch_in_the_terminal.py": "✓ Agent answer",
    "worker_processes.py": "failed: serving 'Primes': worker process",
    "sync_threads.py": "calls by caller: {'report': 100}",
    "watch_generations.py": "stopped: error, 1 tokens, None",
}


def run(name: str) -> str:
    """Run an example as its reader would, from another folder, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_listed() -> None:
    """No example is there without a fact that it shows."""
    assert sorted(FACTS) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_shows_its_fact(name: str) -> None:
    """It runs without an error or a warning, and prints the line that it is about."""
    assert FACTS[name] in run(name)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name: str) -> None:
    """It has less than 80 lines."""
    assert len((FOLDER / name).read_text(encoding="utf-8").splitlines()) < 80


def test_two_users_in_one_batch_see_their_own_items_alone() -> None:
    """Each user's handler gets the entries of that user's own items, in their order, and nobody else's."""
    seen = [line for line in run("batch_two_users.py").splitlines() if " sees " in line]

    assert sorted(seen) == [
        "Ann sees [{'characters': 13}]",
        "Bob sees [{'characters': 9}, {'characters': 3}, {'characters': 5}]",
    ]


def test_the_shares_of_all_users_are_the_whole_cost() -> None:
    """What the users are billed for together is what the server worked for."""
    *_, total, worked = run("cost_per_user.py").splitlines()

    billed = float(total.split()[-2])
    assert billed == pytest.approx(float(worked.split()[4]), abs=0.002)


def test_an_abort_closes_the_source_before_the_consumer_learns_of_it() -> None:
    """The model's stream is closed, then the run ends, then the consumer gets the abort."""
    lines = run("abort_a_run.py").splitlines()

    assert lines[-3:] == [
        "the model's stream is closed",
        "tell ended: error, after 8 words",
        "the consumer gets Abort(\"tell was stopped at 'secret'\")",
    ]
